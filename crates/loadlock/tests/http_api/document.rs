//! The `OpenAPI` document, held against the routes and against what is committed.

use std::{collections::BTreeSet, fs, path::Path};

use axum::http::{Method, StatusCode};
use serde_json::Value;

use crate::service::Service;

const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

fn document() -> Value {
    serde_json::to_value(loadlock::http::document()).unwrap()
}

fn paths() -> Vec<(String, Value)> {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .map(|(path, item)| (path.clone(), item.clone()))
        .collect()
}

#[test]
fn the_committed_document_is_that_of_the_routes() {
    let fresh = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if fs::read_to_string(&committed).unwrap_or_default() != fresh {
        let written = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi.json");
        fs::write(&written, fresh).unwrap();
        panic!(
            "docs/openapi.json is not what the routes say: cp {} docs/openapi.json",
            written.display()
        );
    }
}

#[test]
fn only_a_completion_is_posted_without_a_body() {
    let posts = paths().into_iter().filter(|(_, item)| {
        let post = item.get("post");
        post.is_some_and(|post| post.get("requestBody").is_none())
    });
    let bare: Vec<String> = posts.map(|(path, _)| path).collect();
    assert_eq!(bare, ["/v1/uploads/{id}/complete"]);
}

#[test]
fn whoever_asks_too_often_is_told_when_to_come_back() {
    let mut found = 0;
    for (path, item) in paths() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(answer) = operation["responses"].get("429") else {
                continue;
            };
            let headers: Vec<&String> = answer["headers"].as_object().unwrap().keys().collect();
            let expected = ["RateLimit", "RateLimit-Policy", "Retry-After"];
            assert_eq!(headers, expected, "{method} {path}");
            found += 1;
        }
    }
    assert!(found > 10, "{found}");
}

#[tokio::test]
async fn what_is_documented_is_routed_and_nothing_beside_it() {
    let service = Service::start().await;
    for (path, item) in paths() {
        let address = path
            .replace("{id}", "01KAN3V9Q5W2M8Z7T4R6Y1XHBE")
            .replace("{name}", "image");
        for method in METHODS {
            let documented = item.get(method.as_str().to_lowercase()).is_some();
            let answer = service.ask(method.clone(), &address).await;
            let routed = answer.status != StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(documented, routed, "{method} {path}");
            let nowhere = answer.status == StatusCode::NOT_FOUND
                && answer.refusal().contains("nothing at this address");
            assert!(!nowhere, "{method} {path}");
        }
    }
}

/// The router's own list, as its `Debug` shows it, so that no route can hide.
#[tokio::test]
async fn what_is_routed_is_documented() {
    let service = Service::start().await;
    let shown = format!("{:?}", service.router);
    let routed: BTreeSet<&str> = shown
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| text.starts_with('/') && *text != "/" && !text.contains("axum_fallback"))
        .collect();
    let own = ["/openapi.json", "/docs", "/docs/", "/docs/{*rest}"];
    let documented: Vec<String> = paths().into_iter().map(|(path, _)| path).collect();
    let expected: BTreeSet<&str> = documented.iter().map(String::as_str).chain(own).collect();
    assert_eq!(routed, expected);
}

#[test]
fn every_operation_says_who_may_and_how_it_refuses() {
    for (path, item) in paths() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert!(operation["operationId"].is_string(), "{name}");
            assert!(
                operation["summary"]
                    .as_str()
                    .is_some_and(|text| text.len() > 8),
                "{name}"
            );
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.contains_key("500"), "{name}");
            let signed_in = operation.get("security").is_some();
            assert_eq!(signed_in, answers.contains_key("401"), "{name}");
            for (status, answer) in answers
                .iter()
                .filter(|(status, _)| status.as_str() >= "400")
            {
                let content = &answer["content"]["application/json"];
                assert_eq!(
                    content["schema"]["$ref"], "#/components/schemas/ErrorAnswer",
                    "{name} {status}"
                );
                assert!(content["examples"].is_object(), "{name} {status}");
            }
        }
    }
}
