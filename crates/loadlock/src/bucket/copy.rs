//! Server-side copies, pinned to what was inspected.

use std::{collections::BTreeMap, error, fmt::Write as _, ops::RangeInclusive};

use aws_sdk_s3::{
    config::{http::HttpRequest, retry::RetryConfig},
    error::ProvideErrorMetadata as _,
    operation::copy_object::CopyObjectError,
    types::{
        CompletedMultipartUpload, CompletedPart, MetadataDirective, ServerSideEncryption,
        StorageClass, Tag, Tagging, TaggingDirective,
    },
};

use super::{Bucket, SdkFailure, Trouble, failed, patiently, trouble};
use crate::{
    error::{Error, Kind},
    upload::{Encryption, Inspected, ObjectKey},
};

/// The largest object one `CopyObject` takes (S3 API reference).
pub const MAX_COPY_BYTES: u64 = 5 << 30;
const COPY_PART_BYTES: u64 = 1 << 30;

/// How a store is told to copy only what still has one `ETag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyPin {
    /// As S3 has it.
    S3,
    /// And under the only name that Ceph knows (its issue 40808), which other stores may refuse.
    Ceph,
}

impl CopyPin {
    /// The headers that say it.
    pub(crate) fn headers(self) -> &'static [&'static str] {
        match self {
            Self::S3 => &["x-amz-copy-source-if-match"],
            Self::Ceph => &["x-amz-copy-source-if-match", "x-amz-copy-if-match"],
        }
    }

    fn put(self, etag: &str) -> impl Fn(&mut HttpRequest) + Send + Sync + 'static {
        let etag = etag.to_owned();
        move |request| {
            for name in self.headers() {
                request.headers_mut().insert(*name, etag.clone());
            }
        }
    }
}

/// Says that there is no body. Ceph (16.2.15) answers 411 to a part's copy that leaves it open, as the SDK does.
fn say_empty(request: &mut HttpRequest) {
    request.headers_mut().insert("content-length", "0");
}

/// A key as a copy's source: who has temporary credentials chooses its own.
fn source(key: &ObjectKey) -> String {
    let segments: Vec<String> = key.as_str().split('/').map(encoded).collect();
    segments.join("/")
}

/// The object a file becomes: key and headers.
#[derive(Debug, Clone)]
pub struct Final {
    pub key: ObjectKey,
    pub content_disposition: String,
    pub cache_control: String,
    /// S3's name of the storage class; none: the bucket's usual one.
    pub class: Option<String>,
    pub encryption: Option<Encryption>,
    pub tags: BTreeMap<String, String>,
}

impl Final {
    fn class(&self) -> Option<StorageClass> {
        self.class.as_deref().map(StorageClass::from)
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.encryption.as_ref().map(|encryption| match encryption {
            Encryption::Aes256 => ServerSideEncryption::Aes256,
            Encryption::Kms { .. } => ServerSideEncryption::AwsKms,
        })
    }

    fn kms_key(&self) -> Option<String> {
        match &self.encryption {
            Some(Encryption::Kms { key }) => key.clone(),
            _ => None,
        }
    }

    /// As the header has them: `a=1&b=2`, encoded.
    fn tagging(&self) -> Option<String> {
        let tags = self.tags.iter();
        let pairs: Vec<String> = tags
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("&"))
    }

    /// Says of a refusal that it is one of what the profile asks of the store.
    fn refused(&self, error: Error) -> Error {
        let asked = self.class.is_some() || self.encryption.is_some() || !self.tags.is_empty();
        if asked {
            error.saying("the store did not take the file as its profile's `storage` says, by class, encryption and tags")
        } else {
            error
        }
    }
}

/// Percent-encoding of all but RFC 3986's unreserved characters.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// What the store answered in place of a copy, such as `400 InvalidStorageClass`; none if it did not answer.
pub(crate) fn refusal(error: &Error) -> Option<String> {
    let failure = error::Error::source(error)?.downcast_ref::<SdkFailure<CopyObjectError>>()?;
    let status = failure.raw_response()?.status().as_u16();
    let code = failure.code().unwrap_or_default();
    Some(format!("{status} {code}").trim_end().to_owned())
}

/// What became of a promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Promoted {
    Done,
    /// The inspected object is no longer there, or no longer the same.
    Gone,
}

impl Bucket {
    /// Copies a staged object within the bucket, to where no client can write it; `Gone` if it is no longer the one with this `ETag`.
    ///
    /// The copy is asked for once only: a first request that was slow rather than lost could otherwise land after the
    /// second, and after the inspection.
    pub async fn hold(
        &self,
        from: &ObjectKey,
        etag: &str,
        to: &ObjectKey,
    ) -> Result<Promoted, Error> {
        let copy = self
            .client
            .copy_object()
            .bucket(&*self.staging)
            .key(to.as_str())
            .copy_source(format!("{}/{}", self.staging, source(from)))
            // With its headers, so that inspection sees those of the very copy.
            .metadata_directive(MetadataDirective::Copy)
            .customize()
            .mutate_request(self.copy_pin.put(etag))
            .config_override(patiently().retry_config(RetryConfig::disabled()));
        match copy.send().await {
            Ok(_) => Ok(Promoted::Done),
            Err(failure) => match trouble(&failure) {
                Trouble::Missing | Trouble::Changed => Ok(Promoted::Gone),
                Trouble::Mismatch | Trouble::Other => Err(failed(failure)),
            },
        }
    }

    /// Copies the inspected object to the final bucket, its headers and tags replaced.
    pub async fn promote(&self, from: &Inspected, to: &Final) -> Result<Promoted, Error> {
        let promoted = if from.size_bytes > MAX_COPY_BYTES {
            self.promote_in_parts(from, to).await?
        } else {
            self.promote_whole(from, to).await?
        };
        if promoted == Promoted::Done && self.copy_pin == CopyPin::Ceph && !to.tags.is_empty() {
            self.tag(to).await?;
        }
        Ok(promoted)
    }

    /// Ceph (16.2.15) loses the tags that come with a copy, or with an upload in parts.
    async fn tag(&self, to: &Final) -> Result<(), Error> {
        let tags = to.tags.iter();
        let tags = tags.map(|(name, value)| Tag::builder().key(name).value(value).build());
        let tags = tags.collect::<Result<_, _>>();
        let tags = tags.and_then(|tags| Tagging::builder().set_tag_set(Some(tags)).build());
        let tags = tags.map_err(|error| Kind::Internal.caused_by(error))?;
        let put = self.client.put_object_tagging();
        let put = put.bucket(&*self.finals).key(to.key.as_str()).tagging(tags);
        let put = put.send().await;
        put.map(drop).map_err(|failure| to.refused(failed(failure)))
    }

    /// Refuses a copy that is not encrypted as was asked, and deletes it: Ceph (16.2.15) takes what is asked, and stores in plain.
    pub async fn check_encryption(&self, copied: &Final) -> Result<(), Error> {
        let Some(asked) = copied.encryption() else {
            return Ok(());
        };
        let (bucket, key) = (&*self.finals, copied.key.as_str());
        let head = self.client.head_object().bucket(bucket).key(key);
        let head = head.send().await.map_err(failed)?;
        if head.server_side_encryption() == Some(&asked) {
            return Ok(());
        }
        let delete = self.client.delete_object().bucket(bucket).key(key);
        delete.send().await.map_err(failed)?;
        Err(Kind::Unavailable
            .because("the store does not encrypt as the profile's `storage` says: nothing is kept"))
    }

    async fn promote_whole(&self, from: &Inspected, to: &Final) -> Result<Promoted, Error> {
        let copy = self
            .client
            .copy_object()
            .bucket(&*self.finals)
            .key(to.key.as_str())
            .copy_source(format!("{}/{}", self.staging, from.source))
            .metadata_directive(MetadataDirective::Replace)
            .tagging_directive(TaggingDirective::Replace)
            .content_type(from.content_type.as_str())
            .content_disposition(&to.content_disposition)
            .cache_control(&to.cache_control)
            .set_storage_class(to.class())
            .set_server_side_encryption(to.encryption())
            .set_ssekms_key_id(to.kms_key())
            .set_tagging(to.tagging())
            .customize()
            .mutate_request(self.copy_pin.put(&from.etag))
            .config_override(patiently());
        match copy.send().await {
            Ok(_) => Ok(Promoted::Done),
            Err(failure) => match trouble(&failure) {
                Trouble::Missing | Trouble::Changed => Ok(Promoted::Gone),
                Trouble::Mismatch | Trouble::Other => Err(to.refused(failed(failure))),
            },
        }
    }

    async fn promote_in_parts(&self, from: &Inspected, to: &Final) -> Result<Promoted, Error> {
        let create = self
            .client
            .create_multipart_upload()
            .bucket(&*self.finals)
            .key(to.key.as_str())
            .content_type(from.content_type.as_str())
            .content_disposition(&to.content_disposition)
            .cache_control(&to.cache_control)
            .set_storage_class(to.class())
            .set_server_side_encryption(to.encryption())
            .set_ssekms_key_id(to.kms_key())
            .set_tagging(to.tagging());
        let created = create.send().await;
        let created = created.map_err(|failure| to.refused(failed(failure)))?;
        let id = created
            .upload_id()
            .ok_or_else(|| Kind::Unavailable.because("the store names no upload"))?;
        let outcome = self.copy_parts(from, to, id).await;
        if !matches!(outcome, Ok(Promoted::Done)) {
            let abort = self.client.abort_multipart_upload();
            let abort = abort
                .bucket(&*self.finals)
                .key(to.key.as_str())
                .upload_id(id);
            // What stays behind is cleared by the bucket's own rule for unfinished uploads.
            if let Err(failure) = abort.send().await {
                tracing::warn!(key = %to.key, error = %failure, "copy left unfinished");
            }
        }
        outcome
    }

    async fn copy_parts(&self, from: &Inspected, to: &Final, id: &str) -> Result<Promoted, Error> {
        let mut parts = Vec::new();
        for (number, range) in (1..).zip(ranges(from.size_bytes)) {
            let copy = self
                .client
                .upload_part_copy()
                .bucket(&*self.finals)
                .key(to.key.as_str())
                .upload_id(id)
                .part_number(number)
                .copy_source(format!("{}/{}", self.staging, from.source))
                .copy_source_if_match(&from.etag)
                .copy_source_range(format!("bytes={}-{}", range.start(), range.end()))
                .customize()
                .mutate_request(say_empty)
                .config_override(patiently());
            let etag = match copy.send().await {
                Ok(output) => output
                    .copy_part_result()
                    .and_then(|part| part.e_tag().map(str::to_owned)),
                Err(failure) => match trouble(&failure) {
                    Trouble::Missing | Trouble::Changed => return Ok(Promoted::Gone),
                    Trouble::Mismatch | Trouble::Other => return Err(failed(failure)),
                },
            };
            parts.push(
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(etag)
                    .build(),
            );
        }
        let all = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let complete = self.client.complete_multipart_upload();
        let complete = complete
            .bucket(&*self.finals)
            .key(to.key.as_str())
            .upload_id(id)
            .multipart_upload(all)
            .customize()
            .config_override(patiently());
        complete.send().await.map_err(failed)?;
        Ok(Promoted::Done)
    }
}

fn ranges(size_bytes: u64) -> impl Iterator<Item = RangeInclusive<u64>> {
    (0..size_bytes.div_ceil(COPY_PART_BYTES)).map(move |part| {
        let start = part * COPY_PART_BYTES;
        start..=(start + COPY_PART_BYTES).min(size_bytes) - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_an_object_once() {
        let size = 5 * COPY_PART_BYTES + 1;
        let all: Vec<_> = ranges(size).collect();
        assert_eq!(all.len(), 6);
        assert_eq!(all.last(), Some(&(size - 1..=size - 1)));
        assert!(all.windows(2).all(|w| w[0].end() + 1 == *w[1].start()));
        assert_eq!(ranges(COPY_PART_BYTES).count(), 1);
    }

    #[test]
    fn tags_are_written_as_a_query() {
        let tags = [("team", "photo & film"), ("é", "a/b=c")];
        let to = Final {
            key: ObjectKey::new("k".to_owned()),
            content_disposition: String::new(),
            cache_control: String::new(),
            class: None,
            encryption: None,
            tags: tags.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
        };
        let expected = "team=photo%20%26%20film&%C3%A9=a%2Fb%3Dc";
        assert_eq!(to.tagging().as_deref(), Some(expected));
    }
}
