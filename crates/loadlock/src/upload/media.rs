//! Media types as clients declare them, and the patterns of a profile.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A media type without parameters, in lower case: `image/jpeg`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaType(String);

/// Text that is no media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a content type looks like `image/jpeg`")]
#[non_exhaustive]
pub struct NotAMediaType;

impl MediaType {
    /// `image/jpeg`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the slash.
    pub fn kind(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// Whether browsers may run it: HTML, SVG, XML and scripts.
    pub fn is_active(&self) -> bool {
        const ACTIVE: &[&str] = &[
            "text/html",
            "text/xml",
            "application/xml",
            "text/javascript",
            "application/javascript",
            "application/x-javascript",
            "text/x-javascript",
            "multipart/x-mixed-replace",
            "application/ecmascript",
            "text/ecmascript",
            "application/x-shockwave-flash",
            "text/xsl",
        ];
        ACTIVE.contains(&self.as_str()) || self.0.ends_with("+xml")
    }

    /// Whether a browser may show it in place.
    pub fn is_safe_inline(&self) -> bool {
        matches!(self.kind(), "image" | "video" | "audio") && !self.is_active()
    }
}

impl FromStr for MediaType {
    type Err = NotAMediaType;

    /// Parameters (`; charset=…`) are dropped. RFC 9110, section 8.3.1.
    fn from_str(text: &str) -> Result<Self, NotAMediaType> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        let (kind, subtype) = essence.split_once('/').ok_or(NotAMediaType)?;
        let sound = is_token(kind) && is_token(subtype) && essence.len() <= 127;
        sound
            .then(|| Self(essence.to_ascii_lowercase()))
            .ok_or(NotAMediaType)
    }
}

impl TryFrom<String> for MediaType {
    type Error = NotAMediaType;

    fn try_from(text: String) -> Result<Self, NotAMediaType> {
        text.parse()
    }
}

impl From<MediaType> for String {
    fn from(value: MediaType) -> Self {
        value.0
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
}

/// What a profile takes: `image/jpeg`, `image/*` or `*/*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypePattern(String);

impl TypePattern {
    /// Whether a type is of this pattern.
    pub fn takes(&self, media: &MediaType) -> bool {
        match self.0.strip_suffix("/*") {
            Some("*") => true,
            Some(kind) => media.kind() == kind,
            None => self.0 == media.0,
        }
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TypePattern {
    type Err = NotAMediaType;

    fn from_str(text: &str) -> Result<Self, NotAMediaType> {
        let (kind, subtype) = text.split_once('/').ok_or(NotAMediaType)?;
        let sound = (kind == "*" && subtype == "*")
            || (is_token(kind) && (subtype == "*" || is_token(subtype)));
        sound
            .then(|| Self(text.to_ascii_lowercase()))
            .ok_or(NotAMediaType)
    }
}

impl fmt::Display for TypePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_parsed_and_bounded() {
        fn check(input: &str, expected: Option<&str>) {
            let parsed = input.parse::<MediaType>().ok();
            assert_eq!(
                parsed.as_ref().map(MediaType::as_str),
                expected,
                "{input:?}"
            );
        }
        check("image/jpeg", Some("image/jpeg"));
        check("Image/JPEG; q=1", Some("image/jpeg"));
        check("application/vnd.ms-excel", Some("application/vnd.ms-excel"));
        check("", None);
        check("image", None);
        check("image/", None);
        check("image/*", None);
        check("image/jp\neg", None);
        check("image/jpeg/x", None);
        check(&format!("image/{}", "x".repeat(200)), None);
    }

    #[test]
    fn patterns_take_what_they_say() {
        fn check(pattern: &str, media: &str, expected: bool) {
            let pattern: TypePattern = pattern.parse().unwrap();
            assert_eq!(
                pattern.takes(&media.parse().unwrap()),
                expected,
                "{pattern} {media}"
            );
        }
        check("image/*", "image/png", true);
        check("image/*", "imagex/png", false);
        check("image/png", "image/png", true);
        check("image/png", "image/pngx", false);
        check("*/*", "a/b", true);
    }

    #[test]
    fn what_browsers_run_is_active() {
        for active in [
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "text/xml",
            "text/javascript",
        ] {
            let media: MediaType = active.parse().unwrap();
            assert!(media.is_active() && !media.is_safe_inline(), "{active}");
        }
        let png: MediaType = "image/png".parse().unwrap();
        assert!(!png.is_active() && png.is_safe_inline());
    }
}
