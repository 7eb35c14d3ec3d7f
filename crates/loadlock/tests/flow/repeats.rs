//! Begins repeated under one key: the same uploads, and nothing twice.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::proxy::When;
use crate::world::{API_KEY, Answer, OTHER_TOKEN, PNG, USER_TOKEN, World};

fn photo() -> Value {
    json!({"profile": "post", "filename": "a.png", "content_type": "image/png", "size": PNG.len()})
}

fn in_parts() -> Value {
    let mut begin = photo();
    begin["method"] = "multipart".into();
    begin
}

async fn begin_as(world: &World, token: &str, key: &str, body: Value) -> Answer {
    let key = [("idempotency-key", key)];
    world.ask_with(token, "POST /v1/uploads", body, &key).await
}

async fn begin(world: &World, key: &str, body: Value) -> Answer {
    begin_as(world, USER_TOKEN, key, body).await
}

async fn complete(world: &World, begun: &Answer) -> Answer {
    let request = format!("POST /v1/uploads/{}/complete", begun.text("/id"));
    world
        .ask(&begun.text("/token"), &request, Value::Null)
        .await
}

#[tokio::test]
async fn a_repeated_begin_is_the_same_upload() {
    let world = World::new().await;
    let first = begin(&world, "k1", photo()).await;
    assert_eq!(first.status, 201, "{first:?}");
    world.clock.advance(Duration::from_mins(10));
    let again = begin(&world, "k1", photo()).await;
    assert_eq!(again.status, 201);
    for same in ["/id", "/token", "/expires_at", "/grant/expires_at"] {
        assert_eq!(again.text(same), first.text(same), "{same}");
    }
    assert_ne!(again.text("/grant/url"), first.text("/grant/url"));
    assert_eq!(world.rows("uploads").await, 1);
    assert_eq!(world.put_grant(&again.json["grant"], PNG).await, 200);
    assert_eq!(world.put_grant(&first.json["grant"], PNG).await, 412);
    assert_eq!(complete(&world, &again).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn a_fresh_grant_ends_when_the_first_one_would_have() {
    let world = World::new().await;
    begin(&world, "k1", photo()).await;
    world.clock.advance(Duration::from_mins(14));
    let again = begin(&world, "k1", photo()).await;
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(world.put_grant(&again.json["grant"], PNG).await, 403);
    world.end().await;
}

#[tokio::test]
async fn a_key_is_its_callers_own() {
    let world = World::new().await;
    let mut named = photo();
    named["owner"] = "me".into();
    let ids = [
        begin_as(&world, USER_TOKEN, "k1", photo())
            .await
            .text("/id"),
        begin_as(&world, OTHER_TOKEN, "k1", photo())
            .await
            .text("/id"),
        begin_as(&world, API_KEY, "k1", named).await.text("/id"),
        begin_as(&world, USER_TOKEN, "k2", photo())
            .await
            .text("/id"),
    ];
    let mut distinct = ids.to_vec();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len());
    world.end().await;
}

#[tokio::test]
async fn a_key_with_another_body_is_refused() {
    let world = World::new().await;
    begin(&world, "k1", photo()).await;
    let mut changed = photo();
    changed["filename"] = "b.png".into();
    let refused = begin(&world, "k1", changed).await;
    assert_eq!(refused.refusal(), "422 idempotency_mismatch");
    assert_eq!(world.rows("uploads").await, 1);
    world.end().await;
}

#[tokio::test]
async fn a_begin_that_was_refused_keeps_no_key() {
    let world = World::new().await;
    let mut wrong = photo();
    wrong["content_type"] = "text/html".into();
    let refused = begin(&world, "k1", wrong).await;
    assert_eq!(refused.refusal(), "422 type_not_allowed");
    assert_eq!(begin(&world, "k1", photo()).await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn a_repeated_begin_of_many_is_answered_file_by_file_as_before() {
    let mut world = World::new().await;
    let file = |name: &str, size: usize| json!({"ref": name, "filename": "a.png", "content_type": "image/png", "size": size});
    let files = [
        file("a", PNG.len()),
        file("b", 6 << 30),
        file("c", PNG.len()),
    ];
    let many = json!({"profile": "post", "files": files});
    let first = begin(&world, "k1", many.clone()).await;
    assert_eq!(first.status, 200, "{first:?}");
    world
        .restart(|config| {
            // By now the profile would take all of them.
            for profile in &mut config.profiles {
                profile.max_size_bytes = 1 << 40;
            }
        })
        .await;
    let again = begin(&world, "k1", many).await;
    for same in [
        "/uploads/0/id",
        "/uploads/0/token",
        "/uploads/2/id",
        "/uploads/2/token",
    ] {
        assert_eq!(again.text(same), first.text(same), "{same}");
    }
    assert_eq!(again.json["uploads"][1], first.json["uploads"][1]);
    assert_eq!(again.text("/uploads/1/error/code"), "file_too_large");
    assert_eq!(world.rows("uploads").await, 2);
    world.end().await;
}

#[tokio::test]
async fn a_key_is_known_after_a_restart() {
    let mut world = World::new().await;
    let first = begin(&world, "k1", in_parts()).await;
    world.restart(|_| {}).await;
    let again = begin(&world, "k1", in_parts()).await;
    assert_eq!(again.text("/id"), first.text("/id"));
    assert_eq!(again.text("/token"), first.text("/token"));
    assert_eq!(
        again.text("/grant/parts/0/url"),
        first.text("/grant/parts/0/url")
    );
    assert_eq!(world.lies_in("staging").await.len(), 1);
    let part = &again.json["grant"]["parts"][0];
    assert_eq!(world.put_grant(part, PNG).await, 200);
    assert_eq!(complete(&world, &again).await.text("/state"), "ready");
    world.end().await;
}

#[tokio::test]
async fn of_eight_at_once_one_begins_and_all_are_answered_alike() {
    let world = World::new().await;
    let all = join_all((0..8).map(|_| begin(&world, "k1", in_parts()))).await;
    for answer in &all {
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.text("/id"), all[0].text("/id"));
        assert_eq!(answer.text("/token"), all[0].text("/token"));
        assert_eq!(
            answer.text("/grant/parts/0/url"),
            all[0].text("/grant/parts/0/url")
        );
    }
    assert_eq!(world.rows("uploads").await, 1);
    assert_eq!(world.rows("replies").await, 1);
    assert_eq!(world.lies_in("staging").await.len(), 1);
    world.end().await;
}

#[tokio::test]
async fn what_died_between_store_and_record_was_never_begun() {
    let world = World::new().await;
    world.faults.plan(0, When::After);
    let died = begin(&world, "k1", in_parts()).await;
    assert!(world.faults.came_to_pass());
    assert_eq!(died.refusal(), "503 unavailable");
    assert_eq!(died.json["error"]["retryable"], true);
    assert_eq!(world.rows("uploads").await, 0);
    assert_eq!(world.rows("replies").await, 0);
    let again = begin(&world, "k1", in_parts()).await;
    assert_eq!(again.status, 201);
    assert_eq!(world.rows("uploads").await, 1);
    world.clear_unfinished().await;
    world.end().await;
}

#[tokio::test]
async fn what_can_no_longer_be_sent_is_told_with_its_state() {
    let world = World::new().await;
    let told = async |key: &str| {
        let refused = begin(&world, key, photo()).await;
        let details = &refused.json["error"]["details"];
        format!(
            "{} {}",
            refused.refusal(),
            details["state"].as_str().unwrap()
        )
    };
    let sent = begin(&world, "sent", photo()).await;
    assert_eq!(world.put_grant(&sent.json["grant"], PNG).await, 200);
    complete(&world, &sent).await;
    assert_eq!(told("sent").await, "409 already_received ready");
    let given_up = begin(&world, "given-up", photo()).await;
    let abort = format!("DELETE /v1/uploads/{}", given_up.text("/id"));
    world.ask(USER_TOKEN, &abort, Value::Null).await;
    assert_eq!(told("given-up").await, "409 upload_ended aborted");
    begin(&world, "late", photo()).await;
    world.clock.advance(Duration::from_mins(15));
    assert_eq!(told("late").await, "409 upload_ended issued");
    let refused = begin(&world, "sent", photo()).await;
    assert_eq!(refused.text("/error/details/id"), sent.text("/id"));
    world.end().await;
}

#[tokio::test]
async fn a_repeated_upload_url_is_the_same_upload() {
    let world = World::new().await;
    let wanted = json!({"path": "avatars/me.png", "content_type": "image/png"});
    let ask = async || {
        let key = [("idempotency-key", "k1")];
        let ask = world.ask_with(USER_TOKEN, "POST /upload_url", wanted.clone(), &key);
        ask.await
    };
    let (first, again) = (ask().await, ask().await);
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(again.text("/get_url"), first.text("/get_url"));
    assert_eq!(world.rows("uploads").await, 1);
    world.end().await;
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let world = World::new().await;
    let first = begin(&world, "k1", photo()).await;
    world
        .clock
        .advance(Duration::from_millis(24 * 60 * 60 * 1000 - 1));
    let late = begin(&world, "k1", photo()).await;
    assert_eq!(late.refusal(), "409 upload_ended");
    world.clock.advance(Duration::from_millis(1));
    let mut changed = photo();
    changed["filename"] = "b.png".into();
    let second = begin(&world, "k1", changed).await;
    assert_eq!(second.status, 201);
    assert_ne!(second.text("/id"), first.text("/id"));
    assert_eq!(world.rows("replies").await, 1);
    world.end().await;
}

#[tokio::test]
async fn a_key_is_visible_ascii_and_not_too_long() {
    let world = World::new().await;
    for key in ["", "two words", "schlüssel", &"k".repeat(256)] {
        let refused = begin(&world, key, photo()).await;
        assert_eq!(refused.refusal(), "400 invalid_request", "{key}");
        assert!(refused.text("/error/message").contains("`idempotency-key`"));
    }
    assert_eq!(begin(&world, &"k".repeat(255), photo()).await.status, 201);
    assert_eq!(world.rows("uploads").await, 1);
    world.end().await;
}
