//! Looking at staged objects, and deleting.

use std::{collections::BTreeMap, ops::Range};

use aws_sdk_s3::{
    operation::head_object::HeadObjectOutput,
    types::{ChecksumMode, ChecksumType, StorageClass},
};
use bytes::{Bytes, BytesMut};
use tokio::time::timeout;

use super::{Bucket, CALL, Trouble, failed, trouble};
use crate::{
    error::{Error, Kind},
    upload::{ChecksumAlgorithm, ObjectKey},
};

/// What a HEAD says of an object.
#[derive(Debug, Clone)]
pub struct Object {
    pub etag: String,
    pub size_bytes: u64,
    pub content_type: String,
    /// Names of headers, and of user metadata, that no grant gives.
    pub strays: Vec<String>,
    checksums: BTreeMap<&'static str, String>,
}

impl Object {
    /// The store's own checksum over the whole content, if it keeps one of this kind.
    pub fn checksum(&self, algorithm: ChecksumAlgorithm) -> Option<&str> {
        self.checksums.get(algorithm.as_str()).map(String::as_str)
    }
}

impl Bucket {
    /// What lies in staging under this key, if anything.
    pub async fn staged(&self, key: &ObjectKey) -> Result<Option<Object>, Error> {
        let head = self.client.head_object();
        let head = head
            .bucket(&*self.staging)
            .key(key.as_str())
            .checksum_mode(ChecksumMode::Enabled);
        match head.send().await {
            Ok(output) => object(&output).map(Some),
            Err(failure) if trouble(&failure) == Trouble::Missing => Ok(None),
            Err(failure) => Err(failed(failure)),
        }
    }

    /// The first bytes of the staged object that has this `ETag`; `None` if it has another by now, or is gone.
    pub async fn first_bytes(
        &self,
        key: &ObjectKey,
        object: &Object,
        most: u64,
    ) -> Result<Option<Bytes>, Error> {
        self.bytes(key, object, 0..object.size_bytes.min(most))
            .await
    }

    /// Its last bytes.
    pub async fn last_bytes(
        &self,
        key: &ObjectKey,
        object: &Object,
        most: u64,
    ) -> Result<Option<Bytes>, Error> {
        let start = object.size_bytes.saturating_sub(most);
        Box::pin(self.bytes(key, object, start..object.size_bytes)).await
    }

    /// Some bytes from the middle of it.
    pub async fn bytes(
        &self,
        key: &ObjectKey,
        object: &Object,
        range: Range<u64>,
    ) -> Result<Option<Bytes>, Error> {
        // A ranged GET of an empty object is an error.
        if range.is_empty() {
            return Ok(Some(Bytes::new()));
        }
        let (start, last) = (range.start, range.end - 1);
        let get = self.client.get_object();
        let get = get
            .bucket(&*self.staging)
            .key(key.as_str())
            .if_match(&object.etag)
            .range(format!("bytes={start}-{last}"));
        let mut body = match get.send().await {
            // A store that knows no ranges would show the beginning for the end.
            Ok(output) if start > 0 && output.content_range().is_none() => {
                return Err(Kind::Unavailable.because("the store does not answer for a range"));
            }
            Ok(output) => output.body,
            Err(failure) => {
                return match trouble(&failure) {
                    Trouble::Missing | Trouble::Changed => Ok(None),
                    Trouble::Mismatch | Trouble::Other => Err(failed(failure)),
                };
            }
        };
        // No more is taken even from a store that knows no ranges.
        let wanted = usize::try_from(range.end - start).unwrap_or(usize::MAX);
        let mut bytes = BytesMut::with_capacity(wanted);
        while bytes.len() < wanted {
            let chunk = timeout(CALL, body.next())
                .await
                .map_err(|error| Kind::Unavailable.caused_by(error))?;
            let Some(chunk) = chunk else {
                return Err(Kind::Unavailable.because("the store ended its answer too early"));
            };
            bytes.extend_from_slice(&chunk.map_err(|error| Kind::Unavailable.caused_by(error))?);
        }
        bytes.truncate(wanted);
        Ok(Some(bytes.freeze()))
    }

    /// Deletes a staged object, if it is there.
    pub async fn delete_staged(&self, key: &ObjectKey) -> Result<(), Error> {
        self.delete(&self.staging, key.as_str()).await
    }

    /// Deletes an object of the final bucket, if it is there.
    pub async fn delete_final(&self, key: &ObjectKey) -> Result<(), Error> {
        self.delete(&self.finals, key.as_str()).await
    }

    /// Deletes everything in staging below a prefix.
    pub async fn delete_staged_below(&self, prefix: &str) -> Result<(), Error> {
        let list = self.client.list_objects_v2();
        let mut pages = list
            .bucket(&*self.staging)
            .prefix(prefix)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            for object in page.map_err(failed)?.contents() {
                if let Some(key) = object.key() {
                    self.delete(&self.staging, key).await?;
                }
            }
        }
        Ok(())
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), Error> {
        let delete = self.client.delete_object().bucket(bucket).key(key);
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(failure) if trouble(&failure) == Trouble::Missing => Ok(()),
            Err(failure) => Err(failed(failure)),
        }
    }
}

fn object(head: &HeadObjectOutput) -> Result<Object, Error> {
    let size = head
        .content_length()
        .and_then(|size| u64::try_from(size).ok());
    let (Some(etag), Some(size_bytes)) = (head.e_tag(), size) else {
        return Err(Kind::Unavailable.because("the store gives objects no size or etag"));
    };
    Ok(Object {
        etag: etag.to_owned(),
        size_bytes,
        content_type: head.content_type().unwrap_or_default().to_owned(),
        strays: strays(head),
        checksums: checksums(head),
    })
}

/// Only those over the whole content: a composite one says nothing about the file.
fn checksums(head: &HeadObjectOutput) -> BTreeMap<&'static str, String> {
    if head.checksum_type() == Some(&ChecksumType::Composite) {
        return BTreeMap::new();
    }
    [
        (ChecksumAlgorithm::Sha256, head.checksum_sha256()),
        (ChecksumAlgorithm::Crc32c, head.checksum_crc32_c()),
        (ChecksumAlgorithm::Crc64nvme, head.checksum_crc64_nvme()),
    ]
    .into_iter()
    .filter(|(_, value)| value.is_some_and(|value| !value.contains('-')))
    .filter_map(|(algorithm, value)| Some((algorithm.as_str(), value?.to_owned())))
    .collect()
}

/// What browsers say by themselves, and a store keeps, when a PUT carries `if-none-match`: the first by the Fetch
/// standard ("HTTP-network-or-cache fetch"), the second Chromium. The copy to the final bucket replaces it.
const ADDED_BY_BROWSERS: [&str; 2] = ["no-cache", "max-age=0"];

fn strays(head: &HeadObjectOutput) -> Vec<String> {
    let standard = head
        .storage_class()
        .is_none_or(|class| *class == StorageClass::Standard);
    let named = [
        ("content-encoding", head.content_encoding().is_some()),
        ("content-disposition", head.content_disposition().is_some()),
        ("content-language", head.content_language().is_some()),
        (
            "cache-control",
            head.cache_control()
                .is_some_and(|value| !ADDED_BY_BROWSERS.contains(&value)),
        ),
        ("expires", head.expires_string().is_some()),
        (
            "x-amz-website-redirect-location",
            head.website_redirect_location().is_some(),
        ),
        ("x-amz-storage-class", !standard),
        (
            "x-amz-tagging",
            head.tag_count().is_some_and(|count| count > 0),
        ),
        (
            "x-amz-server-side-encryption-customer-algorithm",
            head.sse_customer_algorithm().is_some(),
        ),
        ("x-amz-object-lock-mode", head.object_lock_mode().is_some()),
        (
            "x-amz-object-lock-legal-hold",
            head.object_lock_legal_hold_status().is_some(),
        ),
    ];
    let mut found: Vec<String> = named
        .into_iter()
        .filter(|(_, there)| *there)
        .map(|(name, _)| name.to_owned())
        .collect();
    let metadata = head.metadata().into_iter().flatten();
    found.extend(metadata.map(|(name, _)| format!("x-amz-meta-{name}")));
    found.sort();
    found
}
