//! What `x-amz-content-sha256` says of a request's body.

use std::fmt;

use crate::canonical::UNSIGNED_PAYLOAD;
use crate::encode::{hex, unhex};
use crate::sha256::Sha256;

const SIGNED_CHUNKS: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const SIGNED_CHUNKS_AND_TRAILER: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const UNSIGNED_CHUNKS_AND_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// How a body is signed (S3 API reference, "Authenticating Requests: Using the Authorization Header"). `Display` writes the
/// header's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload {
    /// Whole, by its SHA-256.
    Sha256([u8; 32]),
    /// Not at all: `UNSIGNED-PAYLOAD`.
    Unsigned,
    /// In aws-chunked encoding, each chunk with its signature.
    SignedChunks,
    /// The same, and a signed trailer after the last chunk.
    SignedChunksWithTrailer,
    /// In aws-chunked encoding without signatures, with a trailer, usually a checksum.
    UnsignedChunksWithTrailer,
}

impl Payload {
    /// A body that is at hand.
    pub fn of(body: &[u8]) -> Self {
        Self::Sha256(Sha256::digest(body))
    }

    /// Reads a header's value.
    pub fn parse(value: &str) -> Option<Self> {
        Some(match value {
            UNSIGNED_PAYLOAD => Self::Unsigned,
            SIGNED_CHUNKS => Self::SignedChunks,
            SIGNED_CHUNKS_AND_TRAILER => Self::SignedChunksWithTrailer,
            UNSIGNED_CHUNKS_AND_TRAILER => Self::UnsignedChunksWithTrailer,
            _ => Self::Sha256(unhex(value.as_bytes())?),
        })
    }

    /// Whether the body comes in aws-chunked encoding.
    pub const fn is_chunked(self) -> bool {
        matches!(
            self,
            Self::SignedChunks | Self::SignedChunksWithTrailer | Self::UnsignedChunksWithTrailer
        )
    }

    /// Whether every chunk carries a signature.
    pub const fn has_chunk_signatures(self) -> bool {
        matches!(self, Self::SignedChunks | Self::SignedChunksWithTrailer)
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256(digest) => {
                return f.write_str(std::str::from_utf8(&hex(digest)).unwrap_or_default());
            }
            Self::Unsigned => UNSIGNED_PAYLOAD,
            Self::SignedChunks => SIGNED_CHUNKS,
            Self::SignedChunksWithTrailer => SIGNED_CHUNKS_AND_TRAILER,
            Self::UnsignedChunksWithTrailer => UNSIGNED_CHUNKS_AND_TRAILER,
        })
    }
}
