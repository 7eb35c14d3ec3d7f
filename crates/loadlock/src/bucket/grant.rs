//! Grants, signed by the uploader identity, and display URLs, signed by the reader's. No other identity signs here.

use std::{
    fmt,
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use loadlock_sigv4::{
    Bucket as Place, Condition, FormBuffer, PostPolicy, Presign, Secret, SignError, Signer,
};

use super::{
    Bucket, ReaderIdentity, StoreSettings, UploaderIdentity,
    identity::{Pen, keyless},
};
use crate::{
    clock::{Clock, after, rounded},
    error::{Error, Kind},
    upload::{Method, ObjectKey, PartNumber, Upload, profile::MAX_SINGLE_BYTES},
};

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

/// What holds for a form beside what was declared.
#[derive(Debug, Clone)]
pub struct FormTerms<'a> {
    /// Bytes.
    pub sizes: RangeInclusive<u64>,
    /// Where the store sends the browser once it has the file.
    pub redirect: Option<&'a str>,
}

/// The permission to send one part.
#[derive(Debug, Clone)]
pub struct SignedPart {
    pub number: PartNumber,
    pub url: Secret,
    pub headers: Headers,
    pub size_bytes: u64,
}

/// How a file is read: the method is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Get,
    Head,
}

/// A URL that shows a stored file for a while.
#[derive(Debug, Clone)]
pub struct DisplayUrl {
    pub url: Secret,
    pub expires_at: Timestamp,
}

/// An uploader's pen: it signs writes to staging.
struct Uploader(Arc<Pen>);

/// A reader's pen: it signs reads of the final bucket.
struct Reader(Arc<Pen>);

/// What signs for others, and for which addresses.
pub(super) struct Signing {
    uploader: Uploader,
    staging: Place,
    reader: Reader,
    finals: Place,
}

impl Signing {
    pub(super) async fn new(settings: &StoreSettings, clock: &Clock) -> Result<Self, Error> {
        let UploaderIdentity(uploader) = &settings.uploader;
        let ReaderIdentity(reader) = &settings.reader;
        let place = |bucket: &str| Place::new(&settings.public_endpoint, bucket, settings.style);
        let pen = |source| Pen::new(source, &settings.region, clock);
        Ok(Self {
            staging: place(&settings.staging_bucket).map_err(unsigned)?,
            finals: place(&settings.final_bucket).map_err(unsigned)?,
            uploader: Uploader(
                pen(uploader)
                    .await
                    .map_err(|e| e.saying(keyless("uploader")))?,
            ),
            reader: Reader(pen(reader).await.map_err(|e| e.saying(keyless("reader")))?),
        })
    }
}

impl Bucket {
    /// Whether no client can write the object any more, once it is there: a PUT has `if-none-match` signed, and nothing is
    /// deleted before its grant has expired; a multipart upload died when the server completed it. A form can be replayed,
    /// even under the same `ETag`, which is an MD5.
    pub fn is_written_once(&self, upload: &Upload) -> bool {
        match upload.method {
            Method::Multipart => true,
            Method::Put => self.conditional_writes && upload.size_bytes.is_some(),
            Method::Post | Method::Credentials => false,
        }
    }

    /// The permission to send the whole file in one PUT, with this type, length and checksum, once. Where no length was
    /// declared the client is one that knows of no such things: only its type is signed.
    pub fn grant_put(&self, upload: &Upload, now: Timestamp) -> Result<Grant, Error> {
        let pen = self.signing.uploader.0.at(now)?;
        let expires_at = pen.until(upload.grant_expires_at);
        let key = &upload.staged_key;
        let length = upload.size_bytes.map(|size| size.to_string());
        let mut headers = Vec::with_capacity(4);
        if let Some(content_type) = &upload.content_type {
            headers.push(("content-type", content_type.as_str()));
        }
        if self.is_written_once(upload) {
            headers.push(("if-none-match", "*"));
        }
        if let Some(checksum) = &upload.checksum {
            headers.push((checksum.algorithm().header(), checksum.value()));
        }
        let client_sets = owned(&headers);
        if let Some(length) = &length {
            headers.push(("content-length", length));
        }
        let request = Presign {
            method: "PUT",
            bucket: &self.signing.staging,
            key: Some(key.as_str()),
            query: &[],
            headers: &headers,
            expires: until(expires_at, now),
        };
        Ok(Grant::Put {
            url: presign(&pen.signer, &request, now)?,
            headers: client_sets,
            expires_at,
        })
    }

    /// The permission to send the file as a form: this key, type, length and checksum. A form may be for a file not chosen
    /// yet: then its length is within `terms`, and its type is found at inspection.
    pub fn grant_post(
        &self,
        upload: &Upload,
        terms: &FormTerms<'_>,
        now: Timestamp,
    ) -> Result<Grant, Error> {
        let pen = self.signing.uploader.0.at(now)?;
        let expires_at = pen.until(upload.grant_expires_at);
        let key = &upload.staged_key;
        let (least, most) = (terms.sizes.start(), terms.sizes.end());
        let mut conditions = vec![
            Condition::Equals("key", key.as_str()),
            Condition::Size {
                min: upload.size_bytes.unwrap_or(*least),
                max: upload.size_bytes.unwrap_or(*most).min(MAX_SINGLE_BYTES),
            },
        ];
        if let Some(content_type) = &upload.content_type {
            conditions.push(Condition::Equals("content-type", content_type.as_str()));
        }
        if let Some(redirect) = terms.redirect {
            conditions.push(Condition::Equals("success_action_redirect", redirect));
        }
        if let Some(checksum) = &upload.checksum {
            conditions.push(Condition::Equals(
                checksum.algorithm().header(),
                checksum.value(),
            ));
        }
        let policy = PostPolicy {
            bucket: &self.signing.staging,
            conditions: &conditions,
            expires: until(expires_at, now),
        };
        let mut buffer = FormBuffer::default();
        let form = pen
            .signer
            .post_form(&mut buffer, now.into(), &policy)
            .map_err(unsigned)?;
        let fields = form
            .fields()
            .map(|(name, value)| (name.to_owned(), Secret::new(value)));
        Ok(Grant::Post {
            // With the slash: without it SeaweedFS (4.48) closes the connection on a page's preflight.
            url: format!("{}/", self.signing.staging.url().trim_end_matches('/')),
            fields: fields.collect(),
            expires_at,
        })
    }

    /// Until when a grant can hold that should hold until `wanted`: the keys it is signed with may die before.
    pub fn granted_until(&self, wanted: Timestamp, now: Timestamp) -> Result<Timestamp, Error> {
        Ok(self.signing.uploader.0.at(now)?.until(wanted))
    }

    /// The permission to send these parts, each of its exact length, until `expires_at` or [`Self::granted_until`].
    pub fn sign_parts(
        &self,
        upload: &Upload,
        numbers: impl Iterator<Item = PartNumber>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<SignedPart>, Error> {
        let plan = upload.part_plan();
        let key = &upload.staged_key;
        let multipart_id = upload.multipart_id.as_deref().unwrap_or_default();
        let pen = self.signing.uploader.0.at(now)?;
        let expires_at = pen.until(expires_at);
        numbers
            .filter_map(|number| Some((number, plan.size_of(number)?)))
            .map(|(number, size_bytes)| {
                let length = size_bytes.to_string();
                let part = number.value().to_string();
                let request = Presign {
                    method: "PUT",
                    bucket: &self.signing.staging,
                    key: Some(key.as_str()),
                    query: &[("partNumber", &part), ("uploadId", multipart_id)],
                    headers: &[("content-length", &length)],
                    expires: until(expires_at, now),
                };
                Ok(SignedPart {
                    number,
                    url: presign(&pen.signer, &request, now)?,
                    headers: Headers::new(),
                    size_bytes,
                })
            })
            .collect()
    }

    /// A URL that shows a file for at least three quarters of `lifetime`. The time of signing is rounded down, so that
    /// the same URL comes again for a while and a browser's cache knows it.
    pub fn display(
        &self,
        key: &ObjectKey,
        reading: Reading,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<DisplayUrl, Error> {
        let signed_at = rounded(now, lifetime);
        let pen = self.signing.reader.0.at(now)?;
        let expires_at = pen.until(after(signed_at, lifetime));
        let lifetime = until(expires_at, signed_at);
        let verb = match reading {
            Reading::Get => "GET",
            Reading::Head => "HEAD",
        };
        let request = Presign::new(verb, &self.signing.finals, key.as_str(), lifetime);
        Ok(DisplayUrl {
            url: presign(&pen.signer, &request, signed_at)?,
            expires_at,
        })
    }
}

fn presign(signer: &Signer, request: &Presign<'_>, now: Timestamp) -> Result<Secret, Error> {
    let mut url = String::with_capacity(640);
    signer
        .presign(&mut url, SystemTime::from(now), request)
        .map_err(unsigned)?;
    Ok(Secret::new(url))
}

/// From the second of signing to the second of the end: a signature knows whole seconds only, and never outlives its grant.
fn until(end: Timestamp, now: Timestamp) -> Duration {
    let second = now.as_millisecond().div_euclid(1000);
    let last = end.as_millisecond().div_euclid(1000);
    Duration::from_secs(u64::try_from(last - second).unwrap_or(0))
}

fn owned(headers: &[(&str, &str)]) -> Headers {
    headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn unsigned(error: SignError) -> Error {
    Kind::Internal.caused_by(error)
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing")
            .field("staging", &self.staging)
            .field("final", &self.finals)
            .finish_non_exhaustive()
    }
}
