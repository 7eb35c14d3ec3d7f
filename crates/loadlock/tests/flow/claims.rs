//! Claims: uploads taken together with a form, all or none.

use std::time::Duration;

use loadlock::{
    auth::Caller,
    error::Kind,
    flow::{self, Begin, Claim, FileQuery},
    upload::UploadId,
};

use crate::proxy::When;
use crate::world::{PNG, World, form, kind, me, png, raw, server};

const LOST: Kind = Kind::UploadEnded;

fn post() -> Begin {
    Begin {
        profile: "post".to_owned(),
        ..png()
    }
}

async fn ready(world: &World) -> UploadId {
    let begun = world.begin(post()).await;
    assert_eq!(world.send(&begun.grant, PNG).await.status(), 200);
    let progress = world.complete(begun.upload.id).await.unwrap();
    assert_eq!(progress.upload.state.name(), "ready");
    assert_eq!(progress.file, None);
    begun.upload.id
}

#[tokio::test]
async fn claimed_uploads_become_files_with_the_forms_data() {
    let world = World::new().await;
    let ids = [ready(&world).await, ready(&world).await];
    assert_eq!(world.lies_in("final").await.len(), 0);
    let files = world.claim(&[ids[1], ids[0]], "trip").await.unwrap();
    let claimed: Vec<_> = files.iter().map(|shown| shown.file.id).collect();
    assert_eq!(claimed, [ids[1], ids[0]]);
    assert_eq!(files[0].file.metadata, form("trip"));
    assert_eq!(world.bytes_of(ids[0]).await, PNG);
    world.end().await;
}

#[tokio::test]
async fn the_same_claim_again_gets_the_same_answer() {
    let world = World::new().await;
    let id = ready(&world).await;
    let first = world.claim(&[id], "trip").await.unwrap();
    let again = world.claim(&[id], "trip").await.unwrap();
    assert_eq!(first[0].file, again[0].file);
    assert_eq!(
        kind(world.claim(&[id], "another").await),
        Kind::AlreadyClaimed
    );
    let more = ready(&world).await;
    assert_eq!(
        kind(world.claim(&[id, more], "trip").await),
        Kind::AlreadyClaimed
    );
    assert_eq!(world.state(more).await, "ready");
    world.end().await;
}

#[tokio::test]
async fn one_that_is_not_ready_keeps_all_from_being_claimed() {
    let world = World::new().await;
    let here = ready(&world).await;
    let begun = world.begin(post()).await;
    let error = world
        .claim(&[here, begun.upload.id], "trip")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::NotReady);
    let states = &error.details().unwrap()["uploads"];
    let state_of = |id: UploadId| {
        let id = id.to_string();
        let one = states
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["id"] == id.as_str());
        one.unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (state_of(here), state_of(begun.upload.id)),
        ("ready".to_owned(), "issued".to_owned())
    );
    let files = flow::files(&world.app, &me(), FileQuery::default())
        .await
        .unwrap();
    assert!(files.files.is_empty());
    // The form may come before the completion.
    world.send(&begun.grant, PNG).await;
    assert_eq!(
        world
            .claim(&[here, begun.upload.id], "trip")
            .await
            .unwrap()
            .len(),
        2
    );
    world.end().await;
}

#[tokio::test]
async fn a_form_brings_no_more_files_than_its_profile_says() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for _ in 0..21 {
        ids.push(world.begin(post()).await.upload.id);
    }
    let error = world.claim(&ids, "trip").await.unwrap_err();
    assert_eq!(error.kind(), Kind::TooManyFiles);
    assert!(error.message().contains("at most 20 files"), "{error}");
    assert_eq!(kind(world.claim(&ids[1..], "trip").await), Kind::NotReady);
    world.end().await;
}

#[tokio::test]
async fn an_upload_token_does_not_read_what_the_claim_added() {
    let world = World::new().await;
    let id = ready(&world).await;
    world.claim(&[id], "secret plans").await.unwrap();
    let holder = Caller::upload(id);
    let seen = flow::look(&world.app, &holder, id, Duration::ZERO).await;
    assert!(seen.unwrap().file.unwrap().metadata.is_empty());
    let seen = flow::look(&world.app, &me(), id, Duration::ZERO).await;
    assert_eq!(seen.unwrap().file.unwrap().metadata, form("secret plans"));
    world.end().await;
}

#[tokio::test]
async fn only_a_server_claims_and_only_for_the_owner() {
    let world = World::new().await;
    let id = ready(&world).await;
    let claim = |owner: &str| Claim {
        ids: vec![id],
        owner: owner.to_owned(),
        metadata: form("trip"),
    };
    assert_eq!(
        kind(flow::claim(&world.app, &me(), claim("me")).await),
        Kind::Forbidden
    );
    let error = flow::claim(&world.app, &server(), claim("you"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.message().contains(&id.to_string()));
    assert_eq!(world.state(id).await, "ready");
    world.end().await;
}

#[tokio::test]
async fn a_claim_of_a_stored_file_attaches_its_data() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    world.complete(begun.upload.id).await.unwrap();
    let files = world.claim(&[begun.upload.id], "later").await.unwrap();
    assert_eq!(files[0].file.metadata, form("later"));
    world.end().await;
}

#[tokio::test]
async fn what_nobody_claims_expires() {
    let world = World::new().await;
    let id = ready(&world).await;
    world
        .clock
        .advance(Duration::from_millis(6 * 60 * 60 * 1000 - 1));
    world.work().await;
    assert_eq!(world.state(id).await, "ready");
    world.clock.advance(Duration::from_millis(1));
    world.work().await;
    assert_eq!(world.state(id).await, "expired");
    let late = world.claim(&[id], "late").await.unwrap_err();
    assert_eq!(late.kind(), Kind::UploadEnded);
    assert_eq!(late.details().unwrap()["uploads"][0]["state"], "expired");
    world.end().await;
}

#[tokio::test]
async fn concurrent_claims_agree() {
    let world = World::new().await;
    let ids = [ready(&world).await, ready(&world).await];
    let claims = (0..6).map(|n| {
        let title = if n % 2 == 0 { "one" } else { "two" };
        world.claim(&ids, title)
    });
    let all = futures_util::future::join_all(claims).await;
    let won: Vec<bool> = all.iter().map(Result::is_ok).collect();
    let even = [true, false, true, false, true, false];
    assert!(won == even || won == even.map(|won| !won), "{won:?}");
    world.end().await;
}

#[tokio::test]
async fn a_claim_whose_file_vanished_gives_the_others_back() {
    let world = World::new().await;
    let bytes = b"some bytes";
    let mut ids = Vec::new();
    for _ in 0..2 {
        let begun = world
            .begin(Begin {
                profile: "raw-claimed".to_owned(),
                ..raw(bytes)
            })
            .await;
        world.send(&begun.grant, bytes).await;
        world.complete(begun.upload.id).await.unwrap();
        ids.push(begun.upload.id);
    }
    world.lose(ids[0]).await;
    assert_eq!(kind(world.claim(&ids, "trip").await), LOST);
    assert_eq!(world.state(ids[0]).await, "rejected");
    assert_eq!(world.state(ids[1]).await, "ready");
    assert_eq!(world.claim(&ids[1..], "trip").await.unwrap().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn the_copy_of_a_file_that_was_given_back_goes_with_it() {
    let world = World::new().await;
    let ids = [ready(&world).await, ready(&world).await];
    world.lose(ids[0]).await;
    assert_eq!(kind(world.claim(&ids, "trip").await), LOST);
    assert_eq!(world.lies_in("final").await.len(), 1);
    world.clock.advance(Duration::from_hours(6));
    world.work().await;
    assert_eq!(world.state(ids[1]).await, "expired");
    assert_eq!(world.lies_in("final").await.len(), 0);
    world.end().await;
}

#[tokio::test]
async fn a_copy_whose_source_is_lost_before_it_is_recorded_goes_with_it() {
    let world = World::new().await;
    let ids = [ready(&world).await, ready(&world).await];
    world.faults.plan(1, When::Before);
    assert_eq!(kind(world.claim(&ids, "trip").await), Kind::Unavailable);
    assert!(world.faults.came_to_pass());
    assert_eq!(world.lies_in("final").await.len(), 1);
    for id in ids {
        world.lose(id).await;
    }
    world.clock.advance(Duration::from_secs(10));
    world.work().await;
    for id in ids {
        assert_eq!(world.state(id).await, "rejected");
    }
    world.end().await;
}

#[tokio::test]
async fn a_file_given_back_waits_no_longer_than_it_would_have() {
    let world = World::new().await;
    let ids = [ready(&world).await, ready(&world).await];
    world.lose(ids[0]).await;
    world.clock.advance(Duration::from_hours(5));
    assert_eq!(kind(world.claim(&ids, "trip").await), LOST);
    world.work().await;
    assert_eq!(world.state(ids[1]).await, "ready");
    world.clock.advance(Duration::from_hours(1));
    world.work().await;
    assert_eq!(world.state(ids[1]).await, "expired");
    world.end().await;
}

#[tokio::test]
async fn a_stored_file_whose_claim_fails_is_as_it_was() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    world.complete(begun.upload.id).await.unwrap();
    let (stored, lost) = (begun.upload.id, ready(&world).await);
    world.lose(lost).await;
    assert_eq!(kind(world.claim(&[stored, lost], "trip").await), LOST);
    let file = world.app.records.file(stored).await.unwrap().unwrap();
    assert!(file.metadata.is_empty());
    let again = ready(&world).await;
    assert_eq!(
        world.claim(&[stored, again], "trip").await.unwrap().len(),
        2
    );
    world.end().await;
}

#[tokio::test]
async fn a_claim_that_can_never_be_promoted_ends_all_the_same() {
    let mut world = World::new().await;
    let ids = [ready(&world).await, ready(&world).await];
    world.without_profile("post");
    world.take(&ids).await;
    assert_eq!(world.state(ids[0]).await, "ready");
    for _ in 0..100 {
        world.work().await;
        world.clock.advance(Duration::from_mins(5));
    }
    for id in ids {
        assert_eq!(world.state(id).await, "expired");
    }
    world.end().await;
}
