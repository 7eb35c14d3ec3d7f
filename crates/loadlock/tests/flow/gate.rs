//! Whom a profile lets begin: users by what their token says, API keys within their scope, strangers where it says so.

use loadlock::auth::{Caller, Claims, Scope, Who};
use serde_json::{Value, json};

use crate::world::{API_KEY, Answer, OTHER_TOKEN, PNG, USER_TOKEN, World};

const BEGIN: &str = "POST /v1/uploads";

fn photo() -> Value {
    json!({"profile": "image", "filename": "a.png", "content_type": "image/png", "size": PNG.len()})
}

fn photos() -> Value {
    let mut file = photo();
    file.as_object_mut().unwrap().remove("profile");
    file["ref"] = "one".into();
    json!({"profile": "image", "files": [file]})
}

pub(crate) fn user(claims: &Value) -> Caller {
    let claims = Claims::new(claims.as_object().unwrap().clone());
    let owner = "me".parse().unwrap();
    Who::User { owner, claims }.into()
}

async fn opened() -> World {
    let mut world = World::new().await;
    world.profile("image", |image| image.admits.anonymous = true);
    world
}

async fn complete(world: &World, token: &str, begun: &Answer) -> Answer {
    let request = format!("POST /v1/uploads/{}/complete", begun.text("/id"));
    world.ask(token, &request, Value::Null).await
}

#[tokio::test]
async fn strangers_begin_nothing_unless_a_profile_says_so() {
    let world = World::new().await;
    for body in [photo(), photos()] {
        let refused = world.ask("", BEGIN, body).await;
        assert_eq!(refused.refusal(), "401 unauthenticated");
    }
    let put = json!({"path": "a.png", "content_type": "image/png"});
    let refused = world.ask("", "POST /upload_url", put).await;
    assert_eq!(refused.refusal(), "401 unauthenticated");
    world.end().await;
}

#[tokio::test]
async fn a_profile_for_strangers_opens_no_other() {
    let world = opened().await;
    let mut other = photo();
    other["profile"] = "post".into();
    let refused = world.ask("", BEGIN, other).await;
    assert_eq!(refused.refusal(), "401 unauthenticated");
    assert!(refused.text("/error/message").contains("`post`"));
    let mut named = photo();
    named["owner"] = "me".into();
    let refused = world.ask("", BEGIN, named).await;
    assert_eq!(refused.refusal(), "403 forbidden");
    let wrong = world.ask("llu_nobody", BEGIN, photo()).await;
    assert_eq!(wrong.refusal(), "401 unauthenticated");
    world.end().await;
}

#[tokio::test]
async fn clients_are_told_where_they_need_no_sign_in() {
    let world = opened().await;
    let open = async |name: &str| {
        let request = format!("GET /v1/profiles/{name}");
        let answer = world.ask("", &request, Value::Null).await;
        answer.json["anonymous"] == true
    };
    assert!(open("image").await);
    assert!(!open("post").await);
    world.end().await;
}

#[tokio::test]
async fn a_stranger_s_upload_is_for_the_holder_of_its_token_alone() {
    let world = opened().await;
    let begun = world.ask("", BEGIN, photo()).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    assert_eq!(world.put_grant(&begun.json["grant"], PNG).await, 200);
    let look = format!("GET /v1/uploads/{}", begun.text("/id"));
    for (token, expected) in [("", "401 unauthenticated"), (USER_TOKEN, "404 not_found")] {
        let refused = world.ask(token, &look, Value::Null).await;
        assert_eq!(refused.refusal(), expected);
        let refused = complete(&world, token, &begun).await;
        assert_eq!(refused.refusal(), expected);
    }
    let done = complete(&world, &begun.text("/token"), &begun).await;
    assert_eq!(done.text("/state"), "stored");
    assert_eq!(done.text("/owner"), "anonymous");
    let other = world.ask("", BEGIN, photo()).await;
    let refused = complete(&world, &other.text("/token"), &begun).await;
    assert_eq!(refused.refusal(), "404 not_found");
    world.end().await;
}

#[tokio::test]
async fn many_and_the_classic_contract_are_open_alike() {
    let world = opened().await;
    let many = world.ask("", BEGIN, photos()).await;
    assert_eq!(many.text("/uploads/0/ref"), "one");
    many.text("/uploads/0/grant/url");
    let put = json!({"path": "a.png", "content_type": "image/png"});
    assert_eq!(world.ask("", "POST /upload_url", put).await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn no_user_is_called_as_strangers_are() {
    let world = opened().await;
    let caller = Caller::user("anonymous".parse().unwrap());
    for request in [BEGIN, "POST /v1/files/urls"] {
        let refused = world.ask_as(&caller, request, photo()).await;
        assert_eq!(refused.refusal(), "401 unauthenticated", "{request}");
    }
    let mut named = photo();
    named["owner"] = "anonymous".into();
    let refused = world.ask(API_KEY, BEGIN, named).await;
    assert_eq!(refused.refusal(), "400 invalid_request");
    world.end().await;
}

#[tokio::test]
async fn a_stranger_s_repetition_needs_a_key_that_nobody_guesses() {
    let world = opened().await;
    let with = async |key: &str| {
        let key = [("idempotency-key", key)];
        world.ask_with("", BEGIN, photo(), &key).await
    };
    assert_eq!(with("1").await.refusal(), "400 invalid_request");
    let key = "4f9d8c3be0f14d5c9a7b6e2d1c0f8a9b";
    let first = with(key).await;
    assert_eq!(with(key).await.text("/id"), first.text("/id"));
    world.end().await;
}

#[tokio::test]
async fn users_are_let_in_by_what_their_token_says() {
    let mut world = World::new().await;
    world.profile("image", |image| {
        let values = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect();
        let claims = [
            ("roles".to_owned(), values(&["editor", "admin"])),
            ("plan.name".to_owned(), values(&["paid"])),
        ];
        image.admits.claims = claims.into();
    });
    let check = async |claims: Value, expected: u16| {
        let answer = world.ask_as(&user(&claims), BEGIN, photo()).await;
        assert_eq!(answer.status, expected, "{claims} {answer:?}");
    };
    check(
        json!({"roles": ["reader", "editor"], "plan": {"name": "paid"}}),
        201,
    )
    .await;
    check(json!({"roles": "admin", "plan": {"name": "paid"}}), 201).await;
    check(json!({"roles": ["editor"]}), 403).await;
    check(
        json!({"roles": "editor admin", "plan": {"name": "paid"}}),
        403,
    )
    .await;
    check(json!({"roles": {"editor": true}, "plan.name": "paid"}), 403).await;
    check(json!({}), 403).await;
    let refused = world.ask(OTHER_TOKEN, BEGIN, photo()).await;
    assert_eq!(refused.refusal(), "403 forbidden");
    assert!(!refused.text("/error/message").contains("editor"));
    let mut owned = photo();
    owned["owner"] = "me".into();
    assert_eq!(world.ask(API_KEY, BEGIN, owned).await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn an_api_key_begins_within_its_scope() {
    let world = World::new().await;
    let scope = Scope::Profiles(["post".to_owned()].into());
    let name = "blog".to_owned();
    let caller: Caller = Who::Server { name, scope }.into();
    let mut begin = photo();
    begin["owner"] = "me".into();
    let refused = world.ask_as(&caller, BEGIN, begin.clone()).await;
    assert_eq!(refused.refusal(), "403 forbidden");
    begin["profile"] = "post".into();
    assert_eq!(world.ask_as(&caller, BEGIN, begin).await.status, 201);
    world.end().await;
}
