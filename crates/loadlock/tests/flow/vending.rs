//! Who is given temporary credentials: whoever may begin under the profile, and nobody whose permissions were taken back.

use std::time::Duration;

use loadlock::{
    auth::{Caller, Scope, Who},
    bucket::{Vending, Way},
};
use serde_json::{Value, json};

use crate::{
    credentials::VEND,
    gate::user,
    world::{API_KEY, PNG, USER_TOKEN, World},
};

fn wish() -> Value {
    json!({"profile": "image"})
}

pub(crate) fn web_identity() -> Way {
    let role_arn = "arn:aws:iam::000000000000:role/uploads".to_owned();
    Way::WebIdentity { role_arn }
}

fn wish_for_me() -> Value {
    json!({"profile": "image", "owner": "me"})
}

impl World {
    /// Temporary credentials come from a token service that does not answer.
    pub(crate) async fn vend_by(&mut self, way: Way) {
        let vending = Vending {
            way,
            endpoint: Some("http://127.0.0.1:9".to_owned()),
            lifetime: Duration::from_hours(1),
            per_owner: 32,
        };
        self.restart(|config| config.credentials = Some(vending))
            .await;
    }
}

async fn revoke(world: &World, kind: &str, subject: &str) {
    let body = json!({"kind": kind, "subject": subject});
    let answer = world.ask(API_KEY, "POST /v1/revocations", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn a_user_without_the_claims_demanded_gets_none() {
    let mut world = World::vending().await;
    world.profile("image", |image| {
        let roles = ("roles".to_owned(), vec!["editor".to_owned()]);
        image.admits.claims = [roles].into();
    });
    let reader = user(&json!({"roles": ["reader"]}));
    let refused = world.ask_as(&reader, VEND, wish()).await;
    assert_eq!(refused.refusal(), "403 forbidden");
    let editor = user(&json!({"roles": ["reader", "editor"]}));
    assert_eq!(world.ask_as(&editor, VEND, wish()).await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn a_stranger_gets_none_even_where_strangers_may_begin() {
    let mut world = World::vending().await;
    world.profile("image", |image| image.admits.anonymous = true);
    let refused = world.ask("", VEND, wish()).await;
    assert_eq!(refused.refusal(), "401 unauthenticated");
    world.end().await;
}

#[tokio::test]
async fn an_api_key_gets_none_outside_its_scope() {
    let world = World::vending().await;
    let of = |profile: &str| -> Caller {
        let name = "blog".to_owned();
        let scope = Scope::Profiles([profile.to_owned()].into());
        Who::Server { name, scope }.into()
    };
    let refused = world.ask_as(&of("post"), VEND, wish_for_me()).await;
    assert_eq!(refused.refusal(), "403 forbidden");
    let given = world.ask_as(&of("image"), VEND, wish_for_me()).await;
    assert_eq!(given.status, 201);
    world.end().await;
}

#[tokio::test]
async fn whose_permissions_were_taken_back_gets_none() {
    for (kind, subject) in [("owner", "me"), ("profile", "image")] {
        let world = World::vending().await;
        assert_eq!(world.ask(USER_TOKEN, VEND, wish()).await.status, 201);
        revoke(&world, kind, subject).await;
        for (token, wish) in [(USER_TOKEN, wish()), (API_KEY, wish_for_me())] {
            let refused = world.ask(token, VEND, wish).await;
            assert_eq!(refused.refusal(), "403 revoked", "{kind}");
        }
        world.end().await;
    }
    let world = World::vending().await;
    revoke(&world, "api_key", "shop").await;
    let refused = world.ask(API_KEY, VEND, wish_for_me()).await;
    assert_eq!(refused.refusal(), "401 unauthenticated");
    world.end().await;
}

#[tokio::test]
async fn the_log_says_who_was_given_keys_and_who_was_not() {
    let world = World::vending().await;
    assert_eq!(world.ask(USER_TOKEN, VEND, wish()).await.status, 201);
    let raw = json!({"profile": "raw"});
    assert_eq!(world.ask(USER_TOKEN, VEND, raw).await.status, 422);
    let page = "GET /v1/audit?act=credentials";
    let page = world.ask(API_KEY, page, Value::Null).await;
    let entries = page.json["entries"].as_array().unwrap().iter();
    let told: Vec<_> = entries
        .map(|entry| json!([entry["actor"], entry["profile"], entry["outcome"]]))
        .collect();
    let expected = [
        json!(["user me", "raw", "method_not_offered"]),
        json!(["user me", "image", "ok"]),
    ];
    assert_eq!(told, expected);
    world.end().await;
}

#[tokio::test]
async fn keys_by_a_providers_token_are_for_those_who_have_one() {
    let mut world = World::vending().await;
    // Nobody listens there: who has no such token is refused before anybody is asked.
    let ways = [
        web_identity(),
        Way::Cognito {
            pool: "eu-central-1:128d0a74-c82f-4553-916d-90053e4a8b0f".to_owned(),
            login: "login.example.com".to_owned(),
        },
    ];
    for way in ways {
        world.vend_by(way).await;
        for (token, wish) in [(USER_TOKEN, wish()), (API_KEY, wish_for_me())] {
            let refused = world.ask(token, VEND, wish).await;
            assert_eq!(refused.refusal(), "403 forbidden", "{refused:?}");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn what_was_sent_is_found_though_keys_are_no_longer_handed_out() {
    let mut world = World::vending().await;
    let keys = world.keys().await;
    world.put_with(&keys, "a.png", PNG).await;
    world.restart(|config| config.credentials = None).await;
    world.clock.advance(Duration::from_mins(2));
    world.work().await;
    assert_eq!(world.rows("uploads").await, 1);
    world.end().await;
}
