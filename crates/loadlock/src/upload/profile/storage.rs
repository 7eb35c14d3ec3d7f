//! What a profile says of how its files lie in the final bucket. The server says so at the copy; no client does.

use std::collections::BTreeMap;

use crate::upload::{File, MediaType, name::Disposition};

/// What stands in a tag for a hash of the owner, for the profile and for the file's id.
pub(crate) const TAG_PLACEHOLDERS: [&str; 3] = ["{owner}", "{profile}", "{id}"];

/// How its files lie in the final bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Storage {
    /// S3's name of the storage class; none: the bucket's usual one.
    pub class: Option<String>,
    /// None: as the bucket has it.
    pub encryption: Option<Encryption>,
    /// Name to value; `{owner}`, `{profile}` and `{id}` in a value are filled in.
    pub tags: BTreeMap<String, String>,
    /// None: for good, and by everybody or by the browser alone, as the profile lets read.
    pub cache_control: Option<String>,
    /// None: images, video and audio in place, all else as an attachment.
    pub disposition: Option<Disposition>,
}

/// Encryption at the store, with keys that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// With keys of the store's own.
    Aes256,
    /// With a key of the key management service; none named: the account's own for S3.
    Kms { key: Option<String> },
}

impl Storage {
    /// How a browser is to treat a file of this type. What it would run is never shown in place.
    pub fn disposition_of(&self, media: &MediaType) -> Disposition {
        let usual = if media.is_safe_inline() {
            Disposition::Inline
        } else {
            Disposition::Attachment
        };
        match self.disposition {
            Some(said) if !media.is_active() => said,
            _ => usual,
        }
    }

    /// The tags of one file.
    pub fn tags_of(&self, file: &File) -> BTreeMap<String, String> {
        let [owner, profile, id] = TAG_PLACEHOLDERS;
        let filled = |value: &String| {
            value
                .replace(owner, &file.owner.hash())
                .replace(profile, &file.profile)
                .replace(id, &file.id.to_string())
        };
        let tags = self.tags.iter();
        tags.map(|(name, value)| (name.clone(), filled(value)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_run_is_an_attachment_whatever_is_said() {
        let check = |said: Option<Disposition>, media: &str, expected: Disposition| {
            let storage = Storage {
                disposition: said,
                ..Storage::default()
            };
            let found = storage.disposition_of(&media.parse().unwrap());
            assert_eq!(found, expected, "{said:?} {media}");
        };
        check(None, "image/png", Disposition::Inline);
        check(None, "application/pdf", Disposition::Attachment);
        check(
            Some(Disposition::Inline),
            "application/pdf",
            Disposition::Inline,
        );
        check(
            Some(Disposition::Attachment),
            "image/png",
            Disposition::Attachment,
        );
        check(
            Some(Disposition::Inline),
            "image/svg+xml",
            Disposition::Attachment,
        );
        check(
            Some(Disposition::Inline),
            "text/html",
            Disposition::Attachment,
        );
    }
}
