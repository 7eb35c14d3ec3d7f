//! Leases: a dead worker's work is taken up, a late worker changes nothing.

use std::time::Duration;

use loadlock::{
    clock::after,
    flow::{self, Begin},
    jobs,
    records::{Change, FileChange, Outcome},
    upload::Rejection,
};

use crate::world::{PNG, World, me, png};

const LEASE: Duration = Duration::from_mins(2);

#[tokio::test]
async fn a_dead_workers_upload_is_taken_over_when_its_lease_ends() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    let (app, id) = (&world.app, begun.upload.id);
    let now = app.clock.now();
    let received = begun.upload.clone().receive().unwrap();
    let change = Change {
        from: &begun.upload,
        to: &received,
        due: Some(now),
        file: FileChange::Keep,
        by: None,
    };
    assert_eq!(
        app.records.change(&[change], now).await.unwrap(),
        Outcome::Done
    );
    let dead = app
        .records
        .lease(&received, now, after(now, LEASE))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        app.records
            .lease(&received, now, after(now, LEASE))
            .await
            .unwrap(),
        None
    );

    world.work().await;
    assert_eq!(world.state(id).await, "received");
    world.clock.advance(LEASE);
    world.work().await;
    assert_eq!(world.state(id).await, "stored");

    // It was not dead, only slow.
    let late = dead.clone().reject(Rejection::Lost).unwrap();
    let change = Change {
        from: &dead,
        to: &late,
        due: None,
        file: FileChange::Keep,
        by: None,
    };
    assert_eq!(
        app.records.change(&[change], now).await.unwrap(),
        Outcome::Lost
    );
    assert_eq!(world.state(id).await, "stored");
    world.end().await;
}

#[tokio::test]
async fn a_lease_that_is_renewed_is_not_taken_over() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    let (app, id) = (&world.app, begun.upload.id);
    let now = app.clock.now();
    let until = after(now, LEASE);
    let slow = app.records.lease(&begun.upload, now, until).await;
    let slow = slow.unwrap().unwrap();
    world.clock.advance(Duration::from_mins(16));
    let until = after(app.clock.now(), LEASE);
    app.records.renew(&slow, until).await.unwrap();
    world.work().await;
    assert_eq!(world.state(id).await, "issued");

    let received = slow.clone().receive().unwrap();
    let change = Change {
        from: &slow,
        to: &received,
        due: Some(now),
        file: FileChange::Keep,
        by: None,
    };
    let done = app.records.change(&[change], app.clock.now()).await;
    assert_eq!(done.unwrap(), Outcome::Done);
    world.work().await;
    assert_eq!(world.state(id).await, "stored");
    world.end().await;
}

#[tokio::test]
async fn what_moved_on_since_it_was_read_is_not_leased() {
    let world = World::new().await;
    let upload = world.begin(png()).await.upload;
    let records = &world.app.records;
    let now = world.app.clock.now();
    let until = after(now, LEASE);
    let leased = records.lease(&upload, now, until).await.unwrap().unwrap();
    records
        .schedule(&leased, Some(upload.expires_at))
        .await
        .unwrap();
    assert_eq!(records.lease(&upload, now, until).await.unwrap(), None);
    world.end().await;
}

#[tokio::test]
async fn an_upload_that_may_still_be_claimed_does_not_expire_when_it_is_taken_up() {
    let world = World::new().await;
    let begun = world
        .begin(Begin {
            profile: "post".to_owned(),
            ..png()
        })
        .await;
    world.send(&begun.grant, PNG).await;
    let ready = world.complete(begun.upload.id).await.unwrap().upload;
    let now = world.app.clock.now();
    world.app.records.schedule(&ready, Some(now)).await.unwrap();
    world.work().await;
    assert_eq!(world.state(ready.id).await, "ready");
    world.clock.advance(Duration::from_hours(6));
    world.work().await;
    assert_eq!(world.state(ready.id).await, "expired");
    world.end().await;
}

#[tokio::test]
async fn one_call_without_an_answer_does_not_stop_the_others() {
    let world = World::new().await;
    let silent = world.begin(png()).await;
    world.clock.advance(Duration::from_mins(1));
    let other = world.begin(png()).await;
    world.send(&other.grant, PNG).await;
    world.faults.plan_silence();
    world.clock.advance(Duration::from_mins(14));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(jobs::run(world.app.clone(), async {
        let _ = stopped.await;
    }));
    while world.faults.silence_is_to_come() {
        tokio::task::yield_now().await;
    }
    world.clock.advance(Duration::from_mins(1));
    let stored = flow::look(&world.app, &me(), other.upload.id, Duration::from_secs(20)).await;
    assert_eq!(stored.unwrap().upload.state.name(), "stored");
    assert_eq!(world.state(silent.upload.id).await, "issued");
    running.abort();
    drop(stop);
    world.end().await;
}
