//! Answers: how a result of the store becomes headers and a body.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::checksum;
use crate::conditions::http_date;
use crate::disk::{Checksum, Metadata, ObjectInfo, ObjectStream};
use crate::error::S3Error;
use crate::xml::Xml;

/// The body of an answer.
pub(crate) type ReplyBody = UnsyncBoxBody<Bytes, io::Error>;
pub(crate) type Reply = Response<ReplyBody>;

/// All but RFC 3986's unreserved characters and the slash.
const KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// A key as it stands in a URL, and in a listing with `encoding-type=url`.
pub(crate) fn encode_key(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string()
}

pub(crate) fn empty(status: StatusCode) -> Reply {
    with_body(status, Bytes::new())
}

pub(crate) fn xml(status: StatusCode, document: String) -> Reply {
    let mut reply = with_body(status, Bytes::from(document));
    reply.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/xml"),
    );
    reply
}

pub(crate) fn stream(status: StatusCode, stream: ObjectStream) -> Reply {
    let body = StreamBody::new(stream.map_ok(Frame::data));
    let mut reply = Response::new(UnsyncBoxBody::new(body));
    *reply.status_mut() = status;
    reply
}

fn with_body(status: StatusCode, body: Bytes) -> Reply {
    let mut reply = Response::new(
        Full::new(body)
            .map_err(|never| match never {})
            .boxed_unsync(),
    );
    *reply.status_mut() = status;
    reply
}

/// The answer to a refused request. The resource is the path alone: a query may hold a signature.
pub(crate) fn error(error: &S3Error, resource: &str, request_id: &str) -> Reply {
    let document = Xml::error(|xml| {
        xml.text("Code", error.code.name());
        xml.text("Message", &error.message);
        for (name, value) in &error.details {
            xml.text(name, value);
        }
        xml.text("Resource", resource);
        xml.text("RequestId", request_id);
    });
    xml(error.code.status(), document)
}

pub(crate) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name, value);
    }
}

pub(crate) fn set_named(headers: &mut HeaderMap, name: &str, value: &str) {
    if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
        set(headers, name, value);
    }
}

pub(crate) fn set_checksums(headers: &mut HeaderMap, checksums: &[Checksum]) {
    for checksum in checksums {
        set_named(
            headers,
            checksum::header_name(checksum.algorithm),
            &checksum.value,
        );
        set_named(
            headers,
            "x-amz-checksum-type",
            checksum::type_name(checksum.kind),
        );
    }
}

pub(crate) fn write_checksums(xml: &mut Xml, checksums: &[Checksum]) {
    for checksum in checksums {
        xml.text(checksum::element_name(checksum.algorithm), &checksum.value);
    }
}

/// What every answer about an object says of it.
pub(crate) fn set_object(headers: &mut HeaderMap, info: &ObjectInfo) {
    set(headers, header::ETAG, &info.etag.quoted());
    set(
        headers,
        header::LAST_MODIFIED,
        &http_date(unix_seconds(info.modified)),
    );
    set(headers, header::ACCEPT_RANGES, "bytes");
    let Metadata {
        content_type,
        cache_control,
        content_disposition,
        content_encoding,
        content_language,
        expires,
        user,
    } = &info.metadata;
    set(
        headers,
        header::CONTENT_TYPE,
        content_type.as_deref().unwrap_or("binary/octet-stream"),
    );
    let optional = [
        (header::CACHE_CONTROL, cache_control),
        (header::CONTENT_DISPOSITION, content_disposition),
        (header::CONTENT_ENCODING, content_encoding),
        (header::CONTENT_LANGUAGE, content_language),
        (header::EXPIRES, expires),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            set(headers, name, value);
        }
    }
    for (name, value) in user {
        set_named(headers, &format!("x-amz-meta-{name}"), &header_text(value));
    }
}

/// Metadata beyond ASCII leaves as S3 sends it, an RFC 2047 encoded word.
fn header_text(value: &str) -> String {
    if value.is_ascii() {
        value.to_owned()
    } else {
        format!("=?UTF-8?B?{}?=", BASE64.encode(value))
    }
}

pub(crate) fn unix_seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A time as XML shows it, such as `2015-12-30T00:00:00.000Z`.
pub(crate) fn iso_date(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time)
        .unwrap_or_default()
        .strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
        .to_string()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{encode_key, header_text, iso_date};

    #[test]
    fn times_keys_and_metadata_are_written_as_s3_does() {
        assert_eq!(
            iso_date(UNIX_EPOCH + Duration::from_millis(1_451_433_600_123)),
            "2015-12-30T00:00:00.123Z"
        );
        assert_eq!(encode_key("a/b c+~日"), "a/b%20c%2B~%E6%97%A5");
        assert_eq!(header_text("plain"), "plain");
        assert_eq!(header_text("日"), "=?UTF-8?B?5pel?=");
    }
}
