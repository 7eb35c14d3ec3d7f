//! Multipart uploads: create, upload parts, complete, abort.

use http::{StatusCode, header};
use serde::Deserialize;

use super::{Call, Content, MAX_WRITERS, location, name_condition, receive};
use crate::checksum::{self, Promise};
use crate::disk::{
    Checksum, ChecksumAlgorithm, ChecksumType, CompletePart, CompleteUpload, CreateUpload, ETag,
    ObjectInfo, PartNumber, UploadChecksum, UploadId, UploadRef,
};
use crate::error::{Code, S3Error, S3Result};
use crate::reply::{self, Reply, write_checksums};
use crate::request::{Attributes, Request};
use crate::xml::{self, Xml};

pub(super) async fn create(call: Call<'_>) -> S3Result<Reply> {
    let (bucket, key) = call.object()?;
    let attributes = &call.request.attributes;
    let checksum = upload_checksum(attributes)?;
    let create = CreateUpload {
        bucket: bucket.clone(),
        key: key.clone(),
        metadata: attributes.metadata()?,
        tags: attributes.tags()?,
        checksum,
    };
    let id = call.disk.create_upload(create).await?;
    let document = Xml::document("InitiateMultipartUploadResult", |xml| {
        xml.text("Bucket", bucket.as_str());
        xml.text("Key", key.as_str());
        xml.text("UploadId", id.as_str());
    });
    let mut reply = reply::xml(StatusCode::OK, document);
    if let Some(checksum) = checksum {
        reply::set_named(
            reply.headers_mut(),
            "x-amz-checksum-algorithm",
            checksum.algorithm.name(),
        );
        reply::set_named(
            reply.headers_mut(),
            "x-amz-checksum-type",
            checksum::type_name(checksum.kind),
        );
    }
    Ok(reply)
}

/// The checksum that the whole is to have. CRC64NVME exists for whole objects alone, SHA for parts alone; the other
/// CRCs are of the parts unless asked otherwise.
fn upload_checksum(attributes: &Attributes) -> S3Result<Option<UploadChecksum>> {
    use ChecksumAlgorithm::{Crc64Nvme, Sha1, Sha256};
    use ChecksumType::{Composite, FullObject};
    let invalid = |message: &'static str| Err(S3Error::new(Code::InvalidRequest, message));
    let kind = attributes
        .value("x-amz-checksum-type")
        .map(checksum_type)
        .transpose()?;
    let Some(name) = attributes.value("x-amz-checksum-algorithm") else {
        return match kind {
            None => Ok(None),
            Some(_) => invalid(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            ),
        };
    };
    let algorithm = checksum::algorithm(name)?;
    let kind = kind.unwrap_or(if algorithm == Crc64Nvme {
        FullObject
    } else {
        Composite
    });
    match (algorithm, kind) {
        (Crc64Nvme, Composite) => invalid(
            "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.",
        ),
        (Sha1 | Sha256, FullObject) => invalid(
            "The FULL_OBJECT checksum type cannot be used with the SHA checksum algorithms.",
        ),
        _ => Ok(Some(UploadChecksum { algorithm, kind })),
    }
}

fn checksum_type(name: &str) -> S3Result<ChecksumType> {
    match name {
        "FULL_OBJECT" => Ok(ChecksumType::FullObject),
        "COMPOSITE" => Ok(ChecksumType::Composite),
        other => Err(S3Error::argument("x-amz-checksum-type", other)),
    }
}

pub(super) async fn upload_part(call: Call<'_>) -> S3Result<Reply> {
    let upload = upload_ref(&call)?;
    let number = part_number(&call)?;
    let disk = call.disk;
    let attributes = &call.request.attributes;
    let wanted = disk
        .upload(&upload)
        .await?
        .checksum
        .map(|checksum| checksum.algorithm);
    let promise = Promise::read(attributes)?;
    if let (Some(wanted), Some(given)) = (wanted, promise.algorithm())
        && wanted != given
    {
        let message = format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            wanted.name(),
            given.name()
        );
        return Err(S3Error::new(Code::InvalidRequest, message));
    }
    let _claim = disk.claim(&upload.bucket, &upload.key, MAX_WRITERS)?;
    let written = receive(disk, Content::Body(call.body()?), promise, wanted).await?;
    let part = disk.put_part(&upload, number, written).await?;
    let mut reply = reply::empty(StatusCode::OK);
    reply::set(reply.headers_mut(), header::ETAG, &part.etag.quoted());
    for checksum in &part.checksums {
        reply::set_named(
            reply.headers_mut(),
            checksum::header_name(checksum.algorithm),
            &checksum.value,
        );
    }
    Ok(reply)
}

/// The parts as a client lists them.
#[derive(Deserialize)]
struct Complete {
    #[serde(rename = "Part", default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "PartNumber")]
    number: u32,
    #[serde(rename = "ETag")]
    etag: String,
    #[serde(rename = "ChecksumCRC32")]
    crc32: Option<String>,
    #[serde(rename = "ChecksumCRC32C")]
    crc32c: Option<String>,
    #[serde(rename = "ChecksumCRC64NVME")]
    crc64nvme: Option<String>,
    #[serde(rename = "ChecksumSHA1")]
    sha1: Option<String>,
    #[serde(rename = "ChecksumSHA256")]
    sha256: Option<String>,
}

impl Part {
    fn read(self) -> S3Result<CompletePart> {
        let number = PartNumber::new(self.number);
        let number =
            number.map_err(|_| S3Error::argument("PartNumber", &self.number.to_string()))?;
        let given = [
            (ChecksumAlgorithm::Crc32, self.crc32),
            (ChecksumAlgorithm::Crc32c, self.crc32c),
            (ChecksumAlgorithm::Crc64Nvme, self.crc64nvme),
            (ChecksumAlgorithm::Sha1, self.sha1),
            (ChecksumAlgorithm::Sha256, self.sha256),
        ];
        let mut checksums = given
            .into_iter()
            .filter_map(|(algorithm, value)| Some((algorithm, value?)));
        let checksum = checksums
            .next()
            .map(|(algorithm, value)| checksum::checksum(algorithm, &value))
            .transpose()?;
        if checksums.next().is_some() {
            return Err(Code::MalformedXML.into());
        }
        Ok(CompletePart {
            number,
            etag: ETag::new(self.etag.trim()),
            checksum,
        })
    }
}

pub(super) async fn complete(call: Call<'_>) -> S3Result<Reply> {
    let upload = upload_ref(&call)?;
    let (disk, request) = (call.disk, call.request);
    let attributes = &request.attributes;
    let condition = attributes.write_condition()?;
    let checksum = promised_whole(attributes)?;
    let size_bytes = attributes.number("x-amz-mp-object-size")?;
    let checksum_type = attributes
        .value("x-amz-checksum-type")
        .map(checksum_type)
        .transpose()?;
    let promise = Promise::without_checksum(attributes)?;
    let document = call.document_as(promise).await?;
    let document: Complete = xml::read("CompleteMultipartUpload", &document)?;
    if document.parts.is_empty() || document.parts.len() > usize::from(PartNumber::MAX) {
        return Err(Code::MalformedXML.into());
    }
    let parts = document
        .parts
        .into_iter()
        .map(Part::read)
        .collect::<S3Result<_>>()?;
    let complete = CompleteUpload {
        upload: upload.clone(),
        parts,
        condition,
        size_bytes,
        checksum,
        checksum_type,
    };
    let info = disk
        .complete_upload(complete)
        .await
        .map_err(|error| name_condition(error.into(), attributes))?;
    Ok(completed(request, &upload, &info))
}

/// The checksum of the whole in the head of a completion: these headers are not about the request's own body.
fn promised_whole(attributes: &Attributes) -> S3Result<Option<Checksum>> {
    for algorithm in ChecksumAlgorithm::ALL {
        let Some(value) = attributes.value(checksum::header_name(algorithm)) else {
            continue;
        };
        let digest = value.split_once('-').map_or(value, |(digest, _)| digest);
        let mut whole = checksum::checksum(algorithm, digest)?;
        if digest != value {
            value.clone_into(&mut whole.value);
            whole.kind = ChecksumType::Composite;
        }
        return Ok(Some(whole));
    }
    Ok(None)
}

fn completed(request: &Request, upload: &UploadRef, info: &ObjectInfo) -> Reply {
    let document = Xml::document("CompleteMultipartUploadResult", |xml| {
        xml.text("Location", &location(request, &upload.bucket, &upload.key));
        xml.text("Bucket", upload.bucket.as_str());
        xml.text("Key", upload.key.as_str());
        xml.text("ETag", &info.etag.quoted());
        write_checksums(xml, &info.checksums);
        xml.optional(
            "ChecksumType",
            info.checksums
                .first()
                .map(|checksum| checksum::type_name(checksum.kind)),
        );
    });
    reply::xml(StatusCode::OK, document)
}

pub(super) async fn abort(call: Call<'_>) -> S3Result<Reply> {
    let upload = upload_ref(&call)?;
    call.disk.abort_upload(&upload).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

pub(super) fn upload_ref(call: &Call<'_>) -> S3Result<UploadRef> {
    let (bucket, key) = call.object()?;
    let id = call.request.query.value("uploadId").unwrap_or_default();
    Ok(UploadRef {
        bucket: bucket.clone(),
        key: key.clone(),
        id: UploadId::new(id),
    })
}

pub(super) fn part_number(call: &Call<'_>) -> S3Result<PartNumber> {
    let value = call.request.query.value("partNumber").unwrap_or_default();
    let number = value
        .parse()
        .ok()
        .and_then(|number| PartNumber::new(number).ok());
    number.ok_or_else(|| {
        S3Error::new(
            Code::InvalidArgument,
            "Part number must be an integer between 1 and 10000, inclusive",
        )
        .with("ArgumentName", "partNumber")
        .with("ArgumentValue", value)
    })
}
