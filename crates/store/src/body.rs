//! The body of a request: read with a limit on idleness, its framing undone and its hash and signatures checked while
//! it streams by.

mod chunked;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use loadlock_sigv4::{ChunkSigner, Payload};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use self::chunked::{Decoder, Step};
use crate::error::{Code, S3Error, S3Result};
use crate::form::{FormDecoder, Piece};
use crate::request::Attributes;

/// The slowest that a body may come, on average over the time that the store waits for it.
const BYTES_PER_SECOND: u64 = 1024;

/// The raw bytes of a request as they come from the connection.
#[derive(Debug)]
pub(crate) struct Source {
    incoming: Incoming,
    idle: Duration,
    received: u64,
    waited: Duration,
    touched: bool,
}

impl Source {
    /// `idle`: how long a client may send nothing.
    pub(crate) fn new(incoming: Incoming, idle: Duration) -> Self {
        Self {
            incoming,
            idle,
            received: 0,
            waited: Duration::ZERO,
            touched: false,
        }
    }

    async fn next(&mut self) -> S3Result<Option<Bytes>> {
        self.touched = true;
        loop {
            let earned = self.idle + Duration::from_secs(self.received / BYTES_PER_SECOND);
            let patience = earned.saturating_sub(self.waited).min(self.idle);
            let since = Instant::now();
            let frame = tokio::time::timeout(patience, self.incoming.frame()).await;
            self.waited += since.elapsed();
            match frame.map_err(|_| Code::RequestTimeout)? {
                None => return Ok(None),
                Some(Err(_)) => return Err(Code::IncompleteBody.into()),
                // HTTP's own trailers mean nothing in S3.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => {
                        self.received += data.len() as u64;
                        return Ok(Some(data));
                    }
                    _ => {}
                },
            }
        }
    }

    /// Whether something may still come that nobody has read.
    pub(crate) fn is_pending(&self) -> bool {
        !self.incoming.is_end_stream()
    }

    /// Whether nobody has asked for any of it: a client that waits for `100 Continue` has not been told to send.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.touched
    }

    /// Reads on and throws away, for a while: a browser still sending would otherwise see a reset connection and not
    /// the answer that is on its way.
    pub(crate) async fn drain(mut self, limit: Drain) {
        self.idle = limit.idle;
        let end = self.received + limit.bytes;
        let read = async {
            while let Ok(Some(_)) = self.next().await {
                if self.received > end {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(limit.time, read).await;
    }
}

/// How much of a refused body is still read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drain {
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
    pub(crate) idle: Duration,
}

/// How a verified request says its body is to be read.
#[derive(Debug)]
pub(crate) struct Framing {
    pub(crate) payload: Payload,
    /// Checks the chunks of a body whose chunks are signed.
    pub(crate) chunks: Option<ChunkSigner>,
}

/// A body with a known length, freed of its framing.
#[derive(Debug)]
pub(crate) struct Body<'s> {
    source: &'s mut Source,
    kind: Kind,
    length: u64,
    read: u64,
}

#[derive(Debug)]
enum Kind {
    Plain { hash: Option<(Sha256, [u8; 32])> },
    Chunked(Box<Chunked>),
}

#[derive(Debug)]
struct Chunked {
    decoder: Decoder,
    signatures: Option<(ChunkSigner, Sha256)>,
    signed_trailer: bool,
    trailers: Option<Vec<(String, String)>>,
}

impl<'s> Body<'s> {
    pub(crate) fn new(
        source: &'s mut Source,
        attributes: &Attributes,
        framing: Framing,
    ) -> S3Result<Self> {
        let payload = framing.payload;
        let header = if payload.is_chunked() {
            "x-amz-decoded-content-length"
        } else {
            "content-length"
        };
        let length = attributes
            .number(header)?
            .ok_or(Code::MissingContentLength)?;
        let kind = if payload.is_chunked() {
            let signatures = match (payload.has_chunk_signatures(), framing.chunks) {
                (false, _) => None,
                (true, Some(signer)) => Some((signer, Sha256::new())),
                (true, None) => {
                    return Err(S3Error::new(
                        Code::InvalidRequest,
                        "signed chunks need a signed header",
                    ));
                }
            };
            let signed_trailer = payload == Payload::SignedChunksWithTrailer;
            Kind::Chunked(Box::new(Chunked {
                decoder: Decoder::new(),
                signatures,
                signed_trailer,
                trailers: None,
            }))
        } else {
            let hash = if let Payload::Sha256(expected) = payload {
                Some((Sha256::new(), expected))
            } else {
                None
            };
            Kind::Plain { hash }
        };
        Ok(Self {
            source,
            kind,
            length,
            read: 0,
        })
    }

    /// The length that the client announced, without any framing.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The next bytes. `None` only when the body is whole, as long as announced, and its hash and signatures hold.
    pub(crate) async fn next(&mut self) -> S3Result<Option<Bytes>> {
        let data = match &mut self.kind {
            Kind::Plain { hash } => next_plain(self.source, hash).await?,
            Kind::Chunked(chunked) => chunked.next(self.source).await?,
        };
        self.read += data.as_ref().map_or(0, |data| data.len() as u64);
        let wrong = if data.is_some() {
            self.read > self.length
        } else {
            self.read != self.length
        };
        if wrong {
            Err(Code::IncompleteBody.into())
        } else {
            Ok(data)
        }
    }

    /// The whole of a small body.
    pub(crate) async fn collect(&mut self, limit: u64) -> S3Result<Bytes> {
        if self.length > limit {
            return Err(Code::MaxMessageLengthExceeded.into());
        }
        let mut whole = BytesMut::new();
        while let Some(data) = self.next().await? {
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }

    /// What came behind the last chunk.
    pub(crate) fn trailers(&self) -> &[(String, String)] {
        match &self.kind {
            Kind::Chunked(chunked) => chunked.trailers.as_deref().unwrap_or_default(),
            Kind::Plain { .. } => &[],
        }
    }
}

async fn next_plain(
    source: &mut Source,
    hash: &mut Option<(Sha256, [u8; 32])>,
) -> S3Result<Option<Bytes>> {
    let data = source.next().await?;
    match &data {
        Some(data) => {
            if let Some((hash, _)) = hash {
                hash.update(data);
            }
        }
        None => {
            if hash
                .take()
                .is_some_and(|(hash, expected)| <[u8; 32]>::from(hash.finalize()) != expected)
            {
                return Err(Code::XAmzContentSHA256Mismatch.into());
            }
        }
    }
    Ok(data)
}

impl Chunked {
    async fn next(&mut self, source: &mut Source) -> S3Result<Option<Bytes>> {
        loop {
            match self.decoder.step()? {
                Step::Data(data) => {
                    if let Some((_, hash)) = &mut self.signatures {
                        hash.update(&data);
                    }
                    return Ok(Some(data));
                }
                Step::ChunkEnd { signature } => self.check_chunk(signature.as_deref())?,
                Step::End { trailers } => {
                    self.check_trailer(&trailers)?;
                    self.trailers = Some(trailers);
                }
                Step::More => match source.next().await? {
                    Some(input) => self.decoder.push(input),
                    None if self.trailers.is_some() => return Ok(None),
                    // Also when it stops between two chunks.
                    None => return Err(Code::IncompleteBody.into()),
                },
            }
        }
    }

    fn check_chunk(&mut self, signature: Option<&str>) -> S3Result<()> {
        let Some((signer, hash)) = &mut self.signatures else {
            // A signature that nobody checks would only pretend.
            return if signature.is_none() {
                Ok(())
            } else {
                Err(Code::SignatureDoesNotMatch.into())
            };
        };
        let expected = signer.sign_digest(&hash.finalize_reset().into());
        let holds = signature.is_some_and(|signature| expected.matches(signature));
        if holds {
            Ok(())
        } else {
            Err(Code::SignatureDoesNotMatch.into())
        }
    }

    fn check_trailer(&mut self, trailers: &[(String, String)]) -> S3Result<()> {
        let Some((signer, _)) = self.signatures.as_mut().filter(|_| self.signed_trailer) else {
            return Ok(());
        };
        let presented = trailers
            .iter()
            .find(|(name, _)| name == "x-amz-trailer-signature");
        let headers: Vec<(&str, &str)> = trailers
            .iter()
            .filter(|(name, _)| name != "x-amz-trailer-signature")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let expected = signer.sign_trailer(&headers);
        let holds = presented.is_some_and(|(_, signature)| expected.matches(signature));
        if holds {
            Ok(())
        } else {
            Err(Code::SignatureDoesNotMatch.into())
        }
    }
}

/// The file of a form, behind its fields.
pub(crate) struct FormFile<'s> {
    source: &'s mut Source,
    decoder: FormDecoder,
    /// What the file's length must lie in.
    pub(crate) range: std::ops::RangeInclusive<u64>,
    read: u64,
}

impl<'s> FormFile<'s> {
    /// Reads the fields up to the file.
    pub(crate) async fn open(
        source: &'s mut Source,
        content_type: &str,
    ) -> S3Result<(crate::form::Fields, Self)> {
        let mut decoder = FormDecoder::new(content_type)?;
        loop {
            let data = source.next().await?.ok_or(Code::MalformedPOSTRequest)?;
            decoder.push(&data);
            if let Some(fields) = decoder.fields()? {
                return Ok((
                    fields,
                    Self {
                        source,
                        decoder,
                        range: 0..=u64::MAX,
                        read: 0,
                    },
                ));
            }
        }
    }

    /// The next bytes of the file; an error as soon as it is known to be too long.
    pub(crate) async fn next(&mut self) -> S3Result<Option<Bytes>> {
        loop {
            match self.decoder.file() {
                Piece::Data(data) => {
                    self.read += data.len() as u64;
                    if self.read > *self.range.end() {
                        return Err(Code::EntityTooLarge.into());
                    }
                    return Ok(Some(data));
                }
                Piece::End if self.read < *self.range.start() => {
                    return Err(Code::EntityTooSmall.into());
                }
                Piece::End => return Ok(None),
                Piece::More => {
                    let data = self.source.next().await?.ok_or(Code::IncompleteBody)?;
                    self.decoder.push(&data);
                }
            }
        }
    }
}
