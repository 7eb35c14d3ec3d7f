//! Random operations on the durable backend do what they do to a map in memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    common::{MIB, bucket, complete, key, noise, part_number},
    harness::Store,
};
use futures_util::TryStreamExt as _;
use loadlock_store::disk::{
    Condition, CopySource, CopyTarget, DiskError, ListObjects, ObjectPage, Tags,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Put {
        name: String,
        seed: u64,
        size: usize,
    },
    PutIfAbsent {
        name: String,
        seed: u64,
    },
    PutIfSame {
        name: String,
        seed: u64,
    },
    Delete {
        name: String,
    },
    Copy {
        from: String,
        to: String,
    },
    Join {
        from: String,
        to: String,
        start: usize,
    },
    Read {
        name: String,
        start: usize,
        length: usize,
    },
    List {
        prefix: String,
        after: Option<String>,
        max: usize,
    },
    Reopen,
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "a",
        "a/b",
        "a/b/c",
        "a/c",
        "a//",
        "b",
        "../x",
        "é/é",
        "z/\u{10ffff}",
        "z/\u{10ffff}/y",
    ])
    .prop_map(str::to_owned)
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![Just(0), 1..2000_usize, Just(MIB + 1)];
    prop_oneof![
        6 => (name(), any::<u64>(), size).prop_map(|(name, seed, size)| Step::Put { name, seed, size }),
        1 => (name(), any::<u64>()).prop_map(|(name, seed)| Step::PutIfAbsent { name, seed }),
        1 => (name(), any::<u64>()).prop_map(|(name, seed)| Step::PutIfSame { name, seed }),
        2 => name().prop_map(|name| Step::Delete { name }),
        2 => (name(), name()).prop_map(|(from, to)| Step::Copy { from, to }),
        2 => (name(), name(), 0..3000_usize).prop_map(|(from, to, start)| Step::Join { from, to, start }),
        2 => (name(), 0..3000_usize, 0..MIB).prop_map(|(name, start, length)| Step::Read { name, start, length }),
        3 => (prop::sample::select(vec!["", "a", "a/", "z/"]), prop::option::of(name()), 1..5_usize).prop_map(
            |(prefix, after, max)| Step::List { prefix: prefix.to_owned(), after, max }
        ),
        1 => Just(Step::Reopen),
    ]
}

type Model = BTreeMap<String, Vec<u8>>;

async fn take(store: &Store, model: &mut Model, step: Step) {
    match step {
        Step::Put { name, seed, size } => {
            store.put(&name, &noise(seed, size)).await;
            model.insert(name, noise(seed, size));
        }
        Step::PutIfAbsent { name, seed } => {
            let put = store
                .put_if(&name, &noise(seed, 10), Some(Condition::Absent))
                .await;
            assert_eq!(put.is_ok(), !model.contains_key(&name));
            model.entry(name).or_insert_with(|| noise(seed, 10));
        }
        Step::PutIfSame { name, seed } => {
            let Ok(info) = store.disk.head_object(&bucket(), &key(&name)).await else {
                assert!(!model.contains_key(&name));
                return;
            };
            store
                .put_if(&name, &noise(seed, 10), Some(Condition::Matches(info.etag)))
                .await
                .unwrap();
            model.insert(name, noise(seed, 10));
        }
        Step::Delete { name } => {
            store
                .disk
                .delete_object(&bucket(), &key(&name), None)
                .await
                .unwrap();
            model.remove(&name);
        }
        Step::Copy { from, to } => copy(store, model, &from, to).await,
        Step::Join { from, to, start } => join(store, model, &from, to, start).await,
        Step::Read {
            name,
            start,
            length,
        } => read_range(store, model, &name, start, length).await,
        Step::List { prefix, after, max } => list(store, model, prefix, after, max).await,
        Step::Reopen => unreachable!("the caller does this"),
    }
}

async fn copy(store: &Store, model: &mut Model, from: &str, to: String) {
    let source = CopySource {
        bucket: bucket(),
        key: key(from),
        etag: None,
    };
    let target = CopyTarget {
        bucket: bucket(),
        key: key(&to),
        metadata: None,
        tags: Tags::default(),
        condition: None,
    };
    match (
        store.disk.copy_object(source, target).await,
        model.get(from).cloned(),
    ) {
        (Ok(_), Some(bytes)) => drop(model.insert(to, bytes)),
        (Err(DiskError::NoSuchKey), None) => {}
        (answer, bytes) => panic!("{answer:?} for {bytes:?}"),
    }
}

/// One part from a range of an object.
async fn join(store: &Store, model: &mut Model, from: &str, to: String, start: usize) {
    let upload = store.create_upload(&to).await;
    let Some(bytes) = model
        .get(from)
        .cloned()
        .filter(|bytes| bytes.len() >= start)
    else {
        store.disk.abort_upload(&upload).await.unwrap();
        return;
    };
    let source = CopySource {
        bucket: bucket(),
        key: key(from),
        etag: None,
    };
    let range = start as u64..bytes.len() as u64;
    let part = store
        .disk
        .copy_part(&upload, part_number(7), source, Some(range))
        .await
        .unwrap();
    store
        .disk
        .complete_upload(complete(&upload, &[part]))
        .await
        .unwrap();
    model.insert(to, bytes[start..].to_vec());
}

async fn read_range(store: &Store, model: &Model, name: &str, start: usize, length: usize) {
    let Some(bytes) = model.get(name) else {
        return assert_eq!(store.bytes(name).await, None);
    };
    let object = store.disk.object(&bucket(), &key(name)).await.unwrap();
    let read = object.read(start as u64..(start + length) as u64);
    match bytes.get(start..start + length) {
        None => assert!(matches!(read, Err(DiskError::InvalidRange))),
        Some(expected) => {
            let chunks: Vec<_> = read.unwrap().try_collect().await.unwrap();
            assert_eq!(chunks.concat(), expected);
        }
    }
}

/// Lists with folders folded, from a key on, and compares with the keys filtered by hand.
async fn list(store: &Store, model: &Model, prefix: String, after: Option<String>, max: usize) {
    let delimiter = Some("/".to_owned());
    let list = ListObjects {
        prefix: prefix.clone(),
        delimiter,
        start_after: after.clone(),
        max,
    };
    let page = store.disk.list_objects(&bucket(), list).await.unwrap();
    let folder = |key: &str| {
        key[prefix.len()..]
            .find('/')
            .map(|at| key[..=prefix.len() + at].to_owned())
    };
    let after = after.as_deref().unwrap_or("");
    let skipped = after
        .strip_prefix(prefix.as_str())
        .filter(|_| folder(after).as_deref() == Some(after));
    let visible = model
        .keys()
        .filter(|key| key.starts_with(&prefix) && key.as_str() > after);
    let visible = visible.filter(|key| skipped.is_none() || !key.starts_with(after));
    let names: BTreeSet<String> = visible
        .map(|key| folder(key).unwrap_or_else(|| key.clone()))
        .collect();
    let expected: Vec<String> = names.iter().take(max).cloned().collect();
    assert_eq!(listed(&page), expected);
    assert_eq!(
        page.next,
        expected.last().filter(|_| names.len() > max).cloned()
    );
    for object in page.objects {
        assert_eq!(object.size_bytes, model[object.key.as_str()].len() as u64);
    }
}

fn listed(page: &ObjectPage) -> Vec<String> {
    let objects = page.objects.iter().map(|object| object.key.to_string());
    let mut names: Vec<String> = objects
        .chain(page.common_prefixes.iter().cloned())
        .collect();
    names.sort();
    names
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_operations_leaves_what_a_map_would_hold(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut store = Store::new().await;
            let mut model = Model::new();
            for step in steps {
                if matches!(step, Step::Reopen) {
                    store = store.reopen();
                } else {
                    take(&store, &mut model, step).await;
                }
            }
            for (name, bytes) in &model {
                assert_eq!(store.bytes(name).await.as_ref(), Some(bytes));
            }
            if model.is_empty() {
                assert!(store.data_files_after_closing().is_empty());
            }
        });
    }
}
