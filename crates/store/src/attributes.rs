//! What the attributes of a request mean for the object it writes: its metadata, the condition of the write, and what
//! this store refuses because it could not keep the promise.

use http::HeaderName;

use crate::conditions::{Conditions, bare};
use crate::disk::{Condition, ETag, Metadata};
use crate::error::{Code, S3Error, S3Result};
use crate::request::Attributes;
use crate::tagging;

/// S3's limit on user metadata, names and values together.
const MAX_USER_METADATA: usize = 2048;
/// And on all that is kept with an object: its limit on the headers of a PUT.
const MAX_METADATA: usize = 8192;

/// Headers that would change what is stored in a way that this store does not know. Ignoring them would be a lie.
const UNKNOWN: &[&str] = &[
    "x-amz-bucket-object-lock-",
    "x-amz-bypass-governance-retention",
    "x-amz-if-match-",
    "x-amz-object-lock-",
    "x-amz-server-side-encryption",
    "x-amz-copy-source-server-side-encryption",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
];

/// The owner of everything, in the form of an account id.
pub(crate) const OWNER: &str = "000000000000";

impl Attributes {
    /// The metadata to keep with an object.
    pub(crate) fn metadata(&self) -> S3Result<Metadata> {
        let text = |name: &str| {
            self.value(name)
                .map(str::to_owned)
                .filter(|value| !value.is_empty())
        };
        let mut metadata = Metadata {
            content_type: text("content-type"),
            cache_control: text("cache-control"),
            content_disposition: text("content-disposition"),
            content_encoding: self.value("content-encoding").and_then(without_chunking),
            content_language: text("content-language"),
            expires: text("expires"),
            ..Metadata::default()
        };
        for (name, value) in self.iter() {
            if let Some(name) = name
                .strip_prefix("x-amz-meta-")
                .filter(|name| !name.is_empty())
            {
                if HeaderName::from_bytes(name.as_bytes()).is_err() {
                    return Err(S3Error::argument("x-amz-meta-", name));
                }
                metadata.user.insert(name.to_owned(), value.to_owned());
            }
        }
        let size: usize = metadata
            .user
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        check_size(size, MAX_USER_METADATA)?;
        let system = [
            &metadata.content_type,
            &metadata.cache_control,
            &metadata.content_disposition,
            &metadata.content_encoding,
            &metadata.content_language,
            &metadata.expires,
        ];
        let system: usize = system.into_iter().flatten().map(String::len).sum();
        check_size(size + system, MAX_METADATA)?;
        Ok(metadata)
    }

    /// Refuses what cannot be kept, once it is known that the caller may ask for it.
    pub(crate) fn refuse_unsupported(&self) -> S3Result<()> {
        for (name, value) in self.iter() {
            if name.starts_with("x-amz-grant-")
                || (name == "x-amz-acl"
                    && !matches!(value, "private" | "bucket-owner-full-control"))
            {
                return Err(Code::AccessControlListNotSupported.into());
            }
            if UNKNOWN.iter().any(|prefix| name.starts_with(prefix)) {
                return Err(S3Error::not_implemented(name));
            }
            if name == "x-amz-storage-class" && value != "STANDARD" {
                return Err(
                    S3Error::from(Code::InvalidStorageClass).with("StorageClassRequested", value)
                );
            }
            // A form's field may hold what a header cannot, and is to be given back as one; but not these.
            let kept = !matches!(name, "policy" | tagging::HEADER);
            if kept && value.chars().any(|c| c.is_control() && c != '\t') {
                return Err(S3Error::new(
                    Code::InvalidArgument,
                    format!("{name} contains control characters"),
                ));
            }
        }
        Ok(())
    }

    /// `x-amz-expected-bucket-owner`: everything here belongs to [`OWNER`].
    pub(crate) fn check_owner(&self) -> S3Result<()> {
        let names = [
            "x-amz-expected-bucket-owner",
            "x-amz-source-expected-bucket-owner",
        ];
        let strangers = names
            .iter()
            .filter_map(|name| self.value(name))
            .any(|owner| owner != OWNER);
        if strangers {
            Err(Code::AccessDenied.into())
        } else {
            Ok(())
        }
    }

    /// The condition of a write: `If-None-Match: *` or `If-Match`.
    pub(crate) fn write_condition(&self) -> S3Result<Option<Condition>> {
        match (self.value("if-none-match"), self.value("if-match")) {
            (None, None) => Ok(None),
            (Some("*"), None) => Ok(Some(Condition::Absent)),
            (None, Some(etag)) if etag != "*" => {
                Ok(Some(Condition::Matches(ETag::new(bare(etag)))))
            }
            (Some(_), _) => Err(S3Error::not_implemented("If-None-Match")),
            (None, Some(_)) => Err(S3Error::not_implemented("If-Match")),
        }
    }

    /// The conditions of a read.
    pub(crate) fn read_conditions(&self) -> Conditions<'_> {
        Conditions {
            if_match: self.value("if-match"),
            if_none_match: self.value("if-none-match"),
            if_modified_since: self.value("if-modified-since"),
            if_unmodified_since: self.value("if-unmodified-since"),
        }
    }

    /// The conditions on the source of a copy.
    pub(crate) fn source_conditions(&self) -> Conditions<'_> {
        Conditions {
            if_match: self.value("x-amz-copy-source-if-match"),
            if_none_match: self.value("x-amz-copy-source-if-none-match"),
            if_modified_since: self.value("x-amz-copy-source-if-modified-since"),
            if_unmodified_since: self.value("x-amz-copy-source-if-unmodified-since"),
        }
    }
}

fn check_size(size: usize, limit: usize) -> S3Result<()> {
    if size <= limit {
        return Ok(());
    }
    Err(S3Error::from(Code::MetadataTooLarge)
        .with("MaxSizeAllowed", limit.to_string())
        .with("Size", size.to_string()))
}

/// `aws-chunked` tells how the body travelled, not what it is.
fn without_chunking(encoding: &str) -> Option<String> {
    let kept: Vec<&str> = encoding
        .split(',')
        .map(str::trim)
        .filter(|token| !token.is_empty() && !token.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

#[cfg(test)]
mod tests {
    use crate::disk::{Condition, ETag};
    use crate::error::Code;
    use crate::request::Attributes;

    fn attributes(list: &[(&str, &str)]) -> Attributes {
        let owned: Vec<_> = list
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Attributes::of_fields(&owned)
    }

    #[test]
    fn how_a_body_travelled_is_not_kept() {
        let encoding = |value| {
            attributes(&[("content-encoding", value)])
                .metadata()
                .unwrap()
                .content_encoding
        };
        assert_eq!(encoding("aws-chunked"), None);
        assert_eq!(encoding("aws-chunked, gzip").as_deref(), Some("gzip"));
        assert_eq!(encoding("gzip").as_deref(), Some("gzip"));
    }

    #[test]
    fn user_metadata_has_two_kilobytes() {
        let fits = "v".repeat(2047);
        let metadata = attributes(&[("x-amz-meta-a", &fits)]).metadata().unwrap();
        assert_eq!(metadata.user["a"].len(), 2047);
        let error = attributes(&[("x-amz-meta-ab", &fits)])
            .metadata()
            .unwrap_err();
        assert_eq!(error.code, Code::MetadataTooLarge);
    }

    #[test]
    fn all_metadata_together_has_eight_kilobytes() {
        let long = "v".repeat(4096);
        let two = [("cache-control", long.as_str()), ("expires", &long)];
        assert!(attributes(&two).metadata().is_ok());
        let three = [two[0], two[1], ("x-amz-meta-a", "")];
        let error = attributes(&three).metadata().unwrap_err();
        assert_eq!(error.code, Code::MetadataTooLarge);
    }

    #[test]
    fn a_name_that_is_no_headers_is_refused() {
        for name in ["x-amz-meta-a b", "x-amz-meta-a\r\nb", "x-amz-meta-ü"] {
            let error = attributes(&[(name, "v")]).metadata().unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument, "{name}");
        }
    }

    #[test]
    fn what_could_not_be_kept_is_refused() {
        let table = [
            (
                ("x-amz-acl", "public-read"),
                Some(Code::AccessControlListNotSupported),
            ),
            (("x-amz-acl", "private"), None),
            (
                ("x-amz-grant-read", "uri=x"),
                Some(Code::AccessControlListNotSupported),
            ),
            (
                ("x-amz-storage-class", "GLACIER"),
                Some(Code::InvalidStorageClass),
            ),
            (("x-amz-storage-class", "STANDARD"), None),
            (
                ("x-amz-server-side-encryption", "aws:kms"),
                Some(Code::NotImplemented),
            ),
            (
                ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
                Some(Code::NotImplemented),
            ),
            (
                ("x-amz-object-lock-mode", "GOVERNANCE"),
                Some(Code::NotImplemented),
            ),
            (
                ("x-amz-write-offset-bytes", "5"),
                Some(Code::NotImplemented),
            ),
            (("content-type", "a\r\nb"), Some(Code::InvalidArgument)),
        ];
        for (attribute, expected) in table {
            let refused = attributes(&[attribute])
                .refuse_unsupported()
                .err()
                .map(|error| error.code);
            assert_eq!(refused, expected, "{attribute:?}");
        }
    }

    #[test]
    fn a_write_has_at_most_one_condition() {
        let condition = |list: &[(&str, &str)]| attributes(list).write_condition();
        assert_eq!(condition(&[]).unwrap(), None);
        assert_eq!(
            condition(&[("if-none-match", "*")]).unwrap(),
            Some(Condition::Absent)
        );
        assert_eq!(
            condition(&[("if-match", "\"abc\"")]).unwrap(),
            Some(Condition::Matches(ETag::new("abc")))
        );
        assert_eq!(
            condition(&[("if-none-match", "\"abc\"")]).unwrap_err().code,
            Code::NotImplemented
        );
        assert_eq!(
            condition(&[("if-none-match", "*"), ("if-match", "abc")])
                .unwrap_err()
                .code,
            Code::NotImplemented
        );
    }
}
