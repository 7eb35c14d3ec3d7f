//! Grants and display URLs: what is signed for others to use.

use jiff::Timestamp;

use crate::{auth::Secret, upload::PartNumber};

/// Headers a client must send, by name.
pub type Headers = Vec<(String, String)>;

/// The signed permission handed to the client.
#[derive(Debug, Clone)]
pub enum Grant {
    Put {
        url: Secret,
        /// Exactly those a browser must set: never `content-length`, which it sets itself.
        headers: Headers,
        expires_at: Timestamp,
    },
    Post {
        url: String,
        /// In this order, before the file, which goes last as `file`.
        fields: Vec<(String, Secret)>,
        expires_at: Timestamp,
    },
    Multipart {
        part_size_bytes: u64,
        parts: Vec<SignedPart>,
        expires_at: Timestamp,
    },
}

/// The permission to send one part.
#[derive(Debug, Clone)]
pub struct SignedPart {
    pub number: PartNumber,
    pub url: Secret,
    pub headers: Headers,
    pub size_bytes: u64,
}

/// A URL that shows a stored file for a while.
#[derive(Debug, Clone)]
pub struct DisplayUrl {
    pub url: Secret,
    pub expires_at: Timestamp,
}
