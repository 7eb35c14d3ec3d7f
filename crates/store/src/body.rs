//! The body of a request: its framing undone, its hash and signatures checked while it streams by.

pub(crate) mod chunked;
mod file;
mod source;

use bytes::{Bytes, BytesMut};
use loadlock_sigv4::{ChunkSigner, Payload};
use sha2::{Digest as _, Sha256};

use self::chunked::{Decoder, Step};
pub(crate) use self::file::FormFile;
pub(crate) use self::source::{Drain, Patience, Source};
use crate::error::{Code, S3Error, S3Result};
use crate::request::Attributes;

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
