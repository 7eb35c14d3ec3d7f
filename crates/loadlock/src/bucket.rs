//! The few S3 calls the service itself makes, and the grants it signs for others. Three identities, never mixed.

pub mod grant;

use crate::{auth::Secret, error::Error};

/// An S3 access key with its secret.
#[derive(Debug, Clone)]
pub struct KeyPair {
    pub access_key_id: String,
    pub secret_access_key: Secret,
}

/// Signs what clients send; may put objects under one staging prefix and nothing else.
#[derive(Debug, Clone)]
pub struct UploaderIdentity(pub KeyPair);

/// Inspects, promotes, deletes; never leaves the server and signs nothing that a client sees.
#[derive(Debug, Clone)]
pub struct ServerIdentity(pub KeyPair);

/// Signs display URLs; may get objects of the final bucket and nothing else.
#[derive(Debug, Clone)]
pub struct ReaderIdentity(pub KeyPair);

/// Where a bucket's name stands in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `https://host/bucket/key`
    Path,
    /// `https://bucket.host/key`
    VirtualHosted,
}

/// The store and how to reach it.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// As the server reaches it: `http://127.0.0.1:9000`.
    pub endpoint: String,
    /// As browsers reach it; grants and display URLs are signed for it.
    pub public_endpoint: String,
    pub region: String,
    pub style: Style,
    pub staging_bucket: String,
    pub final_bucket: String,
    pub uploader: UploaderIdentity,
    pub server: ServerIdentity,
    pub reader: ReaderIdentity,
}

/// The store, as the service uses it.
#[derive(Debug, Clone)]
pub struct Bucket {
    settings: StoreSettings,
}

impl Bucket {
    /// A connection to be; makes no request.
    pub fn new(settings: StoreSettings) -> Result<Self, Error> {
        Ok(Self { settings })
    }
}
