//! `clamd`, by its command INSTREAM (clamd(8)): content goes in chunks, and a line comes back.
//!
//! The answer is listened for while content is still sent: a scanner that has had enough says so and hangs up, which a
//! client that only writes sees as a broken connection.

use std::{
    io,
    pin::{Pin, pin},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    time::{error::Elapsed, timeout},
};

use super::{Address, Fault, Opinion, sentence, unreadable};
use crate::error::Error;

const CONNECT: Duration = Duration::from_secs(5);
/// How long all of it may take, however steadily it goes on.
const LONGEST: Duration = Duration::from_hours(1);
/// How long the answer of a scanner is waited for that takes no more.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// The longest answer.
const MOST_BYTES: u64 = 4096;

trait Connection: AsyncRead + AsyncWrite + Send {}
impl<C: AsyncRead + AsyncWrite + Send> Connection for C {}

pub(super) async fn scan(
    address: &Address,
    silence: Duration,
    content: impl Stream<Item = Result<Bytes, Error>> + Send,
    size_bytes: u64,
) -> Result<Opinion, Error> {
    let Ok(Ok(connection)) = timeout(CONNECT, connect(address)).await else {
        return Ok(passing("clamd cannot be reached"));
    };
    let scanned = timeout(LONGEST, converse(connection, silence, content, size_bytes));
    scanned.await.unwrap_or_else(|_| Ok(late()))
}

async fn connect(address: &Address) -> io::Result<Pin<Box<dyn Connection>>> {
    Ok(match address {
        Address::Tcp(host) => Box::pin(TcpStream::connect(host).await?),
        Address::Unix(path) => Box::pin(UnixStream::connect(path).await?),
    })
}

/// What ended the sending.
enum Broken {
    /// The content could not be read.
    Content(Error),
    /// The scanner takes no more.
    Scanner,
    Silent(Elapsed),
}

async fn converse(
    connection: Pin<Box<dyn Connection>>,
    silence: Duration,
    content: impl Stream<Item = Result<Bytes, Error>> + Send,
    size_bytes: u64,
) -> Result<Opinion, Error> {
    let (reader, mut writer) = tokio::io::split(connection);
    let mut answer = pin!(line(reader));
    let sent = tokio::select! {
        early = &mut answer => return Ok(untimely(&early.unwrap_or_default())),
        sent = send(&mut writer, silence, content, size_bytes) => sent,
    };
    match sent {
        Ok(()) => Ok(match timeout(silence, answer).await {
            Ok(Ok(said)) => opinion(&said),
            Ok(Err(_)) => hung_up(),
            Err(_) => late(),
        }),
        Err(Broken::Content(error)) => Err(error),
        Err(Broken::Silent(_)) => Ok(late()),
        Err(Broken::Scanner) => {
            let said = timeout(LAST_WORDS, answer).await;
            Ok(untimely(
                &said
                    .unwrap_or_else(|_| Ok(String::new()))
                    .unwrap_or_default(),
            ))
        }
    }
}

/// Sends all of it; less, or more, than there should be was not scanned.
async fn send(
    writer: &mut (impl AsyncWrite + Unpin),
    silence: Duration,
    content: impl Stream<Item = Result<Bytes, Error>>,
    size_bytes: u64,
) -> Result<(), Broken> {
    let mut content = pin!(content);
    let mut left = size_bytes;
    write(writer, silence, b"zINSTREAM\0").await?;
    while let Some(chunk) = content.next().await {
        let chunk = chunk.map_err(Broken::Content)?;
        let length = u32::try_from(chunk.len()).map_err(|_| Broken::Content(unreadable()))?;
        let rest = left.checked_sub(u64::from(length));
        left = rest.ok_or_else(|| Broken::Content(unreadable()))?;
        // An empty chunk would be the end.
        if length > 0 {
            write(writer, silence, &length.to_be_bytes()).await?;
            write(writer, silence, &chunk).await?;
        }
    }
    if left > 0 {
        return Err(Broken::Content(unreadable()));
    }
    write(writer, silence, &[0; 4]).await
}

async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
    silence: Duration,
    bytes: &[u8],
) -> Result<(), Broken> {
    let written = async {
        writer.write_all(bytes).await?;
        writer.flush().await
    };
    let written = timeout(silence, written).await.map_err(Broken::Silent)?;
    written.map_err(|_| Broken::Scanner)
}

/// An answer ends with a zero byte; one without was cut off.
async fn line(reader: impl AsyncRead + Send) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut reader = pin!(reader.take(MOST_BYTES));
    while !bytes.ends_with(b"\0") {
        if reader.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    bytes.pop();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// An answer to all that was sent.
fn opinion(said: &str) -> Opinion {
    match said.trim_end() {
        "stream: OK" => Opinion::Clean,
        said => untimely(said),
    }
}

/// An answer that cannot be a good one: it came before everything was sent, or says something else.
fn untimely(said: &str) -> Opinion {
    let said = said.trim_end();
    let found = said
        .strip_prefix("stream: ")
        .and_then(|rest| rest.strip_suffix(" FOUND"));
    match found {
        // With AlertExceedsMax a file that is too large, or too deep, to be looked at as a whole.
        Some(name) if name.starts_with("Heuristics.Limits.Exceeded") => too_large(),
        Some(name) => Opinion::Malware(sentence(name)),
        None if said.contains("size limit exceeded") => too_large(),
        None if said.is_empty() => hung_up(),
        None => passing("clamd did not answer as it should"),
    }
}

fn too_large() -> Opinion {
    let why = "it is larger than clamd scans".to_owned();
    Opinion::Unknown(Fault::Lasting(why))
}

fn hung_up() -> Opinion {
    passing("clamd hung up")
}

fn late() -> Opinion {
    passing("clamd did not answer in time")
}

fn passing(why: &str) -> Opinion {
    Opinion::Unknown(Fault::Passing(why.to_owned()))
}
