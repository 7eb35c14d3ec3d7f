//! What the API answers before a flow is reached: the envelope, limits, CORS, headers.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};

use crate::service::Service;

const BEGIN: &str =
    r#"{"profile":"image","filename":"a.jpg","content_type":"image/jpeg","size":3}"#;

#[tokio::test]
async fn an_address_that_is_none_is_refused_in_the_envelope() {
    let service = Service::start().await;
    let answer = service.ask(Method::GET, "/v1/nothing").await;
    assert_eq!(
        answer.refusal(),
        "404 not_found: there is nothing at this address"
    );
    assert_eq!(answer.json()["error"]["retryable"], false);
}

#[tokio::test]
async fn a_method_that_is_not_offered_is_refused_and_the_others_are_named() {
    let service = Service::start().await;
    let answer = service.ask(Method::PUT, "/v1/uploads").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.json()["error"]["code"], "method_not_allowed");
    assert_eq!(answer.header("allow"), "POST");
}

#[tokio::test]
async fn whoever_does_not_say_who_they_are_is_asked_to() {
    let service = Service::start().await;
    for authorization in [
        None,
        Some("Bearer llu_wrong"),
        Some("Bearer llt_wrong"),
        Some("Basic YTpi"),
        Some("\u{fffd}"),
    ] {
        let mut request = Request::get("/v1/files");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization.as_bytes());
        }
        let answer = service.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{authorization:?}");
        assert_eq!(answer.json()["error"]["code"], "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_it_should_be_is_refused_saying_where() {
    let service = Service::start().await;
    let check = async |body: &'static str, expected: &str| {
        let answer = service.post("/v1/uploads", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer.refusal().contains(expected), "{}", answer.refusal());
    };
    check("", "EOF").await;
    check("{", "EOF").await;
    check("[]", "invalid").await;
    check(
        r#"{"profile":"image"}"#,
        "missing `filename`, `content_type`, `size`: only a `post`",
    )
    .await;
    check(
        &BEGIN.replace("\"size\"", "\"length\":1,\"size\"").leak()[..],
        "unknown field `length`",
    )
    .await;
    check(&BEGIN.replace(":3", ":-3").leak()[..], "-3").await;
    check(
        &BEGIN.replace(":3", r#":3,"metadata":{"a":{"b":1}}"#).leak()[..],
        "expected a string",
    )
    .await;
    check(
        &BEGIN
            .replace(
                ":3",
                r#":3,"checksum":{"algorithm":"sha256","value":"AAAA"}"#,
            )
            .leak()[..],
        "`checksum.value` is no sha256",
    )
    .await;
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let service = Service::start().await;
    let request = Request::post("/v1/uploads")
        .header("authorization", format!("Bearer {}", service.user))
        .header("content-type", "text/plain");
    let answer = service.send(request.body(Body::from(BEGIN)).unwrap()).await;
    assert_eq!(
        answer.refusal(),
        "400 invalid_request: the body must be JSON: send `content-type: application/json`"
    );
}

#[tokio::test]
async fn a_body_may_be_256_kib_and_no_more() {
    let service = Service::start().await;
    let filled = |size: usize| format!("{BEGIN}{}", " ".repeat(size - BEGIN.len()));
    let fits = service.post("/v1/files/urls", filled(256 << 10)).await;
    assert_eq!(fits.status, StatusCode::BAD_REQUEST);
    let answer = service.post("/v1/uploads", filled((256 << 10) + 1)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json()["error"]["code"], "body_too_large");
}

#[tokio::test]
async fn an_id_that_cannot_be_one_is_unknown() {
    let service = Service::start().await;
    for path in [
        "/v1/uploads/x",
        "/v1/files/..%2f..%2fetc",
        "/f/01KAN3V9Q5W2M8Z7T4R6Y1XHBEX",
    ] {
        let answer = service.ask(Method::GET, path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.json()["error"]["code"], "not_found", "{path}");
    }
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused() {
    let service = Service::start().await;
    let id = "01KAN3V9Q5W2M8Z7T4R6Y1XHBE";
    for query in ["wait=31", "wait=-1", "wait=soon", "await=3"] {
        let answer = service
            .ask(Method::GET, &format!("/v1/uploads/{id}?{query}"))
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn a_page_of_this_machine_may_call_and_reads_errors_too() {
    let service = Service::start().await;
    let preflight = Request::options("/v1/uploads")
        .header("origin", "http://localhost:5173")
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type",
        );
    let answer = service.send(preflight.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "http://localhost:5173"
    );
    assert_eq!(answer.header("access-control-max-age"), "600");
    let refused = Request::get("/v1/nothing").header("origin", "http://localhost:5173");
    let answer = service.send(refused.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "http://localhost:5173"
    );
}

#[tokio::test]
async fn a_page_from_elsewhere_may_not_call() {
    let service = Service::start().await;
    let request = Request::get("/v1/profiles").header("origin", "https://example.com");
    let answer = service.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn every_answer_is_kept_by_nobody_and_sniffed_by_nobody() {
    let service = Service::start().await;
    for path in ["/v1/profiles", "/v1/nothing", "/v1/files", "/healthz"] {
        let answer = service.ask(Method::GET, path).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn profiles_are_open_to_all() {
    let service = Service::start().await;
    let request = Request::get("/v1/profiles/image")
        .body(Body::empty())
        .unwrap();
    let profile = service.send(request).await.json();
    assert_eq!(profile["promote"], "on_complete");
    assert_eq!(profile["max_size"], 25 << 20);
    let unknown = Request::get("/v1/profiles/none")
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        service.send(unknown).await.refusal(),
        "404 not_found: there is no profile `none`"
    );
}

#[tokio::test]
async fn the_document_and_its_browser_come_from_the_binary() {
    let service = Service::start().await;
    let document = service.ask(Method::GET, "/openapi.json").await;
    assert_eq!(document.json()["openapi"], "3.1.0");
    let page = service.ask(Method::GET, "/docs/").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (StatusCode::OK, "text/html")
    );
    let text = String::from_utf8(page.body).unwrap();
    assert!(
        !text.contains("http://") && !text.contains("https://"),
        "the page loads nothing from elsewhere"
    );
    let script = service.ask(Method::GET, "/docs/swagger-ui-bundle.js").await;
    assert!(script.body.len() > 100_000);
}

#[tokio::test]
async fn a_path_that_is_no_text_names_nothing() {
    let service = Service::start().await;
    let answer = service.ask(Method::GET, "/v1/profiles/%FF").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.refusal().starts_with("404 not_found"));
}
