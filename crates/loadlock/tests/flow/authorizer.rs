//! The application's own say in what may begin: a real HTTP server is asked, and lets through, refuses or narrows.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header::LOCATION},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use loadlock::{
    auth::{Caller, Claims, Who},
    config::Authorizer,
    hook::Hook,
    upload::{MetadataRule, OtherMetadata},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use crate::world::{API_KEY, Answer, PNG, USER_TOKEN, World};

const BEGIN: &str = "POST /v1/uploads";
const KEY: &[u8; 32] = b"32 bytes that both of them know.";
const TIMEOUT: Duration = Duration::from_millis(300);

#[derive(Clone)]
enum Reply {
    Says(Value),
    Raw(StatusCode, String),
    Leads(String),
    Silence,
}

struct Call {
    headers: HeaderMap,
    body: Bytes,
}

/// The application that is asked.
#[derive(Clone)]
struct Application {
    reply: Arc<Mutex<Reply>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

async fn answer(State(application): State<Application>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let headers = head.headers;
    application
        .calls
        .lock()
        .unwrap()
        .push(Call { headers, body });
    let reply = application.reply.lock().unwrap().clone();
    match reply {
        Reply::Says(json) => axum::Json(json).into_response(),
        Reply::Raw(status, text) => (status, text).into_response(),
        Reply::Leads(to) => (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, to)]).into_response(),
        Reply::Silence => pending().await,
    }
}

impl Application {
    fn says(&self, json: Value) {
        self.replies(Reply::Says(json));
    }

    fn replies(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    fn asked(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    /// What it was asked last.
    fn question(&self) -> Value {
        let calls = self.calls.lock().unwrap();
        serde_json::from_slice(&calls.last().unwrap().body).unwrap()
    }
}

/// A service with an application that is asked about these profiles; about all, if none is named.
async fn asking(profiles: &[&str]) -> (World, Application) {
    let application = Application {
        reply: Arc::new(Mutex::new(Reply::Says(json!({"allow": true})))),
        calls: Arc::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/may", listener.local_addr().unwrap());
    let router = Router::new()
        .fallback(answer)
        .with_state(application.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let mut world = World::new().await;
    let secret = format!("whsec_{}", BASE64_STANDARD.encode(KEY));
    let authorizer = Authorizer {
        hook: Hook {
            url,
            secret: secret.parse().unwrap(),
            timeout: TIMEOUT,
        },
        profiles: profiles.iter().map(|&name| name.to_owned()).collect(),
    };
    world
        .restart(|config| config.authorizer = Some(authorizer))
        .await;
    (world, application)
}

fn photo() -> Value {
    json!({"profile": "image", "filename": "a.png", "content_type": "image/png", "size": PNG.len(),
        "metadata": {"title": "mine", "tenant": "another's"}})
}

async fn begin(world: &World) -> Answer {
    world.ask(USER_TOKEN, BEGIN, photo()).await
}

async fn stored(world: &World, begun: &Answer) -> Answer {
    assert_eq!(begun.status, 201, "{begun:?}");
    assert_eq!(world.put_grant(&begun.json["grant"], PNG).await, 200);
    let request = format!("POST /v1/uploads/{}/complete", begun.text("/id"));
    let done = world.ask(USER_TOKEN, &request, Value::Null).await;
    assert_eq!(done.text("/state"), "stored");
    done
}

#[tokio::test]
async fn the_application_is_told_who_asks_for_what() {
    let (world, application) = asking(&[]).await;
    let claims = json!({"roles": ["editor"]});
    let claims = Claims::new(claims.as_object().unwrap().clone());
    let owner = "me".parse().unwrap();
    let caller: Caller = Who::User { owner, claims }.into();
    let caller = caller.at("192.0.2.7".parse().ok());
    let begun = world.ask_as(&caller, BEGIN, photo()).await;
    assert_eq!(
        application.question(),
        json!({
            "type": "begin",
            "caller": {"owner": "me", "claims": {"roles": ["editor"]}, "address": "192.0.2.7"},
            "profile": "image",
            "file": {"id": begun.text("/id"), "filename": "a.png", "content_type": "image/png", "size": PNG.len(),
                "method": "put", "metadata": {"title": "mine", "tenant": "another's"}},
        })
    );
    stored(&world, &begun).await;
    let mut owned = photo();
    owned["owner"] = "me".into();
    world.ask(API_KEY, BEGIN, owned).await;
    assert_eq!(application.question()["caller"]["api_key"], "shop");
    world.end().await;
}

/// HMAC as RFC 2104 defines it, of `id.timestamp.body`, as Standard Webhooks has it.
fn signature(id: &str, timestamp: &str, body: &[u8]) -> String {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(KEY).for_each(|(to, key)| *to ^= key);
        block
    };
    let message = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let inner = Sha256::digest([&pad(0x36)[..], &message].concat());
    let outer = Sha256::digest([&pad(0x5c)[..], &inner].concat());
    format!("v1,{}", BASE64_STANDARD.encode(outer))
}

#[tokio::test]
async fn a_question_is_signed_with_its_time() {
    let (world, application) = asking(&[]).await;
    begin(&world).await;
    begin(&world).await;
    {
        let calls = application.calls.lock().unwrap();
        let header = |call: &Call, name| call.headers[name].to_str().unwrap().to_owned();
        for call in calls.iter() {
            let (id, at) = (
                header(call, "webhook-id"),
                header(call, "webhook-timestamp"),
            );
            let expected = signature(&id, &at, &call.body);
            assert_eq!(header(call, "webhook-signature"), expected);
            assert_eq!(at, world.app.clock.now().as_second().to_string());
        }
        let ids = [0, 1].map(|n| header(&calls[n], "webhook-id"));
        assert_ne!(ids[0], ids[1]);
    }
    world.end().await;
}

#[tokio::test]
async fn a_refusal_reaches_the_person_in_the_application_s_words() {
    let (world, application) = asking(&[]).await;
    application.says(json!({"allow": false, "message": "your trial is over: choose a plan"}));
    let refused = begin(&world).await;
    assert_eq!(refused.refusal(), "403 refused");
    assert_eq!(
        refused.text("/error/message"),
        "your trial is over: choose a plan"
    );
    for hostile in [json!("a\r\nb"), json!("x".repeat(301)), json!("")] {
        application.says(json!({"allow": false, "message": hostile}));
        let refused = begin(&world).await;
        assert_eq!(
            refused.text("/error/message"),
            "the application does not take this upload"
        );
    }
    assert_eq!(world.rows("uploads").await, 0);
    world.end().await;
}

#[tokio::test]
async fn what_is_no_answer_lets_nothing_begin() {
    let (world, application) = asking(&[]).await;
    let elsewhere = format!(
        "{}/yes",
        world.app.config.authorizer.as_ref().unwrap().hook.url
    );
    let ok = |text: &str| Reply::Raw(StatusCode::OK, text.to_owned());
    let padding = " ".repeat(64 << 10);
    for reply in [
        Reply::Silence,
        Reply::Leads(elsewhere),
        Reply::Raw(
            StatusCode::INTERNAL_SERVER_ERROR,
            r#"{"allow":true}"#.to_owned(),
        ),
        Reply::Raw(StatusCode::CREATED, r#"{"allow":true}"#.to_owned()),
        ok(""),
        ok("yes"),
        ok("[]"),
        ok("{}"),
        ok(r#"{"allow":"yes"}"#),
        ok(r#"{"allow":1}"#),
        ok(r#"{"allow":true,"allow":true}"#),
        ok(r#"{"allow":true,"max_sise":5}"#),
        ok(r#"{"allow":true,"max_size":"5"}"#),
        ok(r#"{"allow":true,"max_size":-5}"#),
        ok(r#"{"allow":true,"max_size":0}"#),
        ok(r#"{"allow":true,"max_size":26214401}"#),
        ok(r#"{"allow":true,"key_prefix":"../elsewhere"}"#),
        ok(r#"{"allow":true,"key_prefix":""}"#),
        ok(r#"{"allow":true,"metadata":{"n":1}}"#),
        ok(r#"{"allow":true,"metadata":{"":"x"}}"#),
        ok(&format!(r#"{{"allow":true}}{padding}"#)),
    ] {
        application.replies(reply.clone());
        let refused = begin(&world).await;
        let what = match reply {
            Reply::Raw(status, text) => format!("{status} {}", &text[..text.len().min(60)]),
            _ => String::new(),
        };
        assert_eq!(refused.refusal(), "503 unavailable", "{what}");
        assert_eq!(refused.json["error"]["retryable"], true);
    }
    assert_eq!(world.rows("uploads").await, 0);
    application.says(json!({"allow": true}));
    assert_eq!(begin(&world).await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn an_application_that_is_not_there_lets_nothing_begin() {
    let (mut world, _application) = asking(&[]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    world
        .restart(|config| config.authorizer.as_mut().unwrap().hook.url = nobody)
        .await;
    let refused = begin(&world).await;
    assert_eq!(refused.refusal(), "503 unavailable");
    assert!(!refused.text("/error/message").contains("127.0.0.1"));
    world.end().await;
}

#[tokio::test]
async fn a_smaller_size_holds_for_what_is_declared() {
    let (world, application) = asking(&[]).await;
    application.says(json!({"allow": true, "max_size": PNG.len() - 1}));
    let refused = begin(&world).await;
    assert_eq!(refused.refusal(), "413 file_too_large");
    assert!(
        refused
            .text("/error/message")
            .contains("you may send at most")
    );
    application.says(json!({"allow": true, "max_size": PNG.len()}));
    stored(&world, &begin(&world).await).await;
    world.end().await;
}

#[tokio::test]
async fn a_smaller_size_holds_for_what_is_not_declared() {
    let (world, application) = asking(&[]).await;
    application.says(json!({"allow": true, "max_size": PNG.len() + 2}));
    let form = json!({"profile": "image", "method": "post"});
    let begun = world.ask(USER_TOKEN, BEGIN, form).await;
    let fields = begun.json["grant"]["fields"].as_object().unwrap();
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let url = begun.text("/grant/url");
    let mut large = PNG.to_vec();
    large.extend(b"...");
    assert_eq!(world.post(&url, &fields, &large).await.status(), 400);
    assert!(world.post(&url, &fields, PNG).await.status().is_success());

    let put = json!({"path": "a.png", "content_type": "image/png"});
    let begun = world.ask(USER_TOKEN, "POST /upload_url", put).await;
    let headers = [("content-type".to_owned(), "image/png".to_owned())];
    let sent = world.put(&begun.text("/put_url"), &headers, large).await;
    assert_eq!(sent.status(), 200);
    let complete = format!("POST /v1/uploads/{}/complete", begun.text("/id"));
    let refused = world.ask(USER_TOKEN, &complete, Value::Null).await;
    assert_eq!(refused.refusal(), "422 rejected");
    assert_eq!(refused.text("/error/details/reason"), "size_not_allowed");
    world.end().await;
}

#[tokio::test]
async fn a_prefix_stands_before_the_final_key() {
    let (world, application) = asking(&[]).await;
    application.says(json!({"allow": true, "key_prefix": "tenants/42/"}));
    let begun = begin(&world).await;
    stored(&world, &begun).await;
    let keys = world.lies_in("final").await;
    assert!(keys[0].starts_with("tenants/42/image/"), "{keys:?}");
    assert!(keys[0].contains(&begun.text("/id")), "{keys:?}");
    world.end().await;
}

/// The profile takes a title, a tenant and a plan, and nothing else.
fn with_rules(world: &mut World) {
    let rule = |required: bool, values: &[&str], pattern: Option<&str>| MetadataRule {
        required,
        max_length_bytes: 20,
        values: values.iter().map(|&value| value.to_owned()).collect(),
        pattern: pattern.map(|text| text.parse().unwrap()),
    };
    let rules = [
        ("title", rule(true, &[], None)),
        ("tenant", rule(false, &[], Some("t[0-9]+|another's"))),
        ("plan", rule(false, &["free", "paid"], None)),
    ];
    world.profile("image", |image| {
        image.other_metadata = OtherMetadata::Refuse;
        image.metadata = rules.map(|(name, rule)| (name.to_owned(), rule)).into();
    });
}

#[tokio::test]
async fn the_application_s_metadata_goes_before_the_client_s_and_no_claim_changes_it() {
    let (mut world, application) = asking(&[]).await;
    with_rules(&mut world);
    application.says(json!({"allow": true, "metadata": {"tenant": "t42"}}));
    let done = stored(&world, &begin(&world).await).await;
    let expected = json!({"title": "mine", "tenant": "t42"});
    assert_eq!(done.json["file"]["metadata"], expected);
    let claim = async |form: Value| {
        let claim = json!({"ids": [done.text("/id")], "owner": "me", "metadata": form});
        world.ask(API_KEY, "POST /v1/uploads/claim", claim).await
    };
    for changed in ["t43", ""] {
        let refused = claim(json!({"title": "two", "tenant": changed})).await;
        assert_eq!(refused.refusal(), "422 metadata_refused");
    }
    let claimed = claim(json!({"title": "two", "tenant": "t42", "plan": "free"})).await;
    let expected = json!({"title": "two", "tenant": "t42", "plan": "free"});
    assert_eq!(claimed.json["files"][0]["metadata"], expected);
    world.end().await;
}

#[tokio::test]
async fn a_claim_changes_no_word_of_the_application_s_before_it_is_stored_either() {
    let (world, application) = asking(&[]).await;
    application.says(json!({"allow": true, "metadata": {"tenant": "t42"}}));
    let mut post = photo();
    post["profile"] = "post".into();
    let begun = world.ask(USER_TOKEN, BEGIN, post).await;
    assert_eq!(world.put_grant(&begun.json["grant"], PNG).await, 200);
    let claim = async |form: Value| {
        let claim = json!({"ids": [begun.text("/id")], "owner": "me", "metadata": form});
        world.ask(API_KEY, "POST /v1/uploads/claim", claim).await
    };
    let refused = claim(json!({"tenant": "t43"})).await;
    assert_eq!(refused.refusal(), "422 metadata_refused");
    let claimed = claim(json!({"album": "trip"})).await;
    let expected = json!({"title": "mine", "tenant": "t42", "album": "trip"});
    assert_eq!(claimed.json["files"][0]["metadata"], expected);
    world.end().await;
}

#[tokio::test]
async fn the_application_s_metadata_is_by_the_profile_s_rules() {
    let (mut world, application) = asking(&[]).await;
    with_rules(&mut world);
    for wrong in [
        json!({"colour": "red"}),
        json!({"plan": "gold"}),
        json!({"tenant": "42"}),
        json!({"title": "more than twenty bytes"}),
        json!({"title": ""}),
    ] {
        application.says(json!({"allow": true, "metadata": wrong}));
        assert_eq!(begin(&world).await.refusal(), "503 unavailable", "{wrong}");
    }
    assert_eq!(world.rows("uploads").await, 0);
    application.says(json!({"allow": true, "metadata": {"plan": "paid", "tenant": ""}}));
    let done = stored(&world, &begin(&world).await).await;
    assert_eq!(done.json["file"]["metadata"]["plan"], "paid");
    world.end().await;
}

#[tokio::test]
async fn a_repetition_is_not_asked_about_again() {
    let (world, application) = asking(&[]).await;
    let with = async || {
        let key = [("idempotency-key", "k1")];
        world.ask_with(USER_TOKEN, BEGIN, photo(), &key).await
    };
    let first = with().await;
    application.says(json!({"allow": false}));
    let again = with().await;
    assert_eq!(again.text("/id"), first.text("/id"));
    assert_eq!(application.asked(), 1);
    world.end().await;
}

#[tokio::test]
async fn several_files_are_one_question_and_each_is_answered() {
    let (world, application) = asking(&[]).await;
    application.says(json!({"allow": true, "max_size": 100}));
    let file = |name: &str, size: usize| json!({"ref": name, "filename": name, "content_type": "image/png", "size": size});
    let many = json!({"profile": "image", "files": [file("a.png", 50), file("b.exe", 0), file("c.png", 101)]});
    let begun = world.ask(USER_TOKEN, BEGIN, many).await;
    assert_eq!(application.asked(), 1);
    let asked = application.question();
    let names: Vec<&Value> = asked["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| &file["filename"])
        .collect();
    assert_eq!(names, ["a.png", "c.png"]);
    begun.text("/uploads/0/grant/url");
    assert_eq!(begun.text("/uploads/1/error/code"), "file_too_small");
    assert_eq!(begun.text("/uploads/2/error/code"), "file_too_large");
    world.end().await;
}

#[tokio::test]
async fn only_what_the_rules_let_through_is_asked_about_and_only_where_it_is_to_be() {
    let (world, application) = asking(&["post"]).await;
    application.says(json!({"allow": false}));
    assert_eq!(begin(&world).await.status, 201);
    let mut other = photo();
    other["profile"] = "post".into();
    assert_eq!(
        world.ask(USER_TOKEN, BEGIN, other.clone()).await.refusal(),
        "403 refused"
    );
    other["size"] = 0.into();
    let refused = world.ask(USER_TOKEN, BEGIN, other).await;
    assert_eq!(refused.refusal(), "422 file_too_small");
    assert_eq!(application.asked(), 1);
    world.end().await;
}
