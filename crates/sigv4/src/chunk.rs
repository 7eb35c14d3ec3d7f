//! Signatures of an aws-chunked body: each chunk's covers the one before it, the first the request's own.

use std::fmt;

use crate::encode::hex;
use crate::scope::{Scope, Signature};
use crate::sha256::Sha256;
use crate::stamp::Stamp;

/// Signs the chunks of one body in their order, for a client that sends them and for a server that checks them.
///
/// See the S3 API reference, "Transferring Payload in Multiple Chunks" and "Including Trailing Headers".
#[derive(Clone)]
pub struct ChunkSigner {
    scope: Scope,
    stamp: Stamp,
    previous: Signature,
}

impl ChunkSigner {
    pub(crate) const fn new(scope: Scope, stamp: Stamp, seed: Signature) -> Self {
        Self {
            scope,
            stamp,
            previous: seed,
        }
    }

    /// The next chunk's signature. The last chunk is empty and is signed as well.
    pub fn sign(&mut self, data: &[u8]) -> Signature {
        self.sign_digest(&Sha256::digest(data))
    }

    /// The same for a chunk that was hashed while it streamed past: `sha256` is of the chunk's data alone.
    pub fn sign_digest(&mut self, sha256: &[u8; 32]) -> Signature {
        let empty = hex(&Sha256::new().finish());
        let previous = self.previous;
        let lines = [previous.as_str().as_bytes(), &empty, &hex(sha256)];
        self.previous = self
            .scope
            .sign_lines("AWS4-HMAC-SHA256-PAYLOAD", &self.stamp, &lines);
        self.previous
    }

    /// The signature of the trailing headers, for `x-amz-trailer-signature`, in the order in which they are sent. It comes after
    /// the last, empty chunk; `x-amz-trailer-signature` itself is not among them.
    pub fn sign_trailer(&mut self, headers: &[(&str, &str)]) -> Signature {
        let mut trailer = Sha256::new();
        for (name, value) in headers {
            trailer.update(name.to_ascii_lowercase().as_bytes());
            trailer.update(b":");
            trailer.update(value.trim_ascii().as_bytes());
            trailer.update(b"\n");
        }
        let previous = self.previous;
        let lines = [previous.as_str().as_bytes(), &hex(&trailer.finish())];
        self.previous = self
            .scope
            .sign_lines("AWS4-HMAC-SHA256-TRAILER", &self.stamp, &lines);
        self.previous
    }
}

impl fmt::Debug for ChunkSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkSigner")
            .field("scope", &self.scope.text)
            .finish_non_exhaustive()
    }
}
