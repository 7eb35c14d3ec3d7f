//! The classic tutorial's contract, for code that knows nothing of Loadlock.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{API_KEY, Answer, PNG, USER_TOKEN, World};

async fn begin(world: &World, wanted: Value) -> Answer {
    world.ask(USER_TOKEN, "POST /upload_url", wanted).await
}

/// As tutorials do it: the type and the bytes, and nothing else.
async fn put(world: &World, url: &str, bytes: &[u8]) -> u16 {
    let headers = [("content-type".to_owned(), "image/png".to_owned())];
    let answer = world.put(url, &headers, bytes.to_vec()).await;
    answer.status().as_u16()
}

async fn show(world: &World, begun: &Answer) -> Answer {
    let path = begun.text("/get_url").replace("http://api.test", "GET ");
    world.ask("", &path, Value::Null).await
}

#[tokio::test]
async fn a_client_that_knows_nothing_puts_to_one_address_and_gets_from_another() {
    let world = World::new().await;
    for wanted in [
        json!({"path": "avatars/me.png", "content_type": "image/png"}),
        json!({"directory": "avatars/", "extension": ".png", "content_type": "image/png"}),
    ] {
        let begun = begin(&world, wanted).await;
        assert_eq!(begun.status, 201, "{begun:?}");
        assert_eq!(put(&world, &begun.text("/put_url"), PNG).await, 200);
        world.clock.advance(Duration::from_mins(16));
        world.work().await;
        let shown = show(&world, &begun).await;
        assert_eq!(shown.status, 302);
        let answer = world.fetch(shown.header("location")).await;
        assert_eq!(answer.bytes().await.unwrap(), PNG);
    }
    let files = world.ask(USER_TOKEN, "GET /v1/files", Value::Null).await;
    let names = ["unnamed.png", "me.png"].map(|name| json!(name));
    assert_eq!(
        [0, 1].map(|n| files.json["files"][n]["filename"].clone()),
        names
    );
    assert_eq!(files.text("/files/1/metadata/path"), "avatars/me.png");
    world.end().await;
}

#[tokio::test]
async fn no_size_is_promised_so_the_profile_s_holds_at_promotion() {
    let world = World::new().await;
    let begun = begin(
        &world,
        json!({"path": "me.png", "content_type": "image/png"}),
    )
    .await;
    let mut large = PNG.to_vec();
    large.resize((25 << 20) + 1, 0);
    assert_eq!(put(&world, &begun.text("/put_url"), &large).await, 200);
    let request = format!("POST /v1/uploads/{}/complete", begun.text("/id"));
    let refused = world.ask(USER_TOKEN, &request, Value::Null).await;
    assert_eq!(refused.text("/error/details/reason"), "size_not_allowed");
    // What is seen to be too large is not copied first.
    assert_eq!(world.faults.copies(), 0);
    world.end().await;
}

#[tokio::test]
async fn what_is_put_again_while_the_url_lives_changes_nothing_that_was_inspected() {
    let world = World::new().await;
    let begun = begin(
        &world,
        json!({"path": "me.png", "content_type": "image/png"}),
    )
    .await;
    assert_eq!(put(&world, &begun.text("/put_url"), PNG).await, 200);
    let request = format!("POST /v1/uploads/{}/complete", begun.text("/id"));
    let done = world.ask(USER_TOKEN, &request, Value::Null).await;
    assert_eq!(done.text("/state"), "stored");
    // Into what no client can write, and from there to where it stays.
    assert_eq!(world.faults.copies(), 2);
    assert_eq!(
        put(&world, &begun.text("/put_url"), b"something else").await,
        200
    );
    let shown = show(&world, &begun).await;
    let answer = world.fetch(shown.header("location")).await;
    assert_eq!(answer.bytes().await.unwrap(), PNG);
    world.end().await;
}

#[tokio::test]
async fn only_the_announced_type_may_be_put_and_only_what_the_profile_takes_announced() {
    let world = World::new().await;
    let begun = begin(
        &world,
        json!({"path": "me.png", "content_type": "image/png"}),
    )
    .await;
    let html = [("content-type".to_owned(), "text/html".to_owned())];
    let refused = world
        .put(&begun.text("/put_url"), &html, PNG.to_vec())
        .await;
    assert_eq!(refused.status(), 403);
    let refused = begin(
        &world,
        json!({"path": "me.html", "content_type": "text/html"}),
    )
    .await;
    assert_eq!(refused.refusal(), "422 type_not_allowed");
    let refused = begin(
        &world,
        json!({"path": "me.png", "directory": "x", "content_type": "image/png"}),
    )
    .await;
    assert_eq!(refused.refusal(), "400 invalid_request");
    world.end().await;
}

#[tokio::test]
async fn it_is_for_users_and_their_servers_and_only_where_it_is_offered() {
    let mut world = World::new().await;
    let wanted = json!({"path": "me.png", "content_type": "image/png"});
    let nobody = world.ask("", "POST /upload_url", wanted.clone()).await;
    assert_eq!(nobody.refusal(), "401 unauthenticated");
    let mut owned = wanted.clone();
    owned["owner"] = json!("me");
    let begun = world.ask(API_KEY, "POST /upload_url", owned).await;
    assert_eq!(begun.status, 201);
    let mut config = (*world.app.config).clone();
    config.upload_url = None;
    world.app.config = config.into();
    assert_eq!(begin(&world, wanted).await.refusal(), "404 not_found");
    world.end().await;
}
