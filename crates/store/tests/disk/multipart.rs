//! Multipart uploads of the durable backend.

use std::{ops::Range, time::Duration};

use crate::{
    common::{MIB, bucket, complete, key, noise, part_number, upload},
    harness::Store,
};
use bytes::Bytes;
use futures_util::future::join_all;
use loadlock_store::disk::{
    Checksum, ChecksumAlgorithm, ChecksumType, CompletePart, CompleteUpload, Condition, CopySource,
    CreateUpload, DiskError, ETag, ListUploads, Metadata, PartInfo, Tags, UploadChecksum, UploadId,
    UploadRef,
};

const PART: usize = 5 * MIB;

#[tokio::test(flavor = "multi_thread")]
async fn parts_in_any_order_become_one_object_also_after_restarts() {
    let mut store = Store::new().await;
    let upload = store.create_upload("video").await;
    let mut parts = Vec::new();
    for number in [3, 1, 2] {
        store = store.reopen();
        let size = if number == 3 { 10 } else { PART };
        parts.push(
            store
                .put_part(&upload, number, &noise(number.into(), size))
                .await,
        );
    }
    parts.sort_by_key(|part| part.number);
    store = store.reopen();
    assert_eq!(store.bytes("video").await, None);
    let info = store
        .disk
        .complete_upload(complete(&upload, &parts))
        .await
        .unwrap();
    assert_eq!(
        (info.size_bytes, info.parts),
        (2 * PART as u64 + 10, Some(3))
    );
    assert!(info.etag.as_str().ends_with("-3"));
    store = store.reopen();
    let expected = [noise(1, PART), noise(2, PART), noise(3, 10)].concat();
    assert_eq!(store.bytes("video").await.unwrap(), expected);
    assert_eq!(
        store
            .disk
            .head_object(&bucket(), &key("video"))
            .await
            .unwrap(),
        info
    );
    assert_eq!(store.data_files_after_closing().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_etag_is_the_md5_of_the_parts_md5s() {
    let store = Store::new().await;
    let upload = store.create_upload("a").await;
    let part = store.put_part(&upload, 1, b"hello").await;
    assert_eq!(part.etag.as_str(), "5d41402abc4b2a76b9719d911017c592");
    let info = store
        .disk
        .complete_upload(complete(&upload, &[part]))
        .await
        .unwrap();
    // printf 5d41402abc4b2a76b9719d911017c592 | xxd -r -p | md5sum
    assert_eq!(info.etag.as_str(), "62109206880d38a4010a98e11243924a-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_completions_at_once_all_get_the_one_answer() {
    let store = Store::new().await;
    let upload = store.create_upload("a").await;
    let parts = [
        store.put_part(&upload, 1, &noise(1, PART)).await,
        store.put_part(&upload, 2, b"end").await,
    ];
    let completion = CompleteUpload {
        condition: Some(Condition::Absent),
        ..complete(&upload, &parts)
    };
    let answers = join_all((0..8).map(|_| store.disk.complete_upload(completion.clone()))).await;
    let first = answers[0].as_ref().unwrap();
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().unwrap() == first)
    );
    assert_eq!(store.bytes("a").await.unwrap().len(), PART + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_uploads_that_must_be_the_first_one_completes() {
    let store = Store::new().await;
    let mut completions = Vec::new();
    for _ in 0..8 {
        let upload = store.create_upload("a").await;
        let part = store.put_part(&upload, 1, b"part").await;
        completions.push(CompleteUpload {
            condition: Some(Condition::Absent),
            ..complete(&upload, &[part])
        });
    }
    let answers = join_all(
        completions
            .into_iter()
            .map(|completion| store.disk.complete_upload(completion)),
    )
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let lost = |answer: &Result<_, _>| matches!(answer, Err(DiskError::PreconditionFailed));
    assert_eq!(answers.iter().filter(|answer| lost(answer)).count(), 7);
    let left = store
        .disk
        .list_uploads(
            &bucket(),
            ListUploads {
                max: 10,
                ..ListUploads::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(left.uploads.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_is_remembered_for_a_day_and_only_with_the_same_parts() {
    let store = Store::new().await;
    let upload = store.create_upload("a").await;
    let part = store.put_part(&upload, 1, b"part").await;
    let completion = complete(&upload, std::slice::from_ref(&part));
    let info = store
        .disk
        .complete_upload(completion.clone())
        .await
        .unwrap();
    store
        .disk
        .delete_object(&bucket(), &key("a"), None)
        .await
        .unwrap();
    store.clock.advance(Duration::from_hours(23));
    let store = store.reopen();
    assert_eq!(
        store
            .disk
            .complete_upload(completion.clone())
            .await
            .unwrap(),
        info
    );
    let other = complete(
        &upload,
        &[PartInfo {
            etag: ETag::new(&"0".repeat(32)),
            ..part.clone()
        }],
    );
    assert!(matches!(
        store.disk.complete_upload(other).await,
        Err(DiskError::NoSuchUpload)
    ));
    let late = store
        .disk
        .put_part(&upload, part.number, store.written(b"late").await)
        .await;
    assert!(matches!(late, Err(DiskError::NoSuchUpload)));
    store.clock.advance(Duration::from_hours(2));
    assert!(matches!(
        store.disk.complete_upload(completion).await,
        Err(DiskError::NoSuchUpload)
    ));
    assert!(store.data_files_after_closing().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_list_that_is_not_what_was_received_changes_nothing() {
    let store = Store::new().await;
    let upload = store.create_upload("a").await;
    let one = store.put_part(&upload, 1, &noise(1, PART - 1)).await;
    let two = store.put_part(&upload, 2, &noise(2, PART)).await;
    let three = store.put_part(&upload, 3, b"end").await;
    let wrong = PartInfo {
        etag: one.etag.clone(),
        ..two.clone()
    };
    let missing = PartInfo {
        number: part_number(9),
        ..three.clone()
    };
    let refused = async |parts: &[&PartInfo]| {
        let parts: Vec<_> = parts.iter().map(|&part| part.clone()).collect();
        store
            .disk
            .complete_upload(complete(&upload, &parts))
            .await
            .unwrap_err()
    };
    assert!(matches!(refused(&[]).await, DiskError::NoParts));
    assert!(matches!(
        refused(&[&three, &two]).await,
        DiskError::InvalidPartOrder
    ));
    assert!(matches!(
        refused(&[&two, &two]).await,
        DiskError::InvalidPartOrder
    ));
    assert!(
        matches!(refused(&[&wrong, &three]).await, DiskError::InvalidPart(part) if part == two.number)
    );
    assert!(matches!(
        refused(&[&two, &missing]).await,
        DiskError::InvalidPart(_)
    ));
    let small = refused(&[&one, &two]).await;
    assert!(matches!(small, DiskError::EntityTooSmall { number, .. } if number == one.number));

    assert_eq!(store.bytes("a").await, None);
    let kept = store
        .disk
        .list_parts(&upload, None, 10)
        .await
        .unwrap()
        .parts;
    assert_eq!(kept, [one, two.clone(), three.clone()]);
    // A part that is not named is let go.
    store
        .disk
        .complete_upload(complete(&upload, &[two, three]))
        .await
        .unwrap();
    assert_eq!(store.data_files_after_closing().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_of_another_size_or_key_is_refused() {
    let store = Store::new().await;
    let upload = store.create_upload("a").await;
    let parts = [store.put_part(&upload, 1, b"part").await];
    let sized = CompleteUpload {
        size_bytes: Some(5),
        ..complete(&upload, &parts)
    };
    let refused = store.disk.complete_upload(sized).await;
    assert!(matches!(refused, Err(DiskError::WholeMismatch("size"))));
    let foreign = UploadRef {
        key: key("b"),
        ..upload.clone()
    };
    let refused = store.disk.complete_upload(complete(&foreign, &parts)).await;
    assert!(matches!(refused, Err(DiskError::NoSuchUpload)));
    let sized = CompleteUpload {
        size_bytes: Some(4),
        ..complete(&upload, &parts)
    };
    store.disk.complete_upload(sized).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_put_again_replaces_the_first() {
    let store = Store::new().await;
    let upload = store.create_upload("a").await;
    store.put_part(&upload, 1, b"first").await;
    let part = store.put_part(&upload, 1, b"second").await;
    store
        .disk
        .complete_upload(complete(&upload, &[part]))
        .await
        .unwrap();
    assert_eq!(store.bytes("a").await.unwrap(), b"second");
    assert_eq!(store.data_files_after_closing().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aborted_upload_is_gone_with_its_parts() {
    let store = Store::new().await;
    let upload = store.create_upload("a").await;
    store.put_part(&upload, 1, b"part").await;
    assert!(matches!(
        store.disk.delete_bucket(&bucket()).await,
        Err(DiskError::BucketNotEmpty)
    ));
    store.disk.abort_upload(&upload).await.unwrap();
    assert!(matches!(
        store.disk.abort_upload(&upload).await,
        Err(DiskError::NoSuchUpload)
    ));
    assert!(matches!(
        store.disk.list_parts(&upload, None, 10).await,
        Err(DiskError::NoSuchUpload)
    ));
    store.disk.delete_bucket(&bucket()).await.unwrap();
    assert!(store.data_files_after_closing().is_empty());
}

async fn checked_part(store: &Store, upload: &UploadRef, number: u32, bytes: Vec<u8>) -> PartInfo {
    let algorithm = store
        .disk
        .upload(upload)
        .await
        .unwrap()
        .checksum
        .unwrap()
        .algorithm;
    let mut writer = store.disk.writer(&[algorithm]);
    writer.write(bytes.into()).await.unwrap();
    let written = writer.finish().await.unwrap();
    store
        .disk
        .put_part(upload, part_number(number), written)
        .await
        .unwrap()
}

async fn checked_upload(
    store: &Store,
    algorithm: ChecksumAlgorithm,
    kind: ChecksumType,
) -> Result<UploadRef, DiskError> {
    let checksum = Some(UploadChecksum { algorithm, kind });
    let create = CreateUpload {
        bucket: bucket(),
        key: key("a"),
        metadata: Metadata::default(),
        tags: Tags::default(),
        checksum,
    };
    Ok(upload("a", store.disk.create_upload(create).await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_objects_crc_is_that_of_its_bytes_and_must_be_the_one_promised() {
    let store = Store::new().await;
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32c,
        ChecksumAlgorithm::Crc64Nvme,
    ] {
        let upload = checked_upload(&store, algorithm, ChecksumType::FullObject)
            .await
            .unwrap();
        let (one, two) = (noise(1, PART), noise(2, 1000));
        let mut writer = store.disk.writer(&[algorithm]);
        writer
            .write([one.clone(), two.clone()].concat().into())
            .await
            .unwrap();
        let whole = writer.finish().await.unwrap().checksums()[0].clone();
        let parts = [
            checked_part(&store, &upload, 1, one).await,
            checked_part(&store, &upload, 2, two).await,
        ];
        let lie = Checksum {
            value: parts[0].checksums[0].value.clone(),
            ..whole.clone()
        };
        let refused = CompleteUpload {
            checksum: Some(lie),
            ..complete(&upload, &parts)
        };
        let refused = store.disk.complete_upload(refused).await;
        assert!(matches!(refused, Err(DiskError::WholeMismatch("checksum"))));
        let accepted = CompleteUpload {
            checksum: Some(whole.clone()),
            ..complete(&upload, &parts)
        };
        assert_eq!(
            store
                .disk
                .complete_upload(accepted)
                .await
                .unwrap()
                .checksums,
            [whole]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parts_checksum_must_be_the_one_named_at_completion() {
    let store = Store::new().await;
    let upload = checked_upload(&store, ChecksumAlgorithm::Sha256, ChecksumType::Composite)
        .await
        .unwrap();
    let part = checked_part(&store, &upload, 1, b"part".to_vec()).await;
    let name = |checksum: Checksum| CompleteUpload {
        parts: vec![CompletePart {
            number: part.number,
            etag: part.etag.clone(),
            checksum: Some(checksum),
        }],
        ..complete(&upload, &[])
    };
    let own = part.checksums[0].clone();
    let wrong = store
        .disk
        .complete_upload(name(Checksum {
            value: "AAAA".to_owned(),
            ..own.clone()
        }))
        .await;
    assert!(matches!(wrong, Err(DiskError::InvalidPart(_))));
    let info = store.disk.complete_upload(name(own)).await.unwrap();
    assert!(info.checksums[0].value.ends_with("-1"));
    assert_eq!(info.checksums[0].kind, ChecksumType::Composite);
    let impossible =
        checked_upload(&store, ChecksumAlgorithm::Sha256, ChecksumType::FullObject).await;
    assert!(matches!(
        impossible,
        Err(DiskError::ChecksumTypeUnsupported)
    ));
}

fn source(name: &str) -> CopySource {
    CopySource {
        bucket: bucket(),
        key: key(name),
        etag: None,
    }
}

fn offsets(range: Range<usize>) -> Range<u64> {
    range.start as u64..range.end as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_objects_become_parts_without_a_byte_written() {
    let store = Store::new().await;
    let bytes = noise(1, 12 * MIB);
    store.put("source", &bytes).await;
    let split = 6 * MIB + 1;
    let upload = store.create_upload("joined").await;
    let copy = |number, from, range| {
        store
            .disk
            .copy_part(&upload, part_number(number), source(from), range)
    };
    let tail = copy(1, "source", Some(offsets(split..bytes.len())))
        .await
        .unwrap();
    let head = copy(2, "source", Some(offsets(0..split))).await.unwrap();
    assert_ne!(tail.etag, head.etag);
    store
        .disk
        .delete_object(&bucket(), &key("source"), None)
        .await
        .unwrap();
    store
        .disk
        .complete_upload(complete(&upload, &[tail, head]))
        .await
        .unwrap();

    // And ranges of what consists of ranges.
    let upload = store.create_upload("again").await;
    let cut = 3 * MIB..9 * MIB;
    let part = store.disk.copy_part(
        &upload,
        part_number(1),
        source("joined"),
        Some(offsets(cut.clone())),
    );
    let part = part.await.unwrap();
    store
        .disk
        .complete_upload(complete(&upload, &[part]))
        .await
        .unwrap();
    let store = store.reopen();
    let joined = [&bytes[split..], &bytes[..split]].concat();
    assert_eq!(store.bytes("joined").await.unwrap(), joined);
    assert_eq!(store.bytes("again").await.unwrap(), joined[cut]);
    assert_eq!(store.data_files_after_closing().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_copied_only_from_what_is_there() {
    let store = Store::new().await;
    let info = store.put("source", b"bytes").await;
    let upload = store.create_upload("a").await;
    let copy = |source, range| store.disk.copy_part(&upload, part_number(1), source, range);
    assert_eq!(copy(source("source"), None).await.unwrap().etag, info.etag);
    assert!(matches!(
        copy(source("source"), Some(0..6)).await,
        Err(DiskError::InvalidRange)
    ));
    assert!(matches!(
        copy(source("none"), None).await,
        Err(DiskError::NoSuchKey)
    ));
    let stale = CopySource {
        etag: Some(ETag::new("other")),
        ..source("source")
    };
    assert!(matches!(
        copy(stale, None).await,
        Err(DiskError::PreconditionFailed)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_part_has_the_checksum_that_its_upload_asks_for() {
    let store = Store::new().await;
    let bytes = noise(1, PART + 100);
    store.put("source", &bytes).await;
    let upload = checked_upload(&store, ChecksumAlgorithm::Crc32, ChecksumType::FullObject)
        .await
        .unwrap();
    let source = CopySource {
        bucket: bucket(),
        key: key("source"),
        etag: None,
    };
    let copied = store
        .disk
        .copy_part(&upload, part_number(1), source, Some(0..PART as u64))
        .await
        .unwrap();
    let put = checked_part(&store, &upload, 2, bytes[..PART].to_vec()).await;
    assert_eq!(
        (copied.etag.clone(), copied.checksums.clone()),
        (put.etag.clone(), put.checksums.clone())
    );
    let info = store
        .disk
        .complete_upload(complete(&upload, &[copied, put]))
        .await
        .unwrap();
    assert_eq!(info.size_bytes, 2 * PART as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_listed_by_number_in_pages() {
    let store = Store::new().await;
    let upload = store.create_upload("a").await;
    for number in [10_000, 2, 1, 40] {
        store.put_part(&upload, number, &[0]).await;
    }
    let page = store.disk.list_parts(&upload, None, 3).await.unwrap();
    let numbers = |parts: &[PartInfo]| {
        parts
            .iter()
            .map(|part| part.number.get())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (numbers(&page.parts), page.next),
        (vec![1, 2, 40], Some(part_number(40)))
    );
    let page = store.disk.list_parts(&upload, page.next, 3).await.unwrap();
    assert_eq!((numbers(&page.parts), page.next), (vec![10_000], None));
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_are_listed_by_key_and_id_in_pages() {
    let store = Store::new().await;
    let mut all = Vec::new();
    for name in ["x/b", "x/a", "x/b", "y"] {
        let upload = store.create_upload(name).await;
        all.push((name.to_owned(), upload.id));
    }
    all.sort();
    let mut seen: Vec<(String, UploadId)> = Vec::new();
    loop {
        let after = seen
            .last()
            .map(|(name, id)| (name.clone(), Some(id.clone())));
        let list = ListUploads {
            prefix: "x/".to_owned(),
            after,
            max: 2,
        };
        let page = store.disk.list_uploads(&bucket(), list).await.unwrap();
        seen.extend(
            page.uploads
                .iter()
                .map(|upload| (upload.key.to_string(), upload.id.clone())),
        );
        if !page.truncated {
            break;
        }
    }
    assert_eq!(seen, all[..3]);
    let after_key = ListUploads {
        prefix: String::new(),
        after: Some(("x/b".to_owned(), None)),
        max: 9,
    };
    let page = store.disk.list_uploads(&bucket(), after_key).await.unwrap();
    assert_eq!(
        page.uploads
            .iter()
            .map(|upload| upload.key.as_str())
            .collect::<Vec<_>>(),
        ["y"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_parts_complete_without_their_bytes_being_touched() {
    let store = Store::new().await;
    let bytes = noise(1, PART);
    store.put("source", &bytes).await;
    let source = CopySource {
        bucket: bucket(),
        key: key("source"),
        etag: None,
    };
    let upload = store.create_upload("large").await;
    let copies = (1..=10_000).map(|number| {
        store
            .disk
            .copy_part(&upload, part_number(number), source.clone(), None)
    });
    let parts = join_all(copies)
        .await
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let info = store
        .disk
        .complete_upload(complete(&upload, &parts))
        .await
        .unwrap();
    assert_eq!(info.size_bytes, 10_000 * PART as u64);
    let object = store.disk.object(&bucket(), &key("large")).await.unwrap();
    let middle = 7777 * PART as u64;
    let stream = object.read(middle - 10..middle + 10).unwrap();
    let chunks: Vec<Bytes> = futures_util::TryStreamExt::try_collect(stream)
        .await
        .unwrap();
    assert_eq!(
        chunks.concat(),
        [&bytes[PART - 10..], &bytes[..10]].concat()
    );
}
