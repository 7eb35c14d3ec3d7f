//! Buckets of the durable backend: their names, configuration, listings and lifecycle.

use std::time::Duration;

use crate::{
    common::{bucket, key},
    harness::Store,
};
use loadlock_store::{
    disk::{BucketName, ConfigKind, DiskError, Expired, ListObjects, ObjectPage},
    lifecycle::{Expiration, Lifecycle, Rule, Status},
};

#[test]
fn bucket_names_follow_s3s_rules() {
    for name in ["abc", "a-b.c0", "0-0", &"x".repeat(63)] {
        assert!(BucketName::parse(name).is_ok(), "{name}");
    }
    for name in [
        "ab",
        "Abc",
        "a_b",
        "a..b",
        ".ab",
        "ab.",
        "-ab",
        "a.-b",
        "127.0.0.1",
        "a/b",
        "äöü",
        &"x".repeat(64),
    ] {
        assert!(
            matches!(BucketName::parse(name), Err(DiskError::InvalidBucketName)),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_are_created_once_listed_by_name_and_deleted_when_empty() {
    let store = Store::new().await;
    let second = BucketName::parse("alpha").unwrap();
    let info = store.disk.create_bucket(&second).await.unwrap();
    assert!(matches!(
        store.disk.create_bucket(&second).await,
        Err(DiskError::BucketAlreadyExists)
    ));
    let store = store.reopen();
    assert_eq!(store.disk.head_bucket(&second).await.unwrap(), info);
    let names: Vec<_> = store
        .disk
        .list_buckets()
        .await
        .unwrap()
        .into_iter()
        .map(|info| info.name)
        .collect();
    assert_eq!(names, [second, bucket()]);
    store.put("a", b"a").await;
    assert!(matches!(
        store.disk.delete_bucket(&bucket()).await,
        Err(DiskError::BucketNotEmpty)
    ));
    store
        .disk
        .delete_object(&bucket(), &key("a"), None)
        .await
        .unwrap();
    store.disk.delete_bucket(&bucket()).await.unwrap();
    assert!(matches!(
        store.disk.head_bucket(&bucket()).await,
        Err(DiskError::NoSuchBucket)
    ));
    assert!(matches!(
        store.disk.delete_bucket(&bucket()).await,
        Err(DiskError::NoSuchBucket)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buckets_configuration_is_kept_by_kind_and_goes_with_it() {
    let store = Store::new().await;
    let rules = Lifecycle {
        rules: vec![rule("", Expiration::Days(1))],
    };
    store
        .disk
        .put_bucket_config(&bucket(), ConfigKind::Cors, b"one".to_vec())
        .await
        .unwrap();
    store
        .disk
        .put_bucket_config(&bucket(), ConfigKind::Cors, b"two".to_vec())
        .await
        .unwrap();
    store.disk.put_lifecycle(&bucket(), &rules).await.unwrap();
    let store = store.reopen();
    let cors = store
        .disk
        .bucket_config(&bucket(), ConfigKind::Cors)
        .await
        .unwrap();
    assert_eq!(cors.as_deref(), Some(&b"two"[..]));
    assert_eq!(store.disk.lifecycle(&bucket()).await.unwrap(), Some(rules));
    store
        .disk
        .delete_bucket_config(&bucket(), ConfigKind::Cors)
        .await
        .unwrap();
    assert_eq!(
        store
            .disk
            .bucket_config(&bucket(), ConfigKind::Cors)
            .await
            .unwrap(),
        None
    );
    store.disk.delete_bucket(&bucket()).await.unwrap();
    store.disk.create_bucket(&bucket()).await.unwrap();
    assert_eq!(store.disk.lifecycle(&bucket()).await.unwrap(), None);
}

fn names(page: &ObjectPage) -> (Vec<&str>, Vec<&str>) {
    let objects = page
        .objects
        .iter()
        .map(|object| object.key.as_str())
        .collect();
    (
        objects,
        page.common_prefixes.iter().map(String::as_str).collect(),
    )
}

/// Lists all at once and one by one, which must be the same.
async fn list(store: &Store, prefix: &str, delimiter: &str) -> ObjectPage {
    let delimiter = Some(delimiter.to_owned()).filter(|delimiter| !delimiter.is_empty());
    let prefix = prefix.to_owned();
    let list = ListObjects {
        prefix,
        delimiter,
        start_after: None,
        max: 100,
    };
    let whole = list_page(store, list.clone()).await;
    assert_eq!(whole.next, None);
    let mut joined = ObjectPage::default();
    let mut list = ListObjects { max: 1, ..list };
    loop {
        let page = list_page(store, list.clone()).await;
        assert!(page.objects.len() + page.common_prefixes.len() <= 1);
        joined.objects.extend(page.objects);
        joined.common_prefixes.extend(page.common_prefixes);
        list.start_after = page.next;
        if list.start_after.is_none() {
            break;
        }
    }
    assert_eq!(joined, whole);
    whole
}

async fn list_page(store: &Store, list: ListObjects) -> ObjectPage {
    store.disk.list_objects(&bucket(), list).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_in_byte_order_with_folders_folded() {
    let store = Store::new().await;
    let all = "A a a/1 a/2/x a/2/y a/3 a0 b c/d c/\u{10ffff} ä";
    for name in all.split(' ').rev() {
        store.put(name, b"x").await;
    }
    let check = async |prefix: &str, delimiter: &str, objects: &str, common_prefixes: &str| {
        let page = list(&store, prefix, delimiter).await;
        let words = |words: (Vec<&str>, Vec<&str>)| (words.0.join(" "), words.1.join(" "));
        let expected = (objects.to_owned(), common_prefixes.to_owned());
        assert_eq!(words(names(&page)), expected, "{prefix:?}");
    };
    check("", "", all, "").await;
    check("", "/", "A a a0 b ä", "a/ c/").await;
    check("a/", "/", "a/1 a/3", "a/2/").await;
    check("a/2", "", "a/2/x a/2/y", "").await;
    check("c/\u{10ffff}", "/", "c/\u{10ffff}", "").await;
    check("none", "/", "", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_goes_on_behind_any_key() {
    let store = Store::new().await;
    for name in ["a/1", "a/2", "a/3", "b"] {
        store.put(name, b"x").await;
    }
    let after = |after: &str, max| ListObjects {
        start_after: Some(after.to_owned()),
        max,
        ..ListObjects::default()
    };
    let page = list_page(&store, after("a/1x", 2)).await;
    assert_eq!(
        (names(&page).0, page.next.as_deref()),
        (vec!["a/2", "a/3"], Some("a/3"))
    );
    let folded = |name| ListObjects {
        delimiter: Some("/".to_owned()),
        ..after(name, 9)
    };
    let within = list_page(&store, folded("a/2")).await;
    assert_eq!(names(&within), (vec!["b"], vec!["a/"]));
    let behind = list_page(&store, folded("a/")).await;
    assert_eq!(names(&behind), (vec!["b"], vec![]));
}

fn rule(prefix: &str, expiration: Expiration) -> Rule {
    Rule {
        id: "rule".to_owned(),
        status: Status::Enabled,
        prefix: prefix.to_owned(),
        expiration: Some(expiration),
        abort_uploads_after_days: Some(1),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lifecycle_removes_what_is_due_and_nothing_else() {
    let store = Store::new().await;
    store.clock.advance(Duration::from_hours(10));
    store
        .disk
        .put_lifecycle(
            &bucket(),
            &Lifecycle {
                rules: vec![rule("tmp/", Expiration::Days(1))],
            },
        )
        .await
        .unwrap();
    store.put("tmp/old", b"x").await;
    store.put("kept", b"x").await;
    let (old, kept) = (
        store.create_upload("tmp/old").await,
        store.create_upload("kept").await,
    );
    store.put_part(&old, 1, b"part").await;
    // Day 0, 10:00, and a day is day 1, 10:00: midnight after that ends day 1.
    store.clock.advance(Duration::from_hours(37));
    assert_eq!(
        store.disk.apply_lifecycle().await.unwrap(),
        Expired::default()
    );
    store.put("tmp/new", b"x").await;
    store.clock.advance(Duration::from_hours(1));
    let store = store.reopen();
    let expired = store.disk.apply_lifecycle().await.unwrap();
    assert_eq!(
        expired,
        Expired {
            objects: 1,
            uploads: 1,
            more: false
        }
    );
    assert_eq!(
        store.disk.apply_lifecycle().await.unwrap(),
        Expired::default()
    );
    assert_eq!(store.bytes("tmp/old").await, None);
    assert!(store.disk.upload(&kept).await.is_ok());
    assert!(matches!(
        store.disk.upload(&old).await,
        Err(DiskError::NoSuchUpload)
    ));
    assert_eq!(store.data_files_after_closing().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn lifecycle_does_a_bounded_number_a_call() {
    let store = Store::new().await;
    let puts = (0..1100).map(|number| {
        let store = &store;
        async move { store.put(&format!("{number}"), b"").await }
    });
    futures_util::future::join_all(puts).await;
    store.clock.advance(Duration::from_hours(48));
    store
        .disk
        .put_lifecycle(
            &bucket(),
            &Lifecycle {
                rules: vec![rule("", Expiration::Days(1))],
            },
        )
        .await
        .unwrap();
    let first = store.disk.apply_lifecycle().await.unwrap();
    assert_eq!(
        first,
        Expired {
            objects: 1000,
            uploads: 0,
            more: true
        }
    );
    let second = store.disk.apply_lifecycle().await.unwrap();
    assert_eq!(
        second,
        Expired {
            objects: 100,
            uploads: 0,
            more: false
        }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_cannot_be_read_do_not_keep_those_of_other_buckets_from_being_applied() {
    let store = Store::new().await;
    let broken = BucketName::parse("a-broken-one").unwrap();
    store.disk.create_bucket(&broken).await.unwrap();
    let nonsense = b"nonsense".to_vec();
    let put = store
        .disk
        .put_bucket_config(&broken, ConfigKind::Lifecycle, nonsense);
    put.await.unwrap();
    let rules = Lifecycle {
        rules: vec![rule("", Expiration::Days(1))],
    };
    store.disk.put_lifecycle(&bucket(), &rules).await.unwrap();
    store.put("a", b"x").await;
    let expired = async || store.disk.apply_lifecycle().await.unwrap().objects;
    assert_eq!((expired().await, expired().await), (0, 0));
    // What was looked at to no avail is looked at again when its time may have come.
    store.clock.advance(Duration::from_hours(48));
    assert_eq!((expired().await, expired().await), (1, 0));
}
