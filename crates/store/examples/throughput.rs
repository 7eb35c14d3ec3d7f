//! How fast bodies go in and out, beside `dd conv=fsync`: `cargo run --release --example throughput -- DIR MIB`.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use loadlock_store::{
    clock::Clock,
    disk::{BucketName, ChecksumAlgorithm, Disk, Metadata, ObjectKey, PutObject, Tags},
};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// What a socket hands over at a time.
const CHUNK_BYTES: usize = 64 * 1024;
const SMALL_PUTS: usize = 4000;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("a directory to write to")?);
    let mib: usize = arguments.next().ok_or("a size in MiB")?.parse()?;
    let disk = Disk::open(&dir.join("store"), Clock::system())?;
    let bucket = BucketName::parse("throughput")?;
    disk.create_bucket(&bucket).await?;
    for round in 1..=3 {
        report(
            &format!("round {round}: dd bs=1M conv=fsync"),
            mib,
            dd(&dir, mib)?,
        );
        for (name, checksums) in [
            ("MD5", &[][..]),
            ("MD5 and CRC64NVME", &[ChecksumAlgorithm::Crc64Nvme]),
        ] {
            let started = Instant::now();
            put(&disk, &bucket, mib, checksums).await?;
            report(
                &format!("round {round}: put with {name}"),
                mib,
                started.elapsed(),
            );
        }
        let started = Instant::now();
        read(&disk, &bucket).await?;
        report(&format!("round {round}: read"), mib, started.elapsed());
    }
    small_puts(&disk, &bucket).await?;
    peak_memory()
}

async fn put(
    disk: &Disk,
    bucket: &BucketName,
    mib: usize,
    checksums: &[ChecksumAlgorithm],
) -> Outcome<()> {
    let chunk = Bytes::from(vec![b'x'; CHUNK_BYTES]);
    let mut writer = disk.writer(checksums);
    for _ in 0..mib * 1024 * 1024 / CHUNK_BYTES {
        writer.write(chunk.clone()).await?;
    }
    let written = writer.finish().await?;
    let key = ObjectKey::parse("large")?;
    let put = PutObject {
        bucket: bucket.clone(),
        key,
        metadata: Metadata::default(),
        tags: Tags::default(),
        condition: None,
    };
    disk.put_object(written, put).await?;
    Ok(())
}

async fn read(disk: &Disk, bucket: &BucketName) -> Outcome<()> {
    let object = disk.object(bucket, &ObjectKey::parse("large")?).await?;
    let all = 0..object.info.size_bytes;
    object.read(all)?.try_for_each(|_| async { Ok(()) }).await?;
    Ok(())
}

async fn small_puts(disk: &Disk, bucket: &BucketName) -> Outcome<()> {
    let started = Instant::now();
    let puts = (0..64).map(|task| {
        let (disk, bucket) = (disk.clone(), bucket.clone());
        tokio::spawn(async move {
            for number in 0..SMALL_PUTS / 64 {
                let mut writer = disk.writer(&[]);
                writer.write(Bytes::from_static(&[b'x'; 10_000])).await?;
                let key = ObjectKey::parse(format!("small/{task}/{number}"))?;
                let put = PutObject {
                    bucket: bucket.clone(),
                    key,
                    metadata: Metadata::default(),
                    tags: Tags::default(),
                    condition: None,
                };
                disk.put_object(writer.finish().await?, put).await?;
            }
            Ok::<_, loadlock_store::disk::DiskError>(())
        })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await??;
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate to be read by people")]
    let rate = SMALL_PUTS as f64 / started.elapsed().as_secs_f64();
    say(&format!("puts of 10 kB, 64 at a time: {rate:.0} a second"));
    Ok(())
}

fn dd(dir: &std::path::Path, mib: usize) -> Outcome<Duration> {
    let file = dir.join("dd");
    let started = Instant::now();
    let target = format!("of={}", file.display());
    let status = Command::new("dd")
        .args([
            "if=/dev/zero",
            &target,
            "bs=1M",
            &format!("count={mib}"),
            "conv=fsync",
            "status=none",
        ])
        .status()?;
    let took = started.elapsed();
    std::fs::remove_file(file)?;
    if status.success() {
        Ok(took)
    } else {
        Err("dd failed".into())
    }
}

fn peak_memory() -> Outcome<()> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    status
        .lines()
        .filter(|line| line.starts_with("VmHWM"))
        .for_each(say);
    Ok(())
}

fn report(what: &str, mib: usize, took: Duration) {
    #[expect(clippy::cast_precision_loss, reason = "a rate to be read by people")]
    let rate = mib as f64 / took.as_secs_f64();
    say(&format!("{what}: {rate:.0} MiB/s"));
}

#[expect(clippy::print_stdout, reason = "the answer of a program for people")]
fn say(line: &str) {
    println!("{line}");
}
