//! Objects: put, get, head.

use std::ops::Range;

use http::header::{self, HeaderName};
use http::{HeaderMap, StatusCode};

use super::{Call, Content, MAX_WRITERS, name_condition, receive};
use crate::access::{Caller, bucket_arn, object_arn};
use crate::checksum::Promise;
use crate::conditions::{ByteRange, Verdict, bare};
use crate::disk::{BucketName, Condition, ObjectInfo, ObjectKey, PutObject};
use crate::error::{Code, S3Error, S3Result};
use crate::reply::{self, Reply, unix_seconds};
use crate::request::{Query, Request};

pub(super) async fn put(call: Call<'_>) -> S3Result<Reply> {
    let (bucket, key) = call.object()?;
    let (disk, attributes) = (call.disk, &call.request.attributes);
    let put = PutObject {
        bucket: bucket.clone(),
        key: key.clone(),
        metadata: attributes.metadata()?,
        tags: attributes.tags()?,
        condition: attributes.write_condition()?,
    };
    let promise = Promise::read(attributes)?;
    refuse_hopeless(&call, &put).await?;
    let _claim = disk.claim(bucket, key, MAX_WRITERS)?;
    let written = receive(disk, Content::Body(call.body()?), promise, None).await?;
    let stored = disk.put_object(written, put).await;
    let info = stored.map_err(|error| name_condition(error.into(), attributes))?;
    let mut reply = reply::empty(StatusCode::OK);
    reply::set(reply.headers_mut(), header::ETAG, &info.etag.quoted());
    reply::set_checksums(reply.headers_mut(), &info.checksums);
    Ok(reply)
}

/// Spares the sender a body that cannot be kept: no bucket, or a condition that fails already. The disk looks again.
async fn refuse_hopeless(call: &Call<'_>, put: &PutObject) -> S3Result<()> {
    call.disk.head_bucket(&put.bucket).await?;
    if put.condition == Some(Condition::Absent)
        && call.disk.head_object(&put.bucket, &put.key).await.is_ok()
    {
        return Err(S3Error::precondition("If-None-Match"));
    }
    Ok(())
}

pub(super) async fn read(call: Call<'_>) -> S3Result<Reply> {
    let (bucket, key) = call.object()?;
    let found = call.disk.object(bucket, key).await;
    let object = found.map_err(|error| hide_absence(error.into(), call.caller, bucket, key))?;
    let Some(shown) = look(call.request, &object.info)? else {
        return Ok(not_modified(&object.info));
    };
    let info = object.info.clone();
    let mut reply = reply::stream(shown.status(), object.read(shown.range.clone())?);
    shown.describe(reply.headers_mut(), &info, call.request)?;
    count_tags(&call, reply.headers_mut(), &info);
    Ok(reply)
}

pub(super) async fn head(call: Call<'_>) -> S3Result<Reply> {
    let (bucket, key) = call.object()?;
    let found = call.disk.head_object(bucket, key).await;
    let info = found.map_err(|error| hide_absence(error.into(), call.caller, bucket, key))?;
    let Some(shown) = look(call.request, &info)? else {
        return Ok(not_modified(&info));
    };
    let mut reply = reply::empty(shown.status());
    shown.describe(reply.headers_mut(), &info, call.request)?;
    count_tags(&call, reply.headers_mut(), &info);
    Ok(reply)
}

/// Says to whom may read them how many tags there are, if any.
fn count_tags(call: &Call<'_>, headers: &mut HeaderMap, info: &ObjectInfo) {
    let may = |(bucket, key)| {
        call.caller
            .may("s3:GetObjectTagging", &object_arn(bucket, key))
    };
    if !info.tags.is_empty() && call.object().is_ok_and(may) {
        reply::set_named(headers, "x-amz-tagging-count", &info.tags.len().to_string());
    }
}

/// Who may not list a bucket does not learn which keys it lacks.
pub(super) fn hide_absence(
    error: S3Error,
    caller: &Caller<'_>,
    bucket: &BucketName,
    key: &ObjectKey,
) -> S3Error {
    if error.code != Code::NoSuchKey {
        return error;
    }
    if caller.may("s3:ListBucket", &bucket_arn(bucket)) {
        error.with("Key", key.as_str())
    } else {
        Code::AccessDenied.into()
    }
}

/// What of an object is to be shown.
struct Shown {
    range: Range<u64>,
    partial: bool,
}

/// Judges the conditions and the range of a read; `None` if the caller has the object already.
fn look(request: &Request, info: &ObjectInfo) -> S3Result<Option<Shown>> {
    match request
        .attributes
        .read_conditions()
        .judge(info.etag.as_str(), unix_seconds(info.modified))
    {
        Verdict::NotModified => return Ok(None),
        Verdict::Failed(condition) => return Err(S3Error::precondition(condition)),
        Verdict::Holds => {}
    }
    let asked = request.header(&header::RANGE).and_then(ByteRange::parse);
    let Some(asked) = asked.filter(|_| range_still_wanted(request, info)) else {
        return Ok(Some(Shown {
            range: 0..info.size_bytes,
            partial: false,
        }));
    };
    let unsatisfiable =
        || S3Error::from(Code::InvalidRange).with("ActualObjectSize", info.size_bytes.to_string());
    let range = asked.within(info.size_bytes).ok_or_else(unsatisfiable)?;
    Ok(Some(Shown {
        range,
        partial: true,
    }))
}

/// `If-Range`: a range of another version of the object is of no use.
fn range_still_wanted(request: &Request, info: &ObjectInfo) -> bool {
    let Some(condition) = request.header(&header::IF_RANGE) else {
        return true;
    };
    match httpdate::parse_http_date(condition) {
        Ok(date) => unix_seconds(date) == unix_seconds(info.modified),
        Err(_) => !condition.starts_with("W/") && bare(condition) == info.etag.as_str(),
    }
}

impl Shown {
    fn status(&self) -> StatusCode {
        if self.partial {
            StatusCode::PARTIAL_CONTENT
        } else {
            StatusCode::OK
        }
    }

    fn describe(
        &self,
        headers: &mut HeaderMap,
        info: &ObjectInfo,
        request: &Request,
    ) -> S3Result<()> {
        reply::set_object(headers, info);
        let Range { start, end } = self.range;
        reply::set(headers, header::CONTENT_LENGTH, &(end - start).to_string());
        if self.partial {
            reply::set(
                headers,
                header::CONTENT_RANGE,
                &format!("bytes {start}-{}/{}", end - 1, info.size_bytes),
            );
        }
        let mode = request.attributes.value("x-amz-checksum-mode");
        // A checksum of the whole would only mislead the reader of a part.
        if !self.partial && mode.is_some_and(|mode| mode.eq_ignore_ascii_case("enabled")) {
            reply::set_checksums(headers, &info.checksums);
        }
        override_headers(headers, &request.query)
    }
}

/// `response-content-type` and the like: only signed requests get here, so the signer wanted them.
fn override_headers(headers: &mut HeaderMap, query: &Query) -> S3Result<()> {
    const OVERRIDES: [(&str, HeaderName); 6] = [
        ("response-content-type", header::CONTENT_TYPE),
        ("response-content-language", header::CONTENT_LANGUAGE),
        ("response-expires", header::EXPIRES),
        ("response-cache-control", header::CACHE_CONTROL),
        ("response-content-disposition", header::CONTENT_DISPOSITION),
        ("response-content-encoding", header::CONTENT_ENCODING),
    ];
    for (parameter, name) in OVERRIDES {
        let Some(value) = query.value(parameter) else {
            continue;
        };
        if value.chars().any(char::is_control) {
            return Err(S3Error::argument(parameter, "contains control characters"));
        }
        reply::set(headers, name, value);
    }
    Ok(())
}

fn not_modified(info: &ObjectInfo) -> Reply {
    let mut reply = reply::empty(StatusCode::NOT_MODIFIED);
    reply::set_object(reply.headers_mut(), info);
    reply.headers_mut().remove(header::CONTENT_TYPE);
    reply
}
