//! Profiles: the named rules for one kind of upload.

mod metadata;
mod storage;

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

pub(crate) use self::{metadata::check_entries, storage::TAG_PLACEHOLDERS};
pub use self::{
    metadata::{MetadataRule, NotAPattern, OtherMetadata, Pattern},
    storage::{Encryption, Storage},
};
use super::{
    Checks, Checksum, ChecksumAlgorithm, KeyTemplate, MediaType, Quotas, TypePattern, name,
};
use crate::error::{Error, Kind};

/// The largest object one PUT or form can carry (S3: 5 GiB).
pub(crate) const MAX_SINGLE_BYTES: u64 = 5 << 30;
/// Above this, multipart is chosen.
const PUT_BYTES: u64 = 64 << 20;
/// What one request can be answered.
const MOST_FILES: u32 = 100;

/// The named rules for one kind of upload: who, how big, which types, where to, what to check, who may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub name: String,
    pub admits: Admits,
    pub types: Vec<TypePattern>,
    /// Extensions in lower case without the dot; none listed: any.
    pub extensions: Vec<String>,
    pub min_size_bytes: u64,
    pub max_size_bytes: u64,
    /// How many files may begin, and may be claimed, at once.
    pub max_files: u32,
    pub methods: Vec<Method>,
    pub key: KeyTemplate,
    pub metadata: BTreeMap<String, MetadataRule>,
    /// What becomes of form data that has no rule of its own.
    pub other_metadata: OtherMetadata,
    /// Whether a client must say beforehand what the content's checksum is.
    pub checksum: Option<ChecksumDemand>,
    pub storage: Storage,
    pub lifetimes: Lifetimes,
    pub promote: Promote,
    pub read: Read,
    /// How long a link lives where files are read by signed ones; none: it does not expire.
    pub link_lifetime: Option<Duration>,
    pub active_content: ActiveContent,
    pub checks: Checks,
    pub quotas: Quotas,
}

/// Who may begin an upload. An API key may whose scope has the profile in it; a user, whose token says what is demanded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admits {
    /// Nobody in particular may, too.
    pub anonymous: bool,
    /// What users' tokens must say: of each claim named here, one of these values at least.
    pub claims: BTreeMap<String, Vec<String>>,
}

/// How the bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    Put,
    Post,
    Multipart,
    /// By temporary credentials: the client does as it likes, and what arrives is found.
    Credentials,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 4] = [Self::Put, Self::Post, Self::Multipart, Self::Credentials];

    /// Its name in API, records and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Post => "post",
            Self::Multipart => "multipart",
            Self::Credentials => "credentials",
        }
    }
}

impl FromStr for Method {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|method| method.as_str() == text)
            .ok_or_else(|| {
                Kind::InvalidRequest.because(format!(
                    "`method` is put, post, multipart or credentials, not `{text}`"
                ))
            })
    }
}

/// Which checksum of the whole content a client must give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChecksumDemand {
    Any,
    Sha256,
}

/// When a file is promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promote {
    OnComplete,
    OnClaim,
}

/// Who may open a file by its stable address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read {
    /// Anybody.
    Public,
    /// Whoever holds a link that the service has signed; and the owner.
    Signed,
    /// The owner, signed in.
    Owner,
}

/// What happens to files a browser would run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActiveContent {
    Refuse,
    /// Taken, and served as an attachment.
    Attach,
}

/// How long things live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Within this a transfer must start.
    pub grant: Duration,
    /// Within this a transfer must be done.
    pub upload: Duration,
    /// Within this an inspected upload must be claimed.
    pub ready: Duration,
    /// A display URL.
    pub display: Duration,
}

impl Profile {
    /// Whether files of this type are taken.
    pub fn takes(&self, media: &MediaType) -> bool {
        self.types.iter().any(|pattern| pattern.takes(media))
            && (self.active_content == ActiveContent::Attach || !media.is_active())
    }

    /// The types it takes, for a sentence.
    pub fn types_in_words(&self) -> String {
        let types: Vec<&str> = self.types.iter().map(TypePattern::as_str).collect();
        types.join(", ")
    }

    /// Checks what a client says about a file before it is granted anything.
    pub fn check(&self, filename: &str, media: &MediaType, size_bytes: u64) -> Result<(), Error> {
        self.check_type(filename, media)?;
        self.check_size(filename, size_bytes)
    }

    /// Checks a file whose size is not known yet.
    pub fn check_type(&self, filename: &str, media: &MediaType) -> Result<(), Error> {
        if !self.takes(media) {
            return Err(Kind::TypeNotAllowed.because(format!(
                "`{filename}` is {media}; this profile takes {}",
                self.types_in_words()
            )));
        }
        let extension = name::extension(filename).unwrap_or_default();
        if !self.extensions.is_empty() && !self.extensions.contains(&extension) {
            return Err(Kind::TypeNotAllowed.because(format!(
                "`{filename}` does not end in one of {}",
                self.extensions.join(", ")
            )));
        }
        Ok(())
    }

    fn check_size(&self, filename: &str, size_bytes: u64) -> Result<(), Error> {
        if size_bytes > self.max_size_bytes {
            return Err(Kind::FileTooLarge.because(format!(
                "`{filename}` is {}; this profile takes at most {}",
                in_words(size_bytes),
                in_words(self.max_size_bytes)
            )));
        }
        if size_bytes < self.min_size_bytes {
            return Err(Kind::FileTooSmall.because(format!(
                "`{filename}` is {}; this profile takes at least {}",
                in_words(size_bytes),
                in_words(self.min_size_bytes)
            )));
        }
        Ok(())
    }

    /// Checks how many files come together, in one begin or with one form.
    pub fn check_count(&self, files: usize) -> Result<(), Error> {
        let most = self.max_files.min(MOST_FILES);
        if u32::try_from(files).is_ok_and(|files| files <= most) {
            return Ok(());
        }
        let name = &self.name;
        Err(Kind::TooManyFiles.because(format!(
            "profile `{name}` takes at most {most} files at once, not {files}"
        )))
    }

    /// Checks that the checksum came along which is demanded.
    pub fn check_checksum(&self, given: Option<&Checksum>) -> Result<(), Error> {
        let (name, algorithm) = (&self.name, given.map(Checksum::algorithm));
        let wanted = match (self.checksum, algorithm) {
            (None, _)
            | (Some(ChecksumDemand::Any), Some(_))
            | (Some(ChecksumDemand::Sha256), Some(ChecksumAlgorithm::Sha256)) => return Ok(()),
            (Some(ChecksumDemand::Any), None) => "checksum",
            (Some(ChecksumDemand::Sha256), _) => "sha256 checksum",
        };
        Err(Kind::ChecksumRequired.because(format!(
            "profile `{name}` takes no file of which the {wanted} is not said beforehand"
        )))
    }

    /// The method for a file: what the client asks for, else PUT for small files and parts for large ones.
    pub fn choose_method(&self, wanted: Option<Method>, size_bytes: u64) -> Result<Method, Error> {
        let fits = |method: Method| {
            self.methods.contains(&method)
                && match method {
                    Method::Multipart => size_bytes > 0,
                    Method::Put | Method::Post => size_bytes <= MAX_SINGLE_BYTES,
                    // Nothing begins one by itself: it is asked for otherwise.
                    Method::Credentials => false,
                }
        };
        let by_size = if size_bytes > PUT_BYTES {
            [Method::Multipart, Method::Put, Method::Post]
        } else {
            [Method::Put, Method::Multipart, Method::Post]
        };
        match wanted {
            Some(method) if fits(method) => Ok(method),
            Some(method) => Err(Kind::MethodNotOffered.because(format!(
                "this profile does not offer {} for a file of {}",
                method.as_str(),
                in_words(size_bytes)
            ))),
            None => by_size
                .into_iter()
                .find(|method| fits(*method))
                .ok_or_else(|| Kind::MethodNotOffered.into()),
        }
    }
}

/// A size for people: `25 MiB`. Rounded up, so that what is over a limit never reads as the limit.
pub fn in_words(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fitting = UNITS.iter().find(|(_, shift)| bytes >> shift > 0);
    let Some((unit, shift)) = fitting else {
        return if bytes == 1 {
            "1 byte".to_owned()
        } else {
            format!("{bytes} bytes")
        };
    };
    let tenths = (u128::from(bytes) * 10).div_ceil(1 << shift);
    match tenths % 10 {
        0 => format!("{} {unit}", tenths / 10),
        tenth => format!("{}.{tenth} {unit}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile {
            name: "image".to_owned(),
            admits: Admits::default(),
            types: vec!["image/*".parse().unwrap(), "text/html".parse().unwrap()],
            extensions: vec![],
            min_size_bytes: 1,
            max_size_bytes: 100 << 20,
            max_files: 1,
            methods: vec![Method::Put, Method::Post, Method::Multipart],
            key: "{id}".parse().unwrap(),
            metadata: BTreeMap::new(),
            other_metadata: OtherMetadata::Take,
            checksum: None,
            storage: Storage::default(),
            lifetimes: Lifetimes {
                grant: Duration::from_mins(1),
                upload: Duration::from_mins(10),
                ready: Duration::from_mins(10),
                display: Duration::from_mins(10),
            },
            promote: Promote::OnComplete,
            read: Read::Public,
            link_lifetime: None,
            active_content: ActiveContent::Refuse,
            checks: Checks::default(),
            quotas: Quotas::default(),
        }
    }

    #[test]
    fn a_file_is_checked_before_a_byte_is_sent() {
        fn check(name: &str, media: &str, size: u64, expected: Option<Kind>) {
            let got = profile().check(name, &media.parse().unwrap(), size);
            assert_eq!(
                got.err().map(|e| e.kind()),
                expected,
                "{name} {media} {size}"
            );
        }
        check("a.png", "image/png", 1, None);
        check(
            "a.exe",
            "application/x-msdownload",
            1,
            Some(Kind::TypeNotAllowed),
        );
        check("a.svg", "image/svg+xml", 1, Some(Kind::TypeNotAllowed));
        check("a.html", "text/html", 1, Some(Kind::TypeNotAllowed));
        check("a.png", "image/png", 0, Some(Kind::FileTooSmall));
        check(
            "a.png",
            "image/png",
            (100 << 20) + 1,
            Some(Kind::FileTooLarge),
        );
    }

    #[test]
    fn refusals_are_sentences() {
        let media = "application/x-msdownload".parse().unwrap();
        let error = profile().check("virus.exe", &media, 1).unwrap_err();
        assert_eq!(
            error.message(),
            "`virus.exe` is application/x-msdownload; this profile takes image/*, text/html"
        );
    }

    #[test]
    fn methods_follow_size_and_wish() {
        fn check(wanted: Option<Method>, size: u64, expected: Option<Method>) {
            assert_eq!(
                profile().choose_method(wanted, size).ok(),
                expected,
                "{wanted:?} {size}"
            );
        }
        check(None, 0, Some(Method::Put));
        check(None, 64 << 20, Some(Method::Put));
        check(None, (64 << 20) + 1, Some(Method::Multipart));
        check(Some(Method::Post), 1, Some(Method::Post));
        check(Some(Method::Put), 6 << 30, None);
        check(Some(Method::Multipart), 0, None);
    }

    #[test]
    fn a_checksum_that_is_demanded_must_be_given() {
        let of = |algorithm, value| Checksum::new(algorithm, value).unwrap();
        let sha256 = of(
            ChecksumAlgorithm::Sha256,
            "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
        );
        let crc = of(ChecksumAlgorithm::Crc32c, "AAAAAA==");
        let check = |demand, given: Option<&Checksum>, expected: Option<Kind>| {
            let profile = Profile {
                checksum: demand,
                ..profile()
            };
            let got = profile.check_checksum(given).err().map(|e| e.kind());
            assert_eq!(got, expected, "{demand:?} {given:?}");
        };
        let required = Some(Kind::ChecksumRequired);
        check(None, None, None);
        check(Some(ChecksumDemand::Any), None, required);
        check(Some(ChecksumDemand::Any), Some(&crc), None);
        check(Some(ChecksumDemand::Sha256), Some(&crc), required);
        check(Some(ChecksumDemand::Sha256), None, required);
        check(Some(ChecksumDemand::Sha256), Some(&sha256), None);
    }

    #[test]
    fn sizes_read_well() {
        let sizes = [0, 1, 2, 1536, 25 << 20, 5 << 30, (5 << 30) + 1, u64::MAX];
        assert_eq!(
            sizes.map(in_words),
            [
                "0 bytes",
                "1 byte",
                "2 bytes",
                "1.5 KiB",
                "25 MiB",
                "5 GiB",
                "5.1 GiB",
                "16777216 TiB"
            ]
        );
    }
}
