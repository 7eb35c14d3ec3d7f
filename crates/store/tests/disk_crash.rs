//! The durable backend is killed at random moments; what it acknowledged must be there afterwards, and nothing else.
//!
//! This binary runs itself as the process that is killed, so it has its own `main`; it answers as much of the test
//! runner's command line as `cargo test` and `cargo nextest` need.

#![expect(
    clippy::unwrap_used,
    reason = "a test; but one with a main of its own, which the lint does not know"
)]

#[path = "disk/common.rs"]
mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use bytes::Bytes;
use common::{MIB, bucket, complete, files_below, key, noise, part_number, read, upload};
use loadlock_store::{
    clock::Clock,
    disk::{
        CopySource, CopyTarget, CreateUpload, Disk, DiskError, Metadata, PutObject, Tags, Written,
    },
};

const NAME: &str = "what_was_acknowledged_survives_a_kill_and_nothing_else_is_left";
const CHILD: &str = "--child";
const ROUNDS: u64 = 25;
const WORKERS: u64 = 4;
const BASE_BYTES: usize = 5 * MIB;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [CHILD, dir, seed] => child(Path::new(dir), seed.parse().unwrap()),
        ref list if list.contains(&"--list") => {
            if !list.contains(&"--ignored") {
                say(&format!("{NAME}: test"));
            }
        }
        _ => parent(),
    }
}

#[expect(
    clippy::print_stdout,
    reason = "it speaks to the test runner, and the child to its parent"
)]
fn say(line: &str) {
    println!("{line}");
}

/// What a key holds, in words that both processes understand.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    Noise {
        seed: u64,
        size: usize,
    },
    /// The base object, and a part of noise behind it.
    Joined {
        seed: u64,
        size: usize,
    },
}

impl Content {
    fn bytes(&self) -> Option<Vec<u8>> {
        match *self {
            Self::Nothing => None,
            Self::Noise { seed, size } => Some(noise(seed, size)),
            Self::Joined { seed, size } => Some([noise(0, BASE_BYTES), noise(seed, size)].concat()),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Noise { seed, size } => format!("noise {seed} {size}"),
            Self::Joined { seed, size } => format!("joined {seed} {size}"),
        }
    }

    fn parse(words: &[&str]) -> Self {
        let number = |index: usize| words[index].parse::<u64>().unwrap();
        let size = |index| usize::try_from(number(index)).unwrap();
        match words[0] {
            "noise" => Self::Noise {
                seed: number(1),
                size: size(2),
            },
            "joined" => Self::Joined {
                seed: number(1),
                size: size(2),
            },
            _ => Self::Nothing,
        }
    }
}

/// Works until it is killed, saying what it tries before and what is done after.
fn child(dir: &Path, seed: u64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let disk = Disk::open(dir, Clock::system()).unwrap();
        match disk.create_bucket(&bucket()).await {
            Ok(_) | Err(DiskError::BucketAlreadyExists) => {}
            Err(error) => panic!("{error}"),
        }
        if read(&disk, "base").await.is_none() {
            put(&disk, "base", written(&disk, &noise(0, BASE_BYTES)).await).await;
        }
        let workers = (0..WORKERS).map(|worker| tokio::spawn(work(disk.clone(), worker, seed)));
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
    });
}

async fn work(disk: Disk, worker: u64, seed: u64) {
    for step in 0.. {
        let dice = noise(seed * 1_000_000 + worker * 10_000 + step, 16);
        let name = format!("{worker}/{}", dice[0] % 5);
        let seed = u64::from_le_bytes(dice[8..].try_into().unwrap());
        let size =
            usize::from(u16::from_le_bytes([dice[1], dice[2]])) * if dice[3] < 20 { 60 } else { 3 };
        let content = match dice[4] % 8 {
            0 => Content::Nothing,
            1 => Content::Joined { seed, size },
            _ => Content::Noise { seed, size },
        };
        say(&format!("try {name} {}", content.write()));
        match (&content, dice[5] % 3) {
            (Content::Nothing, _) => disk
                .delete_object(&bucket(), &key(&name), None)
                .await
                .unwrap(),
            (Content::Joined { .. }, _) => join(&disk, &name, &noise(seed, size)).await,
            (Content::Noise { .. }, 0) => copy(&disk, &name, worker, &noise(seed, size)).await,
            (Content::Noise { .. }, _) => {
                put(&disk, &name, written(&disk, &noise(seed, size)).await).await;
            }
        }
        say(&format!("done {name} {}", content.write()));
    }
}

async fn written(disk: &Disk, bytes: &[u8]) -> Written {
    let mut writer = disk.writer(&[]);
    for chunk in bytes.chunks(64 * 1024) {
        writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    writer.finish().await.unwrap()
}

async fn put(disk: &Disk, name: &str, written: Written) {
    let put = PutObject {
        bucket: bucket(),
        key: key(name),
        metadata: Metadata::default(),
        tags: Tags::default(),
        condition: None,
    };
    disk.put_object(written, put).await.unwrap();
}

/// Puts the bytes elsewhere, copies them to the name, and deletes the first.
async fn copy(disk: &Disk, name: &str, worker: u64, bytes: &[u8]) {
    let aside = format!("aside/{worker}");
    put(disk, &aside, written(disk, bytes).await).await;
    let source = CopySource {
        bucket: bucket(),
        key: key(&aside),
        etag: None,
    };
    let target = CopyTarget {
        bucket: bucket(),
        key: key(name),
        metadata: None,
        tags: Tags::default(),
        condition: None,
    };
    disk.copy_object(source, target).await.unwrap();
    disk.delete_object(&bucket(), &key(&aside), None)
        .await
        .unwrap();
}

async fn join(disk: &Disk, name: &str, bytes: &[u8]) {
    let create = CreateUpload {
        bucket: bucket(),
        key: key(name),
        metadata: Metadata::default(),
        tags: Tags::default(),
        checksum: None,
    };
    let upload = upload(name, disk.create_upload(create).await.unwrap());
    let source = CopySource {
        bucket: bucket(),
        key: key("base"),
        etag: None,
    };
    let first = disk
        .copy_part(&upload, part_number(1), source, None)
        .await
        .unwrap();
    let second = disk
        .put_part(&upload, part_number(2), written(disk, bytes).await)
        .await
        .unwrap();
    disk.complete_upload(complete(&upload, &[first, second]))
        .await
        .unwrap();
}

fn parent() {
    let dir = tempfile::tempdir().unwrap();
    let mut known = BTreeMap::new();
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let lines = run_and_kill(dir.path(), round);
        acknowledged += lines.iter().filter(|line| line.starts_with("done")).count();
        let possible = possible_contents(&known, &lines);
        known = check(dir.path(), &possible);
    }
    assert!(
        acknowledged > 100,
        "only {acknowledged} operations were done before the kills"
    );
}

/// Starts the child, kills it after a while, and returns all it said.
fn run_and_kill(dir: &Path, round: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([CHILD, dir.to_str().unwrap(), &round.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = thread::spawn(move || output.lines().map(Result::unwrap).collect::<Vec<_>>());
    // The moment of the kill is what varies, so it is time that is waited for, and no condition.
    thread::sleep(Duration::from_millis(20 + round * 37 % 500));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// What each key may hold: what was acknowledged last, or what was being done to it.
fn possible_contents(
    known: &BTreeMap<String, Content>,
    lines: &[String],
) -> BTreeMap<String, Vec<Content>> {
    let mut possible: BTreeMap<_, _> = known
        .iter()
        .map(|(name, content)| (name.clone(), vec![content.clone()]))
        .collect();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let contents = possible
            .entry(words[1].to_owned())
            .or_insert_with(|| vec![Content::Nothing]);
        let content = Content::parse(&words[2..]);
        if words[0] == "try" {
            contents.push(content);
        } else {
            *contents = vec![content];
        }
    }
    possible
}

/// Opens the store as a restart does, and looks at everything in it.
fn check(dir: &Path, possible: &BTreeMap<String, Vec<Content>>) -> BTreeMap<String, Content> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let known = runtime.block_on(async {
        let disk = Disk::open(dir, Clock::system()).unwrap();
        let mut known = BTreeMap::new();
        for (name, contents) in possible {
            let found = read(&disk, name).await;
            let content = contents.iter().find(|content| content.bytes() == found);
            let size = found.as_ref().map(Vec::len);
            let content = content
                .unwrap_or_else(|| panic!("{name} has {size:?} bytes, and none of {contents:?}"));
            known.insert(name.clone(), content.clone());
        }
        known
    });
    drop(runtime);
    assert_eq!(files_below(&dir.join("tmp")), Vec::<PathBuf>::new());
    let metadata = rusqlite::Connection::open(dir.join("store.db")).unwrap();
    let mut blobs = metadata
        .prepare("SELECT printf('%016x', id) FROM blob")
        .unwrap();
    let blobs: BTreeSet<String> = blobs
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let files = files_below(&dir.join("data"));
    let files: BTreeSet<String> = files
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(files, blobs);
    known
}
