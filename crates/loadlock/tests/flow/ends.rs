//! The ends other than stored, the sweep, and deletion.

use std::time::Duration;

use loadlock::{
    error::Kind,
    flow::{self, Begin},
    upload::Method,
};

use crate::proxy::When;
use crate::world::{PNG, World, kind, me, png, raw};

fn parts() -> Vec<u8> {
    vec![7; (8 << 20) + 1]
}

#[tokio::test]
async fn an_abort_clears_away_and_may_be_repeated() {
    let world = World::new().await;
    let bytes = parts();
    for method in [Method::Put, Method::Post, Method::Multipart] {
        let begun = world
            .begin(Begin {
                method: Some(method),
                ..raw(&bytes)
            })
            .await;
        world.send(&begun.grant, &bytes).await;
        let id = begun.upload.id;
        for _ in 0..2 {
            let aborted = flow::abort(&world.app, &me(), id).await.unwrap();
            assert_eq!(aborted.state.name(), "aborted");
        }
        assert_eq!(kind(world.complete(id).await), Kind::UploadEnded);
    }
    world.end().await;
}

#[tokio::test]
async fn an_aborted_put_is_not_deleted_before_its_grant_expires() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    flow::abort(&world.app, &me(), begun.upload.id)
        .await
        .unwrap();
    world.work().await;
    assert_eq!(world.send(&begun.grant, PNG).await.status(), 412);
    world.clock.advance(Duration::from_mins(15));
    world.work().await;
    assert_eq!(world.send(&begun.grant, PNG).await.status(), 412);
    world.clock.advance(Duration::from_mins(1));
    world.work().await;
    assert!(world.lies_in("staging").await.is_empty());
    assert_eq!(world.send(&begun.grant, PNG).await.status(), 403);
    world.end().await;
}

#[tokio::test]
async fn a_stored_upload_is_not_aborted() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    world.complete(begun.upload.id).await.unwrap();
    let refused = flow::abort(&world.app, &me(), begun.upload.id).await;
    assert_eq!(kind(refused), Kind::AlreadyStored);
    world.end().await;
}

#[tokio::test]
async fn a_client_that_vanishes_after_its_last_byte_loses_nothing() {
    let world = World::new().await;
    let bytes = parts();
    for method in [Method::Put, Method::Post, Method::Multipart] {
        let begun = world
            .begin(Begin {
                method: Some(method),
                ..raw(&bytes)
            })
            .await;
        world.send(&begun.grant, &bytes).await;
        world.work().await;
        assert_eq!(world.state(begun.upload.id).await, "issued");
        world.clock.advance(Duration::from_mins(15));
        world.work().await;
        assert_eq!(world.state(begun.upload.id).await, "stored");
        assert_eq!(world.bytes_of(begun.upload.id).await, bytes);
    }
    world.end().await;
}

#[tokio::test]
async fn what_never_arrives_expires_at_its_time() {
    let world = World::new().await;
    let bytes = parts();
    let put = world.begin(png()).await.upload.id;
    let begun = world
        .begin(Begin {
            method: Some(Method::Multipart),
            ..raw(&bytes)
        })
        .await;
    let some = begun.upload.id;
    let flow::Grant::Multipart {
        parts,
        part_size_bytes,
        ..
    } = &begun.grant
    else {
        panic!("parts were asked for");
    };
    world.send_part(&parts[0], *part_size_bytes, &bytes).await;
    let last = Duration::from_millis(12 * 60 * 60 * 1000 - 1);
    world.clock.advance(last);
    world.work().await;
    assert_eq!(
        (world.state(put).await, world.state(some).await),
        ("issued", "issued")
    );
    world.clock.advance(Duration::from_millis(1));
    world.work().await;
    assert_eq!(
        (world.state(put).await, world.state(some).await),
        ("expired", "expired")
    );
    world.end().await;
}

#[tokio::test]
async fn what_is_not_stored_yet_is_no_file_to_delete() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    let id = begun.upload.id;
    let deleted = flow::delete_file(&world.app, &me(), id).await;
    assert_eq!(kind(deleted), Kind::NotFound);
    world.send(&begun.grant, PNG).await;
    assert!(world.complete(id).await.unwrap().file.is_some());
    world.end().await;
}

#[tokio::test]
async fn a_file_outlives_its_profile_for_its_owner() {
    let mut world = World::new().await;
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    let id = begun.upload.id;
    world.complete(id).await.unwrap();
    world.without_profile("image");
    assert_eq!(world.bytes_of(id).await, PNG);
    let urls = flow::display_urls(&world.app, &me(), &[id]).await.unwrap();
    assert_eq!(urls.urls.len(), 1);
    world.end().await;
}

#[tokio::test]
async fn what_can_never_be_inspected_ends_all_the_same() {
    let mut world = World::new().await;
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    world.without_profile("image");
    let id = begun.upload.id;
    assert_eq!(kind(world.complete(id).await), Kind::NotFound);
    assert_eq!(world.state(id).await, "received");
    for _ in 0..(12 * 12) {
        world.work().await;
        world.clock.advance(Duration::from_mins(5));
    }
    assert_eq!(world.state(id).await, "received");
    for _ in 0..24 {
        world.work().await;
        world.clock.advance(Duration::from_mins(5));
    }
    assert_eq!(world.state(id).await, "expired");
    world.end().await;
}

#[tokio::test]
async fn what_the_store_never_answers_for_ends_all_the_same() {
    let world = World::new().await;
    let id = world.begin(png()).await.upload.id;
    world.faults.plan_all(When::Before);
    for _ in 0..(14 * 12) {
        world.work().await;
        world.clock.advance(Duration::from_mins(5));
    }
    assert_eq!(world.state(id).await, "expired");
    world.faults.came_to_pass();
    world.end().await;
}

#[tokio::test]
async fn a_deleted_file_is_gone_with_its_object() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    let id = begun.upload.id;
    world.complete(id).await.unwrap();
    for _ in 0..2 {
        flow::delete_file(&world.app, &me(), id).await.unwrap();
    }
    assert_eq!(
        kind(flow::file(&world.app, &me(), id).await),
        Kind::NotFound
    );
    world.work().await;
    assert!(world.lies_in("final").await.is_empty());
    assert_eq!(world.events(id).await.last().unwrap(), "deleted");
    world.end().await;
}
