//! Revocation by another process on the same records: this one, which knew better a moment ago, grants nothing more.

use loadlock::{
    auth::Caller,
    error::Kind,
    records::{Act, Entry, Outcome, Records, Subject},
    upload::{Method, Read},
};
use serde_json::{Value, json};

use crate::world::{API_KEY, Answer, PNG, USER_TOKEN, World, kind, raw};

const BEGIN: &str = "POST /v1/uploads";

fn photo() -> Value {
    json!({"profile": "image", "filename": "a.png", "content_type": "image/png", "size": PNG.len()})
}

fn photo_for(owner: &str) -> Value {
    let mut body = photo();
    body["owner"] = owner.into();
    body
}

/// Another process.
struct Other(Records);

impl Other {
    /// Whose fellow has looked just now, and knows of no revocation.
    async fn beside(world: &World) -> Self {
        let begun = world.ask(API_KEY, BEGIN, photo_for("you")).await;
        assert_eq!(begun.status, 201, "{begun:?}");
        Self(Records::open(&world.app.config.records).await.unwrap())
    }

    async fn revoke(&self, world: &World, kind: &str, name: &str) {
        let subject = Subject::new(kind, name).unwrap();
        let entry = Entry::by_operator(Act::Revoke, world.app.clock.now());
        let done = self.0.revoke(&subject, None, entry).await.unwrap();
        assert_eq!(done, Outcome::Done);
    }

    async fn restore(&self, world: &World, kind: &str, name: &str) {
        let subject = Subject::new(kind, name).unwrap();
        let entry = Entry::by_operator(Act::Restore, world.app.clock.now());
        let done = self.0.restore(&subject, entry).await.unwrap();
        assert_eq!(done, Outcome::Done);
    }
}

async fn world() -> World {
    let mut world = World::new().await;
    world.profile("image", |image| {
        image.methods.push(Method::Credentials);
        image.read = Read::Signed;
    });
    world
}

async fn sent(world: &World) -> String {
    let begun = world.ask(USER_TOKEN, BEGIN, photo()).await;
    assert_eq!(world.put_grant(&begun.json["grant"], PNG).await, 200);
    begun.text("/id")
}

async fn tell(world: &World, id: &str) -> Answer {
    let complete = format!("POST /v1/uploads/{id}/complete");
    world.ask(USER_TOKEN, &complete, Value::Null).await
}

#[tokio::test]
async fn the_very_next_begin_is_refused_and_the_one_after_a_restore_is_not() {
    let world = world().await;
    let other = Other::beside(&world).await;
    for (kind, name, user, server) in [
        ("owner", "me", "403 revoked", "403 revoked"),
        ("profile", "image", "403 revoked", "403 revoked"),
        ("api_key", "shop", "", "401 unauthenticated"),
    ] {
        for (token, body, expected) in [
            (USER_TOKEN, photo(), user),
            (API_KEY, photo_for("me"), server),
        ] {
            if expected.is_empty() {
                continue;
            }
            other.revoke(&world, kind, name).await;
            let refused = world.ask(token, BEGIN, body.clone()).await;
            assert_eq!(refused.refusal(), expected, "{kind}");
            other.restore(&world, kind, name).await;
            let begun = world.ask(token, BEGIN, body).await;
            assert_eq!(begun.status, 201, "{kind}");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn every_way_to_a_grant_is_closed_at_once() {
    let world = world().await;
    let mut parts = photo();
    parts["method"] = "multipart".into();
    let begun = world.ask(USER_TOKEN, BEGIN, parts.clone()).await;
    let stored = sent(&world).await;
    assert_eq!(tell(&world, &stored).await.text("/state"), "stored");
    let file = json!({"ref": "a", "filename": "a.png", "content_type": "image/png", "size": 3});
    let asks = [
        (BEGIN.to_owned(), photo()),
        (BEGIN.to_owned(), parts),
        (
            "POST /upload_url".to_owned(),
            json!({"path": "a.png", "content_type": "image/png"}),
        ),
        (
            "POST /v1/credentials".to_owned(),
            json!({"profile": "image"}),
        ),
        (
            format!("POST /v1/uploads/{}/parts", begun.text("/id")),
            json!({"parts": [1]}),
        ),
        (
            format!("POST /v1/uploads/{}/complete", begun.text("/id")),
            Value::Null,
        ),
        ("POST /v1/files/links".to_owned(), json!({"ids": [stored]})),
    ];
    let other = Other::beside(&world).await;
    for (request, body) in asks {
        other.revoke(&world, "owner", "me").await;
        let refused = world.ask(USER_TOKEN, &request, body.clone()).await;
        assert_eq!(refused.refusal(), "403 revoked", "{request}");
        other.restore(&world, "owner", "me").await;
    }
    let many = json!({"profile": "image", "owner": "me", "files": [file]});
    other.revoke(&world, "owner", "me").await;
    let refused = world.ask(API_KEY, BEGIN, many).await;
    assert_eq!(refused.text("/uploads/0/error/code"), "revoked");
    world.end().await;
}

#[tokio::test]
async fn a_begin_that_is_refused_at_the_last_moment_leaves_nothing_but_its_entry() {
    let world = world().await;
    let other = Other::beside(&world).await;
    other.revoke(&world, "owner", "me").await;
    let rows = world.rows("uploads").await;
    let headers = [("idempotency-key", "once")];
    let mut body = photo();
    body["method"] = "multipart".into();
    let begin = async || {
        world
            .ask_with(USER_TOKEN, BEGIN, body.clone(), &headers)
            .await
    };
    assert_eq!(begin().await.refusal(), "403 revoked");
    assert_eq!(world.rows("uploads").await, rows);
    assert_eq!(world.rows("replies").await, 0);
    assert!(world.lies_in("staging").await.is_empty());
    let log = "GET /v1/audit?act=begin&outcome=revoked";
    let log = world.ask(API_KEY, log, Value::Null).await;
    assert_eq!(log.text("/entries/0/actor"), "user me");
    other.restore(&world, "owner", "me").await;
    assert_eq!(begin().await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn a_revoked_api_key_gives_nothing_back_not_even_from_within() {
    let world = world().await;
    let other = Other::beside(&world).await;
    other.revoke(&world, "api_key", "shop").await;
    let restore = "DELETE /v1/revocations/api_key/shop";
    let refused = world.ask(API_KEY, restore, Value::Null).await;
    assert_eq!(refused.refusal(), "401 unauthenticated");
    // As a request does that was let in a moment before.
    let records = &world.app.records;
    let shop = Subject::new("api_key", "shop").unwrap();
    let by = |act| Entry::new(act, Some(&Caller::server("shop")), world.app.clock.now());
    let restored = records.restore(&shop, by(Act::Restore)).await;
    assert_eq!(kind(restored), Kind::Unauthenticated);
    let me = Subject::new("owner", "me").unwrap();
    let revoked = records.revoke(&me, None, by(Act::Revoke)).await;
    assert_eq!(kind(revoked), Kind::Unauthenticated);
    assert_eq!(world.rows("revocations").await, 1);
    world.end().await;
}

#[tokio::test]
async fn an_application_around_the_service_learns_of_it_as_well() {
    let world = world().await;
    let other = Other::beside(&world).await;
    other.revoke(&world, "api_key", "demo").await;
    let mut begin = raw(PNG);
    begin.owner = Some("me".to_owned());
    let begun = loadlock::flow::begin(&world.app, &Caller::server("demo"), begin, None).await;
    assert_eq!(kind(begun), Kind::Unauthenticated);
    let log = "GET /v1/audit?outcome=unauthenticated";
    let log = world.ask(API_KEY, log, Value::Null).await;
    assert_eq!(log.text("/entries/0/actor"), "key demo");
    world.end().await;
}
