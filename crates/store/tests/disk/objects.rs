//! Objects of the durable backend: put, read, deleted and copied, raced for, and found again after a restart.

use crate::{
    common::{MIB, bucket, files_below, key, noise, upload},
    harness::Store,
};
use futures_util::{StreamExt as _, TryStreamExt as _, future::join_all};
use loadlock_store::{
    clock::Clock,
    disk::{
        BucketName, ChecksumAlgorithm, Condition, CopySource, CopyTarget, Disk, DiskError, ETag,
        Metadata, ObjectInfo, ObjectKey, OpenError, PutObject, Tags, UploadId,
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_is_read_again_also_after_a_restart() {
    let store = Store::new().await;
    let sizes = [0, 1, 100_000, MIB, 3 * MIB + 7];
    for (seed, size) in sizes.into_iter().enumerate() {
        let info = store
            .put(&format!("size {size}"), &noise(seed as u64, size))
            .await;
        assert_eq!(info.size_bytes, size as u64);
    }
    let store = store.reopen();
    for (seed, size) in sizes.into_iter().enumerate() {
        assert_eq!(
            store.bytes(&format!("size {size}")).await.unwrap(),
            noise(seed as u64, size)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_objects_facts_are_kept_as_they_were_given() {
    let store = Store::new().await;
    let mut writer = store.disk.writer(&ChecksumAlgorithm::ALL);
    writer.write("hello".into()).await.unwrap();
    let written = writer.finish().await.unwrap();
    let checksums = written.checksums().to_vec();
    let metadata = Metadata {
        content_type: Some("text/plain".to_owned()),
        user: [("name".to_owned(), "ÄÖ日本".to_owned())].into(),
        ..Metadata::default()
    };
    let put = PutObject {
        bucket: bucket(),
        key: key("a"),
        metadata: metadata.clone(),
        tags: tags(&[("team", "photos")]),
        condition: None,
    };
    let answered = store.disk.put_object(written, put).await.unwrap();
    let store = store.reopen();
    let info = store.disk.head_object(&bucket(), &key("a")).await.unwrap();
    assert_eq!(info, answered);
    assert_eq!(info.etag, ETag::new("\"5d41402abc4b2a76b9719d911017c592\""));
    assert_eq!(
        (info.metadata, info.checksums, info.parts),
        (metadata, checksums, None)
    );
    assert_eq!(info.modified, store.clock.now());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_bytes_and_not_paths() {
    let store = Store::new().await;
    let long = "é".repeat(512);
    let names = [
        "a",
        "a/",
        "a/b",
        "a//b",
        "../x",
        "/",
        "//",
        "./",
        ".",
        "..",
        "\u{1f600}\n\"'\\",
        "A",
        &long,
    ];
    for name in names {
        store.put(name, name.as_bytes()).await;
    }
    let store = store.reopen();
    for name in names {
        assert_eq!(
            store.bytes(name).await.unwrap(),
            name.as_bytes(),
            "{name:?}"
        );
    }
    assert!(matches!(
        ObjectKey::parse("e".repeat(1025)),
        Err(DiskError::KeyTooLong)
    ));
    assert!(matches!(ObjectKey::parse(""), Err(DiskError::KeyEmpty)));
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_read_to_the_byte_and_only_within_the_object() {
    let store = Store::new().await;
    let bytes = noise(1, 2 * MIB + 5);
    store.put("a", &bytes).await;
    let end = bytes.len();
    for range in [
        0..0,
        0..1,
        5..5,
        end - 1..end,
        524_287..524_289,
        1..end,
        end..end,
    ] {
        let object = store.disk.object(&bucket(), &key("a")).await.unwrap();
        let stream = object.read(range.start as u64..range.end as u64).unwrap();
        let chunks: Vec<_> = stream.try_collect().await.unwrap();
        assert_eq!(chunks.concat(), bytes[range.clone()], "{range:?}");
    }
    let end = end as u64;
    for range in [
        0..end + 1,
        end + 1..end + 1,
        std::ops::Range { start: 2, end: 1 },
    ] {
        let object = store.disk.object(&bucket(), &key("a")).await.unwrap();
        assert!(matches!(object.read(range), Err(DiskError::InvalidRange)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_racing_writers_exactly_one_wins_and_the_others_leave_nothing() {
    let store = Store::new().await;
    for round in 0..5 {
        let name = format!("raced for {round}");
        let racers = (0..8).map(|racer| {
            let (store, name) = (&store, &name);
            async move {
                store
                    .put_if(name, &noise(racer, 200_000), Some(Condition::Absent))
                    .await
                    .map(|_| racer)
            }
        });
        let (won, lost): (Vec<_>, Vec<_>) =
            join_all(racers).await.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 7));
        assert!(
            lost.iter()
                .all(|lost| matches!(lost, Err(DiskError::PreconditionFailed)))
        );
        let winner = *won[0].as_ref().unwrap();
        assert_eq!(store.bytes(&name).await.unwrap(), noise(winner, 200_000));
    }
    assert_eq!(store.data_files_after_closing().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_pinned_to_an_etag_fails_once_the_object_is_another() {
    let store = Store::new().await;
    let matches = |etag: &ETag| Some(Condition::Matches(etag.clone()));
    let first = store.put("a", b"first").await.etag;
    assert!(matches!(
        store.put_if("b", b"x", matches(&first)).await,
        Err(DiskError::NoSuchKey)
    ));
    store.put_if("a", b"second", matches(&first)).await.unwrap();
    assert!(matches!(
        store.put_if("a", b"third", matches(&first)).await,
        Err(DiskError::PreconditionFailed)
    ));
    let delete = store
        .disk
        .delete_object(
            &bucket(),
            &key("a"),
            Some(Condition::Matches(first.clone())),
        )
        .await;
    assert!(matches!(delete, Err(DiskError::PreconditionFailed)));
    assert_eq!(store.bytes("a").await.unwrap(), b"second");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_is_idempotent_and_frees_the_data() {
    let store = Store::new().await;
    store.put("a", b"gone").await;
    for _ in 0..2 {
        store
            .disk
            .delete_object(&bucket(), &key("a"), None)
            .await
            .unwrap();
        assert_eq!(store.bytes("a").await, None);
    }
    assert!(store.data_files_after_closing().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn overwriting_frees_the_old_data() {
    let store = Store::new().await;
    for round in 0..10 {
        store.put("a", &noise(round, 1000)).await;
    }
    assert_eq!(store.bytes("a").await.unwrap(), noise(9, 1000));
    assert_eq!(store.data_files_after_closing().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_gets_the_version_it_opened_whatever_happens_meanwhile() {
    let store = Store::new().await;
    let bytes = noise(1, 8 * MIB);
    store.put("a", &bytes).await;
    let overwritten = store.disk.object(&bucket(), &key("a")).await.unwrap();
    let mut started = store
        .disk
        .object(&bucket(), &key("a"))
        .await
        .unwrap()
        .read(0..8 * MIB as u64)
        .unwrap();
    let first = started.next().await.unwrap().unwrap();
    store.put("a", b"other").await;
    store
        .disk
        .delete_object(&bucket(), &key("a"), None)
        .await
        .unwrap();
    // A later change is answered after the collector has been told of the earlier ones.
    store.put("b", b"b").await;
    let chunks: Vec<_> = overwritten
        .read(0..8 * MIB as u64)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(chunks.concat(), bytes);
    let rest: Vec<_> = started.try_collect().await.unwrap();
    assert_eq!([first.to_vec(), rest.concat()].concat(), bytes);
    assert_eq!(store.data_files_after_closing().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_writer_leaves_nothing() {
    let store = Store::new().await;
    let mut writer = store.disk.writer(&[]);
    writer.write(noise(1, 5 * MIB).into()).await.unwrap();
    drop(writer);
    drop(store.written(b"finished, but never put").await);
    assert!(store.data_files_after_closing().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_shares_the_bytes_and_outlives_its_source() {
    let store = Store::new().await;
    let bytes = noise(1, MIB);
    let info = store.put("a", &bytes).await;
    let source = CopySource {
        bucket: bucket(),
        key: key("a"),
        etag: Some(info.etag.clone()),
    };
    let replaced = Metadata {
        content_type: Some("image/png".to_owned()),
        ..Metadata::default()
    };
    let target = |name: &str, metadata: Option<Metadata>| CopyTarget {
        bucket: bucket(),
        key: key(name),
        metadata,
        tags: tags(&[("copy", "yes")]),
        condition: Some(Condition::Absent),
    };
    store
        .disk
        .copy_object(source.clone(), target("b", Some(replaced.clone())))
        .await
        .unwrap();
    let again = store
        .disk
        .copy_object(source.clone(), target("b", None))
        .await;
    assert!(matches!(again, Err(DiskError::PreconditionFailed)));
    store.put("a", b"another").await;
    let stale = store.disk.copy_object(source, target("c", None)).await;
    assert!(matches!(stale, Err(DiskError::PreconditionFailed)));
    store
        .disk
        .delete_object(&bucket(), &key("a"), None)
        .await
        .unwrap();
    let store = store.reopen();
    let copy = store.disk.head_object(&bucket(), &key("b")).await.unwrap();
    assert_eq!((copy.etag, copy.metadata), (info.etag, replaced));
    assert_eq!(copy.tags, tags(&[("copy", "yes")]));
    assert_eq!(store.bytes("b").await.unwrap(), bytes);
    assert_eq!(store.data_files_after_closing().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_copied_onto_itself_keeps_its_bytes() {
    let store = Store::new().await;
    store.put("a", b"same").await;
    let source = CopySource {
        bucket: bucket(),
        key: key("a"),
        etag: None,
    };
    let metadata = Some(Metadata {
        expires: Some("never".to_owned()),
        ..Metadata::default()
    });
    let target = CopyTarget {
        bucket: bucket(),
        key: key("a"),
        metadata: metadata.clone(),
        tags: tags(&[("team", "photos")]),
        condition: None,
    };
    let info = store.disk.copy_object(source, target).await.unwrap();
    assert_eq!(Some(info.metadata), metadata);
    let store = store.reopen();
    assert_eq!(store.bytes("a").await.unwrap(), b"same");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_bucket_there_are_no_objects() {
    let store = Store::new().await;
    let nowhere = BucketName::parse("nowhere").unwrap();
    let put = PutObject {
        bucket: nowhere.clone(),
        key: key("a"),
        metadata: Metadata::default(),
        tags: Tags::default(),
        condition: None,
    };
    let written = store.written(b"x").await;
    assert!(matches!(
        store.disk.put_object(written, put).await,
        Err(DiskError::NoSuchBucket)
    ));
    assert!(matches!(
        store.disk.head_object(&nowhere, &key("a")).await,
        Err(DiskError::NoSuchBucket)
    ));
    let missing = store.disk.head_object(&bucket(), &key("a")).await;
    assert!(matches!(missing, Err(DiskError::NoSuchKey)));
    assert!(store.data_files_after_closing().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_has_one_store_at_a_time() {
    let store = Store::new().await;
    let second = Disk::open(store.path(), Clock::system());
    assert!(matches!(second, Err(OpenError::Locked)));
    store.reopen();
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_sweeps_what_an_interrupted_run_left() {
    let store = Store::new().await;
    store.put("a", b"kept").await;
    let kept = files_below(&store.path().join("data"));
    let orphan = kept[0].with_file_name("0000010000000fff");
    std::fs::write(&orphan, "renamed, never committed").unwrap();
    std::fs::write(store.path().join("tmp/0000010000000abc"), "half").unwrap();
    let store = store.reopen();
    assert_eq!(store.bytes("a").await.unwrap(), b"kept");
    assert_eq!(store.data_files_after_closing(), kept);
}

fn tags(pairs: &[(&str, &str)]) -> Tags {
    let owned = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Tags::new(owned).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_replaced_without_the_object_and_outlive_a_start() {
    let store = Store::new().await;
    let put = store.put("a", b"tagged").await;
    let team = tags(&[("team", "photos"), ("é", "")]);
    let (bucket, a) = (bucket(), key("a"));
    store
        .disk
        .put_tags(&bucket, &a, team.clone())
        .await
        .unwrap();
    let store = store.reopen();
    let found = store.disk.head_object(&bucket, &a).await.unwrap();
    assert_eq!(found, ObjectInfo { tags: team, ..put });
    let none = store.disk.put_tags(&bucket, &a, Tags::default()).await;
    none.unwrap();
    let found = store.disk.head_object(&bucket, &a).await.unwrap();
    assert!(found.tags.is_empty());
    store
        .disk
        .put_tags(&bucket, &a, tags(&[("b", "c")]))
        .await
        .unwrap();
    // Another object under the key has none of them.
    assert!(store.put("a", b"new").await.tags.is_empty());
    let gone = store
        .disk
        .put_tags(&bucket, &key("b"), Tags::default())
        .await;
    assert!(matches!(gone, Err(DiskError::NoSuchKey)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_store_is_read_and_its_objects_take_tags() {
    let dir = tempfile::tempdir().unwrap();
    let old = rusqlite::Connection::open(dir.path().join("store.db")).unwrap();
    old.execute_batch(include_str!("../../src/disk/schema.sql"))
        .unwrap();
    old.execute_batch(
        "INSERT INTO bucket VALUES (1, 'box', 0);
         INSERT INTO object VALUES (1, 1, 'a', 1, 'd41d8cd98f00b204e9800998ecf8427e', 0, 5, '{}', '[]', NULL);
         INSERT INTO upload VALUES ('u', 1, 'b', 5, '{}', 'null');
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);
    let disk = Disk::open(dir.path(), Clock::system()).unwrap();
    let info = disk.head_object(&bucket(), &key("a")).await.unwrap();
    assert_eq!((info.size_bytes, info.tags), (0, Tags::default()));
    let team = tags(&[("team", "photos")]);
    disk.put_tags(&bucket(), &key("a"), team.clone())
        .await
        .unwrap();
    let info = disk.head_object(&bucket(), &key("a")).await.unwrap();
    assert_eq!(info.tags, team);
    let begun = disk.upload(&upload("b", UploadId::new("u"))).await.unwrap();
    assert!(begun.tags.is_empty());
}
