//! An error before and after every call to the store, and every step repeated: it converges all the same.

use std::time::Duration;

use loadlock::{
    error::Kind,
    flow::{self, Begin},
    upload::{Method, UploadId},
};

use crate::{
    proxy::When,
    world::{World, me, raw},
};

/// Carries one upload to its end as a stubborn client would: whatever fails is tried again a little later.
async fn carry(world: &World, begin: Begin, bytes: &[u8]) -> UploadId {
    let begun = loop {
        match flow::begin(&world.app, &me(), begin.clone(), None).await {
            Ok(begun) => break begun,
            Err(error) => assert!(error.kind().retryable(), "{error:?}"),
        }
    };
    let id = begun.upload.id;
    assert!(world.send(&begun.grant, bytes).await.status().is_success());
    for _ in 0..5 {
        match world.complete(id).await {
            Ok(progress) if progress.upload.state.name() == "stored" => return id,
            Ok(progress) if progress.upload.state.name() == "ready" => {
                if world.claim(&[id], "trip").await.is_ok() {
                    return id;
                }
            }
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), Kind::Unavailable, "{error:?}"),
        }
        world.clock.advance(Duration::from_secs(10));
        world.work().await;
    }
    panic!("upload `{id}` did not converge: {}", world.state(id).await);
}

async fn every_call_fails_once(profile: &str, method: Method, bytes: &[u8]) {
    let world = World::new().await;
    for when in [When::Before, When::After] {
        let mut call = 0;
        loop {
            world.faults.plan(call, when);
            let begin = Begin {
                profile: profile.to_owned(),
                method: Some(method),
                ..raw(bytes)
            };
            let id = carry(&world, begin, bytes).await;
            let happened = world.faults.came_to_pass();
            assert_eq!(world.bytes_of(id).await, bytes, "call {call} {when:?}");
            if !happened {
                break;
            }
            call += 1;
        }
        assert!(call >= 4, "only {call} calls to the store");
    }
    world.clear_unfinished().await;
    world.end().await;
}

#[tokio::test]
async fn a_put_converges_whichever_call_fails() {
    every_call_fails_once("raw", Method::Put, b"some bytes").await;
}

#[tokio::test]
async fn a_claimed_put_converges_whichever_call_fails() {
    every_call_fails_once("raw-claimed", Method::Put, b"some bytes").await;
}

#[tokio::test]
async fn a_form_converges_whichever_call_fails() {
    every_call_fails_once("raw", Method::Post, b"some bytes").await;
}

#[tokio::test]
async fn parts_converge_whichever_call_fails() {
    every_call_fails_once("raw", Method::Multipart, b"one small part").await;
}

#[tokio::test]
async fn clearing_away_converges_whichever_call_fails() {
    let world = World::new().await;
    for when in [When::Before, When::After] {
        for call in 0..8 {
            let begin = Begin {
                method: Some(Method::Multipart),
                ..raw(b"bytes")
            };
            let begun = world.begin(begin).await;
            world.send(&begun.grant, b"bytes").await;
            world.complete(begun.upload.id).await.unwrap();
            let aborted = world
                .begin(Begin {
                    method: Some(Method::Multipart),
                    ..raw(b"more")
                })
                .await;
            flow::abort(&world.app, &me(), aborted.upload.id)
                .await
                .unwrap();
            world.faults.plan(call, when);
            world.work().await;
            world.faults.came_to_pass();
        }
    }
    world.end().await;
}

#[tokio::test]
async fn every_step_may_be_repeated() {
    let world = World::new().await;
    for method in [Method::Put, Method::Post, Method::Multipart] {
        let bytes = b"some bytes";
        let begin = Begin {
            profile: "raw-claimed".to_owned(),
            method: Some(method),
            ..raw(bytes)
        };
        let begun = world.begin(begin).await;
        let id = begun.upload.id;
        for _ in 0..2 {
            world.send(&begun.grant, bytes).await;
        }
        for _ in 0..3 {
            world.complete(id).await.unwrap();
            world.work().await;
        }
        for _ in 0..3 {
            world.claim(&[id], "trip").await.unwrap();
            world.complete(id).await.unwrap();
            world.work().await;
        }
        assert_eq!(world.bytes_of(id).await, bytes);
    }
    world.end().await;
}
