//! Multipart uploads in staging: created, listed, completed and aborted by the server alone.

use std::collections::BTreeMap;

use aws_sdk_s3::{
    primitives::DateTime,
    types::{
        ChecksumAlgorithm as SdkAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart,
    },
};

use super::{Bucket, Trouble, failed, patiently, trouble};
use crate::{
    error::{Error, Kind},
    upload::{Checksum, MediaType, ObjectKey, PartNumber},
};

/// A part that the store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub number: PartNumber,
    pub size_bytes: u64,
    etag: String,
}

/// What became of a completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Completed {
    Done,
    /// There is no such upload any more: completed before, or aborted.
    Gone,
    /// The content is not what the checksum says.
    Mismatch,
}

impl Bucket {
    /// Creates a multipart upload; the type is set here, where no client can change it.
    pub async fn create_multipart(
        &self,
        key: &ObjectKey,
        content_type: &MediaType,
        checksum: Option<&Checksum>,
    ) -> Result<String, Error> {
        let mut create = self
            .client
            .create_multipart_upload()
            .bucket(&*self.staging)
            .key(key.as_str())
            .content_type(content_type.as_str());
        if checksum.is_some() {
            create = create
                .checksum_algorithm(SdkAlgorithm::Crc64Nvme)
                .checksum_type(ChecksumType::FullObject);
        }
        let created = create.send().await.map_err(failed)?;
        created
            .upload_id
            .ok_or_else(|| Kind::Unavailable.because("the store names no upload"))
    }

    /// The parts the store holds, all pages, in order; `None` if there is no such upload.
    pub async fn list_parts(
        &self,
        key: &ObjectKey,
        multipart_id: &str,
    ) -> Result<Option<Vec<Part>>, Error> {
        let list = self.client.list_parts();
        let mut pages = list
            .bucket(&*self.staging)
            .key(key.as_str())
            .upload_id(multipart_id)
            .into_paginator()
            .send();
        let mut parts = BTreeMap::new();
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => page.parts().iter().for_each(|part| note(&mut parts, part)),
                Err(failure) if trouble(&failure) == Trouble::Missing => return Ok(None),
                Err(failure) => return Err(failed(failure)),
            }
        }
        Ok(Some(parts.into_values().map(|(_, part)| part).collect()))
    }

    /// Makes one object of the parts. An error in an answer that began with 200 is an error.
    pub async fn complete_multipart(
        &self,
        key: &ObjectKey,
        multipart_id: &str,
        parts: &[Part],
        checksum: Option<&Checksum>,
    ) -> Result<Completed, Error> {
        let parts = parts.iter().map(|part| {
            CompletedPart::builder()
                .part_number(i32::from(part.number.value()))
                .e_tag(&part.etag)
                .build()
        });
        let all = CompletedMultipartUpload::builder()
            .set_parts(Some(parts.collect()))
            .build();
        let mut complete = self
            .client
            .complete_multipart_upload()
            .bucket(&*self.staging)
            .key(key.as_str())
            .upload_id(multipart_id)
            .multipart_upload(all);
        if let Some(checksum) = checksum {
            complete = complete
                .checksum_crc64_nvme(checksum.value())
                .checksum_type(ChecksumType::FullObject);
        }
        let complete = complete.customize().config_override(patiently());
        match complete.send().await {
            Ok(_) => Ok(Completed::Done),
            Err(failure) => match trouble(&failure) {
                Trouble::Missing => Ok(Completed::Gone),
                Trouble::Mismatch => Ok(Completed::Mismatch),
                Trouble::Changed | Trouble::Other => Err(failed(failure)),
            },
        }
    }

    /// Aborts until the store no longer knows the upload: a part in flight may arrive after an abort, and stay.
    pub async fn abort_multipart(&self, key: &ObjectKey, multipart_id: &str) -> Result<(), Error> {
        for _ in 0..3 {
            let abort = self.client.abort_multipart_upload();
            let abort = abort
                .bucket(&*self.staging)
                .key(key.as_str())
                .upload_id(multipart_id);
            match abort.send().await {
                Ok(_) => {}
                Err(failure) if trouble(&failure) == Trouble::Missing => {}
                Err(failure) => return Err(failed(failure)),
            }
            if self.list_parts(key, multipart_id).await?.is_none() {
                return Ok(());
            }
        }
        Err(Kind::Unavailable.because("the store still holds parts of an aborted upload"))
    }
}

/// Of those with one number the last, as far as the store tells.
fn note(
    parts: &mut BTreeMap<PartNumber, (Option<DateTime>, Part)>,
    listed: &aws_sdk_s3::types::Part,
) {
    let Some(part) = part(listed) else {
        return;
    };
    // SeaweedFS 4 lists a part as often as it was sent, with the second of each, and completes with the one whose ETag it is given.
    let at = listed.last_modified().copied();
    match parts.get(&part.number) {
        Some((noted, _)) if *noted > at => {}
        _ => drop(parts.insert(part.number, (at, part))),
    }
}

fn part(part: &aws_sdk_s3::types::Part) -> Option<Part> {
    Some(Part {
        number: PartNumber::new(u64::try_from(part.part_number()?).ok()?)?,
        size_bytes: u64::try_from(part.size()?).ok()?,
        etag: part.e_tag()?.to_owned(),
    })
}
