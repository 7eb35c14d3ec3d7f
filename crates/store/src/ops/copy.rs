//! Copies inside the store: objects, and parts made of them. The bytes are not copied.

use std::ops::Range;
use std::time::SystemTime;

use http::StatusCode;

use super::multipart::{part_number, upload_ref};
use super::{Call, MAX_PUT, name_condition};
use crate::access::object_arn;
use crate::checksum;
use crate::conditions::{ByteRange, Verdict};
use crate::disk::{Checksum, CopySource, CopyTarget, ETag, ObjectInfo, Tags};
use crate::error::{Code, S3Error, S3Result};
use crate::reply::{self, Reply, iso_date, unix_seconds, write_checksums};
use crate::request::{Attributes, copy_source};
use crate::xml::Xml;

pub(super) async fn object(call: Call<'_>) -> S3Result<Reply> {
    let (bucket, key) = call.object()?;
    let attributes = &call.request.attributes;
    let metadata = if replaces(attributes, "x-amz-metadata-directive")? {
        Some(attributes.metadata()?)
    } else {
        None
    };
    let tags = if replaces(attributes, "x-amz-tagging-directive")? {
        Some(attributes.tags()?)
    } else {
        None
    };
    let (source, info) = find_source(&call).await?;
    if source.bucket == *bucket && source.key == *key && metadata.is_none() {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(S3Error::new(Code::InvalidRequest, message));
    }
    check_size(info.size_bytes)?;
    check_algorithm(attributes, &info)?;
    let tags = match tags {
        Some(tags) => tags,
        None => kept_tags(&call, &source, &info)?,
    };
    let target = CopyTarget {
        bucket: bucket.clone(),
        key: key.clone(),
        metadata,
        tags,
        condition: attributes.write_condition()?,
    };
    let copied = call.disk.copy_object(source, target).await;
    let copied = copied.map_err(|error| name_condition(error.into(), attributes))?;
    Ok(result(
        "CopyObjectResult",
        &copied.etag,
        copied.modified,
        &copied.checksums,
    ))
}

pub(super) async fn part(call: Call<'_>) -> S3Result<Reply> {
    let upload = upload_ref(&call)?;
    let number = part_number(&call)?;
    let (source, info) = find_source(&call).await?;
    let range = call.request.attributes.value("x-amz-copy-source-range");
    let range = range
        .map(|range| part_range(range, info.size_bytes))
        .transpose()?;
    check_size(
        range
            .as_ref()
            .map_or(info.size_bytes, |range| range.end - range.start),
    )?;
    let part = call.disk.copy_part(&upload, number, source, range).await?;
    Ok(result(
        "CopyPartResult",
        &part.etag,
        part.modified,
        &part.checksums,
    ))
}

/// The source as it is now, its conditions judged, pinned by its `ETag`.
async fn find_source(call: &Call<'_>) -> S3Result<(CopySource, ObjectInfo)> {
    let attributes = &call.request.attributes;
    let (bucket, key) = copy_source(attributes.value("x-amz-copy-source").unwrap_or_default())?;
    let info = call.disk.head_object(&bucket, &key).await?;
    match attributes
        .source_conditions()
        .judge(info.etag.as_str(), unix_seconds(info.modified))
    {
        Verdict::Holds => {}
        Verdict::NotModified => {
            return Err(S3Error::precondition("x-amz-copy-source-If-None-Match"));
        }
        Verdict::Failed(_) => return Err(S3Error::precondition("x-amz-copy-source-If-Match")),
    }
    let source = CopySource {
        bucket,
        key,
        etag: Some(info.etag.clone()),
    };
    Ok((source, info))
}

/// The source's tags, for a copy that keeps them: whoever makes it may read them there and write them here.
fn kept_tags(call: &Call<'_>, source: &CopySource, info: &ObjectInfo) -> S3Result<Tags> {
    if !info.tags.is_empty() {
        let (bucket, key) = call.object()?;
        let from = object_arn(&source.bucket, &source.key);
        call.caller.require("s3:GetObjectTagging", &from)?;
        let to = object_arn(bucket, key);
        call.caller.require("s3:PutObjectTagging", &to)?;
    }
    Ok(info.tags.clone())
}

/// Reads a `COPY` or `REPLACE` directive.
fn replaces(attributes: &Attributes, name: &str) -> S3Result<bool> {
    match attributes.value(name) {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(S3Error::argument(name, other)),
    }
}

/// A copy keeps the source's checksums; one that it does not have would need its bytes to be read.
fn check_algorithm(attributes: &Attributes, info: &ObjectInfo) -> S3Result<()> {
    let Some(name) = attributes.value("x-amz-checksum-algorithm") else {
        return Ok(());
    };
    let wanted = checksum::algorithm(name)?;
    let has = info
        .checksums
        .iter()
        .any(|checksum| checksum.algorithm == wanted);
    if has {
        Ok(())
    } else {
        Err(S3Error::not_implemented("x-amz-checksum-algorithm"))
    }
}

/// The range of a part's source must be whole and lie within it.
fn part_range(value: &str, size: u64) -> S3Result<Range<u64>> {
    let message = match ByteRange::parse(value) {
        Some(ByteRange::Between(first, last)) if last < size => return Ok(first..last + 1),
        Some(ByteRange::Between(..)) => format!("Range specified is not valid for source object of size: {size}"),
        _ => "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy".to_owned(),
    };
    Err(S3Error::new(Code::InvalidArgument, message))
}

fn check_size(size: u64) -> S3Result<()> {
    if size <= MAX_PUT {
        return Ok(());
    }
    let message = format!(
        "The specified copy source is larger than the maximum allowable size for a copy source: {MAX_PUT}"
    );
    Err(S3Error::new(Code::InvalidRequest, message))
}

fn result(root: &str, etag: &ETag, modified: SystemTime, checksums: &[Checksum]) -> Reply {
    let document = Xml::document(root, |xml| {
        xml.text("ETag", &etag.quoted());
        xml.text("LastModified", &iso_date(modified));
        write_checksums(xml, checksums);
    });
    reply::xml(StatusCode::OK, document)
}

#[cfg(test)]
mod tests {
    use super::part_range;

    #[test]
    fn a_parts_range_lies_within_its_source() {
        assert_eq!(part_range("bytes=0-4", 5).unwrap(), 0..5);
        for bad in ["bytes=0-5", "bytes=0-", "bytes=-1", "0-4", "bytes=3-2"] {
            assert!(part_range(bad, 5).is_err(), "{bad}");
        }
    }
}
