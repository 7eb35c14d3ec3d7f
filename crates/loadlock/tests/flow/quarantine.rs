//! Rejected content: gone at once, or kept where nobody else reads it, for as long as the profile says.

use std::time::Duration;

use loadlock::{
    flow::Begin,
    records::{Act, Entry, Filter, Outcome},
    upload::Method,
};

use crate::world::{PNG, World, png};

const PAGE: &[u8] = b"<!doctype html><script>alert(1)</script>";
const DAY: Duration = Duration::from_hours(24);

fn page(method: Method) -> Begin {
    Begin {
        size_bytes: Some(PAGE.len() as u64),
        method: Some(method),
        ..png()
    }
}

/// By whom, and of which key, by the key.
async fn deletions(world: &World) -> Vec<(String, Option<String>)> {
    let filter = Filter {
        act: Some(Act::Delete),
        ..Filter::default()
    };
    let found = world.app.records.audit(&filter, None, 50).await.unwrap();
    let told = found
        .into_iter()
        .map(|(_, entry)| (entry.actor.to_string(), entry.key));
    let mut told: Vec<_> = told.collect();
    told.sort_by_key(|(_, key)| key.clone());
    told
}

#[tokio::test]
async fn rejected_content_is_gone_at_once_and_its_grant_is_still_used_up() {
    let world = World::new().await;
    for method in [Method::Put, Method::Post, Method::Multipart] {
        let begun = world.begin(page(method)).await;
        assert!(world.send(&begun.grant, PAGE).await.status().is_success());
        world.complete(begun.upload.id).await.unwrap_err();
        world.work().await;
        let left = world.app.bucket.staged(&begun.upload.staged_key).await;
        let left = left.unwrap().map_or(0, |object| object.size_bytes);
        assert_eq!(left, 0, "{method:?}");
        if method == Method::Put {
            assert_eq!(world.send(&begun.grant, PAGE).await.status(), 412);
        }
    }
    let kept = world.lies_in("staging").await;
    assert!(kept.iter().all(|key| key.starts_with("in/")), "{kept:?}");
    world.end().await;
}

#[tokio::test]
async fn what_was_given_up_is_gone_at_once() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    loadlock::flow::abort(&world.app, &crate::world::me(), begun.upload.id)
        .await
        .unwrap();
    world.work().await;
    let left = world.app.bucket.staged(&begun.upload.staged_key).await;
    assert_eq!(left.unwrap().unwrap().size_bytes, 0);
    assert_eq!(world.send(&begun.grant, PNG).await.status(), 412);
    world.end().await;
}

#[tokio::test]
async fn rejected_content_is_kept_for_as_long_as_the_profile_says() {
    let mut world = World::new().await;
    world
        .restart(|config| config.profiles[0].checks.quarantine = Some(7 * DAY))
        .await;
    let mut kept = Vec::new();
    for method in [Method::Put, Method::Post, Method::Multipart] {
        let begun = world.begin(page(method)).await;
        assert!(world.send(&begun.grant, PAGE).await.status().is_success());
        world.complete(begun.upload.id).await.unwrap_err();
        kept.push(format!("quarantine/{}", begun.upload.id));
    }
    for _ in 0..6 {
        world.clock.advance(DAY);
        world.work().await;
    }
    kept.sort();
    let found = world.app.records.quarantined(None, 10).await.unwrap();
    let found: Vec<String> = found
        .iter()
        .map(|upload| upload.quarantine_key().to_string())
        .collect();
    assert_eq!(found, kept);
    assert_eq!(world.lies_in("staging").await, kept);
    world.clock.advance(DAY);
    world.work().await;
    assert!(world.lies_in("staging").await.is_empty());
    let gone = deletions(&world).await;
    assert_eq!(gone.len(), 3, "{gone:?}");
    let told = |key: &String| ("service".to_owned(), Some(key.clone()));
    assert_eq!(gone, kept.iter().map(told).collect::<Vec<_>>());
    world.end().await;
}

#[tokio::test]
async fn what_is_kept_may_be_deleted_before_its_time() {
    let mut world = World::new().await;
    world
        .restart(|config| config.profiles[0].checks.quarantine = Some(7 * DAY))
        .await;
    let begun = world.begin(page(Method::Put)).await;
    world.send(&begun.grant, PAGE).await;
    let id = begun.upload.id;
    world.complete(id).await.unwrap_err();
    world.work().await;
    let key = format!("quarantine/{id}");
    assert!(world.lies_in("staging").await.contains(&key));
    let now = world.app.clock.now();
    let records = &world.app.records;
    let kept = records.upload(id).await.unwrap().unwrap();
    let discarded = kept.clone().discard(now).unwrap();
    let by = || Entry::by_operator(Act::Delete, now);
    let done = records.discard(&kept, &discarded, by()).await.unwrap();
    assert_eq!(done, Outcome::Done);
    let late = records.discard(&kept, &discarded, by()).await.unwrap();
    assert_eq!(late, Outcome::Lost);
    let asked = deletions(&world).await;
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].0, "operator");
    world.work().await;
    assert!(!world.lies_in("staging").await.contains(&key));
    let gone = deletions(&world).await;
    assert_eq!(gone.len(), 2);
    assert!(
        gone.contains(&("service".to_owned(), Some(key))),
        "{gone:?}"
    );
    world.end().await;
}
