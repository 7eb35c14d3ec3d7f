//! Each method, from the grant to the stored file.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use loadlock::{
    error::Kind,
    flow::{self, Begin, FileQuery, Grant},
    upload::{Checksum, ChecksumAlgorithm, Method},
};
use sha2::{Digest as _, Sha256};

use crate::world::{PNG, World, kind, me, png, raw, user};

/// Two parts: one of 8 MiB and a short one.
fn two_parts() -> Vec<u8> {
    (0..(8 << 20) + 5)
        .map(|n: u32| n.to_le_bytes()[1])
        .collect()
}

#[tokio::test]
async fn a_put_goes_from_the_grant_to_the_stored_file() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    assert_eq!(begun.upload.method, Method::Put);
    assert_eq!(world.send(&begun.grant, PNG).await.status(), 200);
    let progress = world.complete(begun.upload.id).await.unwrap();
    assert_eq!(progress.upload.state.name(), "stored");
    let file = progress.file.unwrap();
    assert_eq!(file.dimensions, Some((7, 5)));
    assert_eq!(file.content_type.as_str(), "image/png");
    assert!(file.key.as_str().contains(&file.id.to_string()));
    assert!(!file.key.as_str().contains("photo"));

    let shown = flow::file(&world.app, &me(), file.id).await.unwrap();
    let answer = world.fetch(shown.display.url.expose()).await;
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "image/png");
    assert_eq!(
        header("content-disposition"),
        "inline; filename=\"photo.png\""
    );
    assert_eq!(
        header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(answer.bytes().await.unwrap(), PNG);
    world.end().await;
}

#[tokio::test]
async fn a_form_is_stored_as_it_was_inspected() {
    let world = World::new().await;
    let begun = world
        .begin(Begin {
            method: Some(Method::Post),
            ..png()
        })
        .await;
    assert_eq!(world.send(&begun.grant, PNG).await.status(), 204);
    let progress = world.complete(begun.upload.id).await.unwrap();
    assert_eq!(progress.upload.state.name(), "stored");
    assert_eq!(world.bytes_of(begun.upload.id).await, PNG);
    world.end().await;
}

#[tokio::test]
async fn parts_are_joined_by_the_server() {
    let world = World::new().await;
    let bytes = two_parts();
    let begun = world
        .begin(Begin {
            method: Some(Method::Multipart),
            ..raw(&bytes)
        })
        .await;
    assert_eq!(world.send(&begun.grant, &bytes).await.status(), 200);
    let progress = world.complete(begun.upload.id).await.unwrap();
    assert_eq!(progress.upload.state.name(), "stored");
    assert_eq!(world.bytes_of(begun.upload.id).await, bytes);
    world.end().await;
}

#[tokio::test]
async fn a_transfer_is_resumed_from_the_parts_the_store_holds() {
    let world = World::new().await;
    let bytes = two_parts();
    let begun = world
        .begin(Begin {
            method: Some(Method::Multipart),
            ..raw(&bytes)
        })
        .await;
    let Grant::Multipart {
        parts,
        part_size_bytes,
        ..
    } = &begun.grant
    else {
        panic!("parts were asked for");
    };
    let id = begun.upload.id;
    world.send_part(&parts[1], *part_size_bytes, &bytes).await;
    let error = world.complete(id).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotReceived);
    assert_eq!(
        error.details().unwrap()["missing_parts"],
        serde_json::json!([1])
    );

    // The first URLs have expired by now, the upload has not.
    world.clock.advance(Duration::from_mins(30));
    assert_eq!(
        world
            .send_part(&parts[0], *part_size_bytes, &bytes)
            .await
            .status(),
        403
    );
    let signed = flow::sign(&world.app, &me(), id, &[1]).await.unwrap();
    assert_eq!(signed.held.len(), 1);
    assert_eq!(
        (signed.held[0].number.value(), signed.held[0].size_bytes),
        (2, 5)
    );
    world
        .send_part(&signed.parts[0], signed.part_size_bytes, &bytes)
        .await;
    assert_eq!(
        world.complete(id).await.unwrap().upload.state.name(),
        "stored"
    );
    assert_eq!(world.bytes_of(id).await, bytes);
    assert_eq!(
        kind(flow::sign(&world.app, &me(), id, &[1]).await),
        Kind::UploadEnded
    );
    world.end().await;
}

#[tokio::test]
async fn part_numbers_are_those_of_the_plan() {
    let world = World::new().await;
    let bytes = two_parts();
    let begun = world
        .begin(Begin {
            method: Some(Method::Multipart),
            ..raw(&bytes)
        })
        .await;
    let many: Vec<u64> = (1..=101).collect();
    for numbers in [&[0][..], &[3], &[70_000], &many] {
        let refused = flow::sign(&world.app, &me(), begun.upload.id, numbers).await;
        assert_eq!(kind(refused), Kind::InvalidRequest, "{numbers:?}");
    }
    let put = world.begin(png()).await.upload.id;
    assert_eq!(
        kind(flow::sign(&world.app, &me(), put, &[]).await),
        Kind::InvalidRequest
    );
    world.end().await;
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let world = World::new().await;
    for method in [Method::Put, Method::Post] {
        let begun = world
            .begin(Begin {
                method: Some(method),
                ..raw(b"")
            })
            .await;
        assert!(world.send(&begun.grant, b"").await.status().is_success());
        let progress = world.complete(begun.upload.id).await.unwrap();
        assert_eq!(progress.file.unwrap().size_bytes, 0);
        assert_eq!(world.bytes_of(begun.upload.id).await, b"");
    }
    world.end().await;
}

fn sha256(bytes: &[u8]) -> Checksum {
    let value = STANDARD.encode(Sha256::digest(bytes));
    Checksum::new(ChecksumAlgorithm::Sha256, &value).unwrap()
}

#[tokio::test]
async fn a_declared_checksum_is_held_by_the_store() {
    let world = World::new().await;
    for method in [Method::Put, Method::Post] {
        let begin = Begin {
            checksum: Some(sha256(b"right")),
            method: Some(method),
            ..raw(b"right")
        };
        let begun = world.begin(begin).await;
        assert_eq!(world.send(&begun.grant, b"wrong").await.status(), 400);
        assert_eq!(
            kind(world.complete(begun.upload.id).await),
            Kind::NotReceived
        );
        assert!(
            world
                .send(&begun.grant, b"right")
                .await
                .status()
                .is_success()
        );
        let progress = world.complete(begun.upload.id).await.unwrap();
        assert_eq!(progress.file.unwrap().checksum, Some(sha256(b"right")));
    }
    world.end().await;
}

#[tokio::test]
async fn a_whole_file_crc_is_held_over_parts() {
    let world = World::new().await;
    let bytes = two_parts();
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &bytes);
    for (value, stored) in [(crc, true), (crc ^ 1, false)] {
        let value = STANDARD.encode(value.to_be_bytes());
        let begin = Begin {
            checksum: Some(Checksum::new(ChecksumAlgorithm::Crc64nvme, &value).unwrap()),
            method: Some(Method::Multipart),
            ..raw(&bytes)
        };
        let begun = world.begin(begin).await;
        assert_eq!(world.send(&begun.grant, &bytes).await.status(), 200);
        let completed = world.complete(begun.upload.id).await;
        assert_eq!(completed.is_ok(), stored);
        let state = world.state(begun.upload.id).await;
        assert_eq!(state, if stored { "stored" } else { "rejected" });
    }
    world.end().await;
}

#[tokio::test]
async fn completing_twice_returns_the_same_file() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    let first = world.complete(begun.upload.id).await.unwrap();
    let second = world.complete(begun.upload.id).await.unwrap();
    assert_eq!(first.file, second.file);
    world.end().await;
}

#[tokio::test]
async fn many_completions_at_once_make_one_file() {
    let world = World::new().await;
    for method in [Method::Put, Method::Post] {
        let begun = world
            .begin(Begin {
                method: Some(method),
                ..png()
            })
            .await;
        world.send(&begun.grant, PNG).await;
        let id = begun.upload.id;
        let all = futures_util::future::join_all((0..8).map(|_| world.complete(id))).await;
        let files: Vec<_> = all
            .into_iter()
            .map(|one| one.unwrap().file.unwrap())
            .collect();
        assert!(files.windows(2).all(|two| two[0] == two[1]));
        assert_eq!(world.events(id).await, ["received", "ready", "stored"]);
    }
    assert_eq!(world.lies_in("final").await.len(), 2);
    world.end().await;
}

#[tokio::test]
async fn waiting_ends_when_the_upload_is_stored() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    let id = begun.upload.id;
    let caller = me();
    let wait = flow::look(&world.app, &caller, id, Duration::from_secs(30));
    let send = async {
        world.send(&begun.grant, PNG).await;
        world.complete(id).await.unwrap();
    };
    let (seen, ()) = tokio::join!(wait, send);
    assert_eq!(seen.unwrap().upload.state.name(), "stored");
    let now = flow::look(&world.app, &me(), id, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(now.file.unwrap().id, id);
    world.end().await;
}

#[tokio::test]
async fn begins_at_the_same_time_are_all_recorded() {
    let world = World::new().await;
    let all = futures_util::future::join_all((0..700).map(|_| world.begin(png()))).await;
    for begun in &all {
        assert_eq!(world.state(begun.upload.id).await, "issued");
    }
    world.end().await;
}

#[tokio::test]
async fn files_are_listed_to_their_owner_page_by_page() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let begun = world.begin(png()).await;
        world.send(&begun.grant, PNG).await;
        world.complete(begun.upload.id).await.unwrap();
        ids.push(begun.upload.id);
        world.clock.advance(Duration::from_secs(1));
    }
    let page = |cursor| FileQuery {
        owner: None,
        cursor,
        limit: Some(2),
    };
    let first = flow::files(&world.app, &me(), page(None)).await.unwrap();
    let second = flow::files(&world.app, &me(), page(first.next_cursor))
        .await
        .unwrap();
    let listed: Vec<_> = first
        .files
        .iter()
        .chain(&second.files)
        .map(|file| file.id)
        .collect();
    ids.reverse();
    assert_eq!(listed, ids);
    assert_eq!(second.next_cursor, None);
    let others = flow::files(&world.app, &user("you"), FileQuery::default())
        .await
        .unwrap();
    assert!(others.files.is_empty());
    world.end().await;
}

#[tokio::test]
async fn when_too_many_wait_the_next_is_told_how_things_stand() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    let id = begun.upload.id;
    let everybody = u32::try_from(world.app.waiting.available_permits()).unwrap();
    let places = world.app.waiting.acquire_many(everybody).await.unwrap();
    let caller = me();
    let at_once = flow::look(&world.app, &caller, id, Duration::from_secs(30));
    let at_once = tokio::time::timeout(Duration::from_secs(5), at_once).await;
    assert_eq!(at_once.unwrap().unwrap().upload.state.name(), "issued");
    drop(places);
    flow::abort(&world.app, &me(), id).await.unwrap();
    world.end().await;
}
