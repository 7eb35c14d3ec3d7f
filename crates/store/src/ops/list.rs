//! Listings: objects (both versions), unfinished uploads, parts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;

use super::Call;
use super::multipart::upload_ref;
use crate::attributes::OWNER;
use crate::checksum;
use crate::disk::{
    ListObjects, ListUploads, ListedObject, ObjectPage, PartInfo, PartNumber, UploadId, UploadInfo,
};
use crate::error::{Code, S3Error, S3Result};
use crate::operation::Operation;
use crate::reply::{self, Reply, encode_key, iso_date, write_checksums};
use crate::request::Query;
use crate::xml::Xml;

const PAGE: usize = 1000;

/// How names are written: as they are, or with `encoding-type=url`.
#[derive(Clone, Copy)]
enum Encoding {
    Plain,
    Url,
}

impl Encoding {
    fn read(query: &Query) -> S3Result<Self> {
        match query.value("encoding-type") {
            None | Some("") => Ok(Self::Plain),
            Some("url") => Ok(Self::Url),
            Some(other) => Err(S3Error::argument("encoding-type", other)),
        }
    }

    fn text(self, xml: &mut Xml, name: &str, value: &str) {
        match self {
            Self::Plain => xml.text(name, value),
            Self::Url => xml.text(name, &encode_key(value)),
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Url => Some("url"),
        }
    }
}

pub(super) async fn objects(call: Call<'_>, operation: Operation) -> S3Result<Reply> {
    let bucket = call.bucket()?;
    let query = &call.request.query;
    let encoding = Encoding::read(query)?;
    let max = query.number("max-keys", PAGE)?;
    let list = ListObjects {
        prefix: query.value("prefix").unwrap_or_default().to_owned(),
        delimiter: given(query, "delimiter").map(str::to_owned),
        start_after: start_after(query, operation)?,
        max,
    };
    let mut page = call.disk.list_objects(bucket, list).await?;
    if max == 0 {
        page.next = None;
    }
    let document = Xml::document("ListBucketResult", |xml| {
        xml.text("Name", bucket.as_str());
        write_question(xml, query, encoding);
        xml.number("MaxKeys", max as u64);
        xml.text("IsTruncated", truth(page.next.is_some()));
        if operation == Operation::ListObjectsV2 {
            write_second_version(xml, query, encoding, &page);
        } else {
            encoding.text(xml, "Marker", query.value("marker").unwrap_or_default());
            if let Some(next) = &page.next {
                encoding.text(xml, "NextMarker", next);
            }
        }
        let owned =
            operation == Operation::ListObjects || query.value("fetch-owner") == Some("true");
        for object in &page.objects {
            write_object(xml, object, encoding, owned.then_some(OWNER));
        }
        for prefix in &page.common_prefixes {
            xml.element("CommonPrefixes", |xml| encoding.text(xml, "Prefix", prefix));
        }
    });
    Ok(reply::xml(StatusCode::OK, document))
}

fn start_after(query: &Query, operation: Operation) -> S3Result<Option<String>> {
    if operation == Operation::ListObjects {
        return Ok(given(query, "marker").map(str::to_owned));
    }
    let Some(token) = query.value("continuation-token") else {
        return Ok(given(query, "start-after").map(str::to_owned));
    };
    let name = URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let invalid = || {
        S3Error::new(
            Code::InvalidArgument,
            "The continuation token provided is incorrect",
        )
    };
    name.filter(|name| !name.is_empty())
        .map(Some)
        .ok_or_else(invalid)
}

/// A parameter that is there and not empty.
fn given<'a>(query: &'a Query, name: &str) -> Option<&'a str> {
    query.value(name).filter(|value| !value.is_empty())
}

fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn write_question(xml: &mut Xml, query: &Query, encoding: Encoding) {
    encoding.text(xml, "Prefix", query.value("prefix").unwrap_or_default());
    if let Some(delimiter) = given(query, "delimiter") {
        encoding.text(xml, "Delimiter", delimiter);
    }
    xml.optional("EncodingType", encoding.name());
}

fn write_second_version(xml: &mut Xml, query: &Query, encoding: Encoding, page: &ObjectPage) {
    xml.number(
        "KeyCount",
        (page.objects.len() + page.common_prefixes.len()) as u64,
    );
    xml.optional("ContinuationToken", query.value("continuation-token"));
    if let Some(start) = query.value("start-after") {
        encoding.text(xml, "StartAfter", start);
    }
    let next = page.next.as_ref().map(|next| URL_SAFE_NO_PAD.encode(next));
    xml.optional("NextContinuationToken", next.as_deref());
}

fn write_object(xml: &mut Xml, object: &ListedObject, encoding: Encoding, owner: Option<&str>) {
    xml.element("Contents", |xml| {
        encoding.text(xml, "Key", object.key.as_str());
        xml.text("LastModified", &iso_date(object.modified));
        xml.text("ETag", &object.etag.quoted());
        xml.number("Size", object.size_bytes);
        if let Some(owner) = owner {
            xml.element("Owner", |xml| xml.text("ID", owner));
        }
        xml.text("StorageClass", "STANDARD");
    });
}

pub(super) async fn uploads(call: Call<'_>) -> S3Result<Reply> {
    let bucket = call.bucket()?;
    let query = &call.request.query;
    let encoding = Encoding::read(query)?;
    let max = query.number("max-uploads", PAGE)?;
    if given(query, "delimiter").is_some() {
        return Err(S3Error::not_implemented("delimiter"));
    }
    let (key_marker, id_marker) = (given(query, "key-marker"), given(query, "upload-id-marker"));
    let list = ListUploads {
        prefix: query.value("prefix").unwrap_or_default().to_owned(),
        after: key_marker.map(|key| (key.to_owned(), id_marker.map(UploadId::new))),
        max,
    };
    let mut page = call.disk.list_uploads(bucket, list).await?;
    page.truncated &= !page.uploads.is_empty();
    let document = Xml::document("ListMultipartUploadsResult", |xml| {
        xml.text("Bucket", bucket.as_str());
        encoding.text(xml, "KeyMarker", key_marker.unwrap_or_default());
        xml.text("UploadIdMarker", id_marker.unwrap_or_default());
        write_question(xml, query, encoding);
        xml.number("MaxUploads", max as u64);
        xml.text("IsTruncated", truth(page.truncated));
        if let Some(last) = page.uploads.last().filter(|_| page.truncated) {
            encoding.text(xml, "NextKeyMarker", last.key.as_str());
            xml.text("NextUploadIdMarker", last.id.as_str());
        }
        for upload in &page.uploads {
            write_upload(xml, upload, encoding);
        }
    });
    Ok(reply::xml(StatusCode::OK, document))
}

fn write_upload(xml: &mut Xml, upload: &UploadInfo, encoding: Encoding) {
    xml.element("Upload", |xml| {
        encoding.text(xml, "Key", upload.key.as_str());
        xml.text("UploadId", upload.id.as_str());
        xml.text("StorageClass", "STANDARD");
        xml.text("Initiated", &iso_date(upload.created));
    });
}

pub(super) async fn parts(call: Call<'_>) -> S3Result<Reply> {
    let upload = upload_ref(&call)?;
    let query = &call.request.query;
    let max = query.number("max-parts", PAGE)?;
    let after = query.number("part-number-marker", usize::from(PartNumber::MAX))?;
    let after = given(query, "part-number-marker")
        .and_then(|_| PartNumber::new(u32::try_from(after).ok()?).ok());
    let page = call.disk.list_parts(&upload, after, max).await?;
    let document = Xml::document("ListPartsResult", |xml| {
        xml.text("Bucket", upload.bucket.as_str());
        xml.text("Key", upload.key.as_str());
        xml.text("UploadId", upload.id.as_str());
        xml.number(
            "PartNumberMarker",
            after.map_or(0, |after| u64::from(after.get())),
        );
        if let Some(next) = page.next {
            xml.number("NextPartNumberMarker", u64::from(next.get()));
        }
        xml.number("MaxParts", max as u64);
        xml.text("IsTruncated", truth(page.next.is_some()));
        xml.text("StorageClass", "STANDARD");
        if let Some(checksum) = page.upload.checksum {
            xml.text("ChecksumAlgorithm", checksum.algorithm.name());
            xml.text("ChecksumType", checksum::type_name(checksum.kind));
        }
        for part in &page.parts {
            write_part(xml, part);
        }
    });
    Ok(reply::xml(StatusCode::OK, document))
}

fn write_part(xml: &mut Xml, part: &PartInfo) {
    xml.element("Part", |xml| {
        xml.number("PartNumber", u64::from(part.number.get()));
        xml.text("LastModified", &iso_date(part.modified));
        xml.text("ETag", &part.etag.quoted());
        xml.number("Size", part.size_bytes);
        write_checksums(xml, &part.checksums);
    });
}
