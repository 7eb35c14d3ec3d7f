//! Leases: a dead worker's work is taken up, a late worker changes nothing.

use std::time::Duration;

use loadlock::{
    clock::after,
    records::{Change, FileChange, Outcome},
    upload::{Rejection, Staged},
};

use crate::world::{PNG, World, png};

const LEASE: Duration = Duration::from_mins(2);

#[tokio::test]
async fn a_dead_workers_upload_is_taken_over_when_its_lease_ends() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    let (app, id) = (&world.app, begun.upload.id);
    let now = app.clock.now();
    let staged = Staged {
        etag: "e".to_owned(),
        size_bytes: PNG.len() as u64,
    };
    let received = begun.upload.clone().receive(staged).unwrap();
    let change = Change {
        from: &begun.upload,
        to: &received,
        due: Some(now),
        file: FileChange::Keep,
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
    };
    assert_eq!(
        app.records.change(&[change], now).await.unwrap(),
        Outcome::Lost
    );
    assert_eq!(world.state(id).await, "stored");
    world.end().await;
}
