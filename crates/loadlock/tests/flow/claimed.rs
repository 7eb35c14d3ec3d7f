//! Claims as an application's server makes them: over HTTP, with a form.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{API_KEY, Answer, OTHER_TOKEN, PNG, USER_TOKEN, World};

async fn begin_as(world: &World, token: &str) -> Answer {
    let begin = json!({"profile": "post", "filename": "a.png", "content_type": "image/png", "size": PNG.len()});
    let begun = world.ask(token, "POST /v1/uploads", begin).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    begun
}

async fn begin(world: &World) -> Answer {
    begin_as(world, USER_TOKEN).await
}

/// Sent, but not completed.
async fn sent(world: &World) -> String {
    let begun = begin(world).await;
    assert_eq!(world.put_grant(&begun.json["grant"], PNG).await, 200);
    begun.text("/id")
}

async fn claim(world: &World, ids: &[&str], title: &str) -> Answer {
    let claim = json!({"ids": ids, "owner": "me", "metadata": {"title": title}});
    world.ask(API_KEY, "POST /v1/uploads/claim", claim).await
}

/// `issued` for each, in the order asked for.
fn states(refused: &Answer, ids: &[&str]) -> Vec<String> {
    let told = refused.json["error"]["details"]["uploads"]
        .as_array()
        .unwrap();
    assert_eq!(told.len(), ids.len());
    let state = |id: &&str| {
        let one = told.iter().find(|upload| upload["id"] == **id);
        one.unwrap()["state"].as_str().unwrap().to_owned()
    };
    ids.iter().map(state).collect()
}

async fn files(world: &World) -> usize {
    let files = world.ask(USER_TOKEN, "GET /v1/files", Value::Null).await;
    files.json["files"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_claim_answers_with_the_files_as_they_are() {
    let world = World::new().await;
    let ids = [sent(&world).await, sent(&world).await];
    let claimed = claim(&world, &[&ids[1], &ids[0]], "At the pier").await;
    assert_eq!(claimed.status, 200, "{claimed:?}");
    for (n, id) in [(0, &ids[1]), (1, &ids[0])] {
        let file = &claimed.json["files"][n];
        let expected = json!({
            "id": id, "owner": "me", "filename": "a.png", "content_type": "image/png", "size": PNG.len(),
            "width": 7, "height": 5, "metadata": {"title": "At the pier"},
            "content_url": format!("http://api.test/f/{id}"),
        });
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&file[name], value, "{name}");
        }
        let shown = world.fetch(file["url"].as_str().unwrap()).await;
        assert_eq!(shown.bytes().await.unwrap(), PNG);
    }
    world.end().await;
}

#[tokio::test]
async fn another_owners_upload_is_refused_by_its_id_and_nothing_is_claimed() {
    let world = World::new().await;
    let mine = sent(&world).await;
    let theirs = begin_as(&world, OTHER_TOKEN).await;
    assert_eq!(world.put_grant(&theirs.json["grant"], PNG).await, 200);
    let theirs = theirs.text("/id");
    let refused = claim(&world, &[&mine, &theirs], "trip").await;
    assert_eq!(refused.refusal(), "404 not_found");
    let says = format!("there is no upload `{theirs}`");
    assert_eq!(refused.text("/error/message"), says);
    assert_eq!(files(&world).await, 0);
    assert_eq!(claim(&world, &[&mine], "trip").await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn a_claim_before_the_bytes_says_so_and_one_before_the_completion_completes() {
    let world = World::new().await;
    let (sent, begun) = (sent(&world).await, begin(&world).await);
    let awaited = begun.text("/id");
    let refused = claim(&world, &[&sent, &awaited], "trip").await;
    assert_eq!(refused.refusal(), "409 not_ready");
    assert_eq!(refused.json["error"]["retryable"], true);
    assert_eq!(states(&refused, &[&sent, &awaited]), ["ready", "issued"]);
    assert_eq!(files(&world).await, 0);
    assert_eq!(world.put_grant(&begun.json["grant"], PNG).await, 200);
    let claimed = claim(&world, &[&sent, &awaited], "trip").await;
    assert_eq!(claimed.status, 200, "{claimed:?}");
    world.end().await;
}

#[tokio::test]
async fn one_that_has_ended_keeps_the_others_and_the_state_of_each_is_told() {
    let world = World::new().await;
    let (here, gone, awaited) = (
        sent(&world).await,
        begin(&world).await.text("/id"),
        begin(&world).await.text("/id"),
    );
    let abort = format!("DELETE /v1/uploads/{gone}");
    world.ask(USER_TOKEN, &abort, Value::Null).await;
    let ids = [here.as_str(), &gone, &awaited];
    let refused = claim(&world, &ids, "trip").await;
    assert_eq!(refused.refusal(), "409 upload_ended");
    assert_eq!(states(&refused, &ids), ["ready", "aborted", "issued"]);
    assert_eq!(files(&world).await, 0);
    assert_eq!(claim(&world, &[&here], "trip").await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn a_repeated_claim_gets_the_same_answer_with_a_key_or_without() {
    let mut world = World::new().await;
    let id = sent(&world).await;
    let first = claim(&world, &[&id], "trip").await;
    assert_eq!(claim(&world, &[&id], "trip").await.json, first.json);
    world.restart(|_| {}).await;
    let body = json!({"ids": [&id], "owner": "me", "metadata": {"title": "trip"}});
    let key = [("idempotency-key", "k1")];
    let keyed = world.ask_with(API_KEY, "POST /v1/uploads/claim", body.clone(), &key);
    assert_eq!(keyed.await.json, first.json);
    let wrong = [("idempotency-key", "two words")];
    let refused = world.ask_with(API_KEY, "POST /v1/uploads/claim", body, &wrong);
    assert_eq!(refused.await.refusal(), "400 invalid_request");
    let other = claim(&world, &[&id], "another").await;
    assert_eq!(other.refusal(), "409 already_claimed");
    world.end().await;
}

#[tokio::test]
async fn a_claim_that_comes_too_late_is_told_what_became_of_each() {
    let world = World::new().await;
    let id = sent(&world).await;
    let complete = format!("POST /v1/uploads/{id}/complete");
    world.ask(USER_TOKEN, &complete, Value::Null).await;
    world.clock.advance(Duration::from_hours(6));
    world.work().await;
    let refused = claim(&world, &[&id], "trip").await;
    assert_eq!(refused.refusal(), "409 upload_ended");
    assert_eq!(states(&refused, &[&id]), ["expired"]);
    world.end().await;
}
