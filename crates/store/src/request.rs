//! A request as S3 sees it: what it is aimed at, its query, and the attributes it gives in headers or in the query.

use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};
use loadlock_sigv4::Style;
use percent_encoding::percent_decode_str;

use crate::disk::{BucketName, DiskError, ObjectKey};
use crate::error::{Code, S3Error, S3Result};

/// What a request is aimed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Service,
    Bucket(BucketName),
    Object(BucketName, ObjectKey),
}

/// A request's head, taken apart once. Not printable, for it holds a signature; nor are its query and attributes.
pub(crate) struct Request {
    pub(crate) method: Method,
    /// As it was sent: what a signature covers.
    pub(crate) uri: Uri,
    pub(crate) target: Target,
    /// Whether its host or its path names the bucket.
    pub(crate) style: Style,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) attributes: Attributes,
}

impl Request {
    /// `domain`: requests to `bucket.domain` name their bucket in the host.
    pub(crate) fn read(parts: Parts, domain: Option<&str>) -> S3Result<Self> {
        let query = Query::parse(parts.uri.query().unwrap_or_default())?;
        let target = Target::of(&parts, domain)?;
        let style = if bucket_in_host(&parts, domain).is_some() {
            Style::VirtualHost
        } else {
            Style::Path
        };
        let attributes = Attributes::of_request(&parts.headers, &query)?;
        Ok(Self {
            method: parts.method,
            uri: parts.uri,
            target,
            style,
            query,
            headers: parts.headers,
            attributes,
        })
    }

    /// A header that no query may stand in for.
    pub(crate) fn header(&self, name: &header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn bucket_in_host<'a>(parts: &'a Parts, domain: Option<&str>) -> Option<&'a str> {
    let host = parts.headers.get(header::HOST)?.to_str().ok()?;
    virtual_bucket(host, domain?)
}

fn virtual_bucket<'a>(host: &'a str, domain: &str) -> Option<&'a str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let length = name.len().checked_sub(domain.len())?;
    let (bucket, rest) = (name.get(..length)?, name.get(length..)?);
    rest.eq_ignore_ascii_case(domain)
        .then_some(bucket)?
        .strip_suffix('.')
}

impl Target {
    fn of(parts: &Parts, domain: Option<&str>) -> S3Result<Self> {
        let (bucket, key) = split(parts, domain);
        if bucket.is_empty() {
            // `//x` would be an object of a bucket without a name.
            let service = key.is_empty() && !parts.uri.path().starts_with("//");
            return if service {
                Ok(Self::Service)
            } else {
                Err(Code::InvalidBucketName.into())
            };
        }
        let bucket = BucketName::parse(decode(bucket)?)?;
        if key.is_empty() {
            Ok(Self::Bucket(bucket))
        } else {
            Ok(Self::Object(bucket, object_key(decode(key)?)?))
        }
    }

    /// The bucket alone, also of a request whose key is none.
    pub(crate) fn bucket_of(parts: &Parts, domain: Option<&str>) -> Option<BucketName> {
        BucketName::parse(decode(split(parts, domain).0).ok()?).ok()
    }

    pub(crate) fn bucket(&self) -> Option<&BucketName> {
        match self {
            Self::Service => None,
            Self::Bucket(bucket) | Self::Object(bucket, _) => Some(bucket),
        }
    }
}

/// Bucket and key, still encoded. Keys are bytes: decoded exactly once, `//`, `.` and `..` kept as they are.
fn split<'a>(parts: &'a Parts, domain: Option<&str>) -> (&'a str, &'a str) {
    let path = parts.uri.path();
    let path = path.strip_prefix('/').unwrap_or(path);
    match bucket_in_host(parts, domain) {
        Some(bucket) => (bucket, path),
        None => path.split_once('/').unwrap_or((path, "")),
    }
}

/// A key from decoded text. NUL is refused: XML cannot carry it in any form.
pub(crate) fn object_key(key: String) -> S3Result<ObjectKey> {
    if key.contains('\0') {
        return Err(S3Error::new(Code::InvalidURI, "A key cannot contain NUL."));
    }
    Ok(ObjectKey::parse(key)?)
}

/// Decodes `%XX` once; what is not UTF-8 then is no key.
pub(crate) fn decode(text: &str) -> S3Result<String> {
    let decoded = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| S3Error::from(Code::InvalidURI))?;
    Ok(decoded.into_owned())
}

/// The `x-amz-copy-source` of a copy: `[/]bucket/key`, percent-encoded.
pub(crate) fn copy_source(value: &str) -> S3Result<(BucketName, ObjectKey)> {
    let invalid = || {
        S3Error::new(
            Code::InvalidArgument,
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        )
    };
    let (path, version) = value
        .split_once("?versionId=")
        .map_or((value, None), |(path, id)| (path, Some(id)));
    if version.is_some_and(|id| id != "null") {
        return Err(S3Error::new(
            Code::InvalidArgument,
            "Invalid version id specified",
        ));
    }
    let decoded = decode(path)?;
    let (bucket, key) = decoded
        .trim_start_matches('/')
        .split_once('/')
        .ok_or_else(invalid)?;
    let key = if key.is_empty() {
        return Err(invalid());
    } else {
        object_key(key.to_owned())?
    };
    Ok((BucketName::parse(bucket)?, key))
}

impl From<DiskError> for S3Error {
    fn from(error: DiskError) -> Self {
        let code = match &error {
            DiskError::NoSuchBucket => Code::NoSuchBucket,
            DiskError::BucketAlreadyExists => Code::BucketAlreadyOwnedByYou,
            DiskError::BucketNotEmpty => Code::BucketNotEmpty,
            DiskError::InvalidBucketName => Code::InvalidBucketName,
            DiskError::NoSuchKey => Code::NoSuchKey,
            DiskError::KeyTooLong => Code::KeyTooLongError,
            DiskError::NoSuchUpload => Code::NoSuchUpload,
            DiskError::PreconditionFailed => Code::PreconditionFailed,
            DiskError::InvalidPart(_) => Code::InvalidPart,
            DiskError::InvalidPartOrder => Code::InvalidPartOrder,
            DiskError::NoParts => Code::MalformedXML,
            DiskError::EntityTooSmall { .. } => Code::EntityTooSmall,
            DiskError::InvalidRange => Code::InvalidRange,
            DiskError::TooManyWriters => Code::SlowDown,
            DiskError::Closed => Code::ServiceUnavailable,
            DiskError::NoSpace => {
                tracing::error!(%error, "the disk is full");
                return Self::new(Code::ServiceUnavailable, error.to_string());
            }
            DiskError::KeyEmpty | DiskError::InvalidPartNumber => {
                return Self::new(Code::InvalidArgument, error.to_string());
            }
            DiskError::WholeMismatch(what) => {
                return Self::new(
                    Code::BadDigest,
                    format!("the whole is not what was promised: {what}"),
                );
            }
            DiskError::ChecksumTypeUnsupported | DiskError::OtherChecksumType => {
                return Self::new(Code::InvalidRequest, error.to_string());
            }
            DiskError::Io(_)
            | DiskError::Database(_)
            | DiskError::Encoding(_)
            | DiskError::CommitFailed => {
                tracing::error!(%error, "the disk failed");
                Code::InternalError
            }
        };
        code.into()
    }
}

/// A query's parameters, decoded, in their order; `x-amz-tagging` is written as one.
#[derive(Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(raw: &str) -> S3Result<Self> {
        let pairs = raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode_plus(name)?, decode_plus(value)?))
        });
        Ok(Self(pairs.collect::<S3Result<_>>()?))
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A number such as `max-keys`, at most `limit`.
    pub(crate) fn number(&self, name: &str, limit: usize) -> S3Result<usize> {
        let Some(value) = self.value(name).filter(|value| !value.is_empty()) else {
            return Ok(limit);
        };
        let number: u32 = value
            .parse()
            .ok()
            .filter(|number| i32::try_from(*number).is_ok())
            .ok_or_else(|| S3Error::argument(name, value))?;
        Ok(limit.min(number as usize))
    }
}

/// In a query, a plus sign is a space.
fn decode_plus(text: &str) -> S3Result<String> {
    if text.contains('+') {
        decode(&text.replace('+', " "))
    } else {
        decode(text)
    }
}

/// What a request says about the object it carries or asks for: headers, or the same names hoisted into a presigned
/// query, or a form's fields. Names in lower case; several values of one name joined by a comma, as they are signed.
#[derive(Default)]
pub(crate) struct Attributes(Vec<(String, String)>);

impl Attributes {
    fn of_request(headers: &HeaderMap, query: &Query) -> S3Result<Self> {
        let mut attributes = Self::default();
        for (name, value) in headers {
            let value = std::str::from_utf8(value.as_bytes());
            let value = value.map_err(|_| {
                S3Error::new(Code::InvalidArgument, format!("header {name} is not UTF-8"))
            })?;
            attributes.join(name.as_str(), value);
        }
        for (name, value) in query.iter() {
            let name = name.to_ascii_lowercase();
            if !name.starts_with("x-amz-") {
                continue;
            }
            match attributes.value(&name) {
                None => attributes.0.push((name, value.to_owned())),
                Some(header) if header == value => {}
                Some(_) => {
                    return Err(S3Error::new(
                        Code::InvalidArgument,
                        format!("{name} is given twice, in a header and in the query"),
                    ));
                }
            }
        }
        Ok(attributes)
    }

    /// A form's fields stand for headers; two of them have shorter names there.
    pub(crate) fn of_fields(fields: &[(String, String)]) -> Self {
        let header = |name: &str| match name {
            "acl" => "x-amz-acl".to_owned(),
            "tagging" => "x-amz-tagging".to_owned(),
            other => other.to_owned(),
        };
        Self(
            fields
                .iter()
                .map(|(name, value)| (header(name), value.clone()))
                .collect(),
        )
    }

    fn join(&mut self, name: &str, value: &str) {
        let value = value.trim();
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => {
                values.push(',');
                values.push_str(value);
            }
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn number(&self, name: &str) -> S3Result<Option<u64>> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { value.parse().ok() } else { None };
        number
            .map(Some)
            .ok_or_else(|| S3Error::argument(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::{Query, Target, copy_source, virtual_bucket};
    use crate::error::{Code, S3Result};

    fn target(path: &str, host: &str) -> S3Result<Target> {
        let request = http::Request::builder()
            .uri(path)
            .header("host", host)
            .body(())
            .unwrap();
        Target::of(&request.into_parts().0, Some("s3.local"))
    }

    fn key(path: &str) -> String {
        match target(path, "127.0.0.1").unwrap() {
            Target::Object(_, key) => key.as_str().to_owned(),
            other => panic!("{path} is {other:?}"),
        }
    }

    #[test]
    fn keys_are_bytes_not_paths() {
        let table = [
            ("/bucket/a", "a"),
            ("/bucket/a/b", "a/b"),
            ("/bucket/../x", "../x"),
            ("/bucket//", "/"),
            ("/bucket/./", "./"),
            ("/bucket//a//b/", "/a//b/"),
            ("/bucket/%2e%2E%2fx", "../x"),
            ("/bucket/%2541", "%41"),
            ("/bucket/a+b", "a+b"),
            ("/bucket/%E6%97%A5", "日"),
        ];
        for (path, expected) in table {
            assert_eq!(key(path), expected, "{path}");
        }
        assert_eq!(key(&format!("/bucket/{}", "k".repeat(1024))).len(), 1024);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let too_long = format!("/bucket/{}", "k".repeat(1025));
        let table = [
            ("/bucket/%ff", Code::InvalidURI),
            ("/bucket/a%00b", Code::InvalidURI),
            (too_long.as_str(), Code::KeyTooLongError),
            ("/UPPER/a", Code::InvalidBucketName),
            ("//a", Code::InvalidBucketName),
            ("/..%2fx/a", Code::InvalidBucketName),
        ];
        for (path, code) in table {
            assert_eq!(
                target(path, "127.0.0.1").unwrap_err().code,
                code,
                "{path:.40}"
            );
        }
    }

    #[test]
    fn a_bucket_is_named_by_the_path_or_by_the_host() {
        assert_eq!(target("/", "s3.local").unwrap(), Target::Service);
        assert!(matches!(
            target("/bucket", "s3.local:9000").unwrap(),
            Target::Bucket(_)
        ));
        assert!(matches!(
            target("/bucket/", "127.0.0.1").unwrap(),
            Target::Bucket(_)
        ));
        assert!(matches!(
            target("/", "bucket.s3.local").unwrap(),
            Target::Bucket(_)
        ));
        let Target::Object(bucket, key) = target("/a/b", "bucket.s3.local:9000").unwrap() else {
            panic!()
        };
        assert_eq!((bucket.as_str(), key.as_str()), ("bucket", "a/b"));
        assert_eq!(virtual_bucket("b.c.S3.local:9000", "s3.local"), Some("b.c"));
        assert_eq!(virtual_bucket("s3.local", "s3.local"), None);
        assert_eq!(virtual_bucket("evils3.local", "s3.local"), None);
    }

    #[test]
    fn a_copy_source_is_decoded_once() {
        let (bucket, key) = copy_source("/bucket/a%20b/%2541+c").unwrap();
        assert_eq!((bucket.as_str(), key.as_str()), ("bucket", "a b/%41+c"));
        assert_eq!(copy_source("bucket%2Fkey").unwrap().1.as_str(), "key");
        for bad in [
            "bucket",
            "bucket/",
            "/",
            "",
            "bucket/k?versionId=3",
            "bucket/%ff",
        ] {
            assert!(copy_source(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_are_bounded_and_checked() {
        let query = Query::parse("max-keys=5&b=-1&c=x&d=99999999999&e=&f=5000").unwrap();
        assert_eq!(query.number("max-keys", 1000).unwrap(), 5);
        assert_eq!(query.number("f", 1000).unwrap(), 1000);
        assert_eq!(query.number("e", 1000).unwrap(), 1000);
        assert_eq!(query.number("absent", 1000).unwrap(), 1000);
        for name in ["b", "c", "d"] {
            assert!(query.number(name, 1000).is_err());
        }
    }
}
