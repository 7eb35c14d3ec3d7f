//! What the service is told at its start.

mod authorizer;
mod credentials;
mod faults;
pub mod file;
pub(crate) mod forms;
mod inspect;
mod issuers;
mod keys;
mod limits;
mod profiles;
mod quotas;
mod reader;
mod section;
mod store;
mod value;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

pub use self::authorizer::Authorizer;
use crate::{
    auth::{KeyRing, Secret, Token, issuers::Issuer},
    bucket::{StoreSettings, Vending},
    limits::Limits,
    scan::Scanning,
    upload::{
        ActiveContent, Admits, Checks, KeyTemplate, Lifetimes, Method, OtherMetadata, Profile,
        Promote, Quota, Quotas, Read, Storage, TypePattern, quota::Allowances,
    },
};

/// What the service is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// The API's address as clients know it, without a slash at its end.
    pub api_url: String,
    /// The file of the records' database; made when missing.
    pub records: PathBuf,
    pub store: StoreSettings,
    pub profiles: Vec<Profile>,
    /// The pages that may call the API, and where a person may be returned to after a form.
    pub origins: Origins,
    /// Users' tokens and API keys.
    pub tokens: Vec<Token>,
    /// Signs upload tokens and links.
    pub secrets: KeyRing,
    /// Shared with the application, which signs its users' tokens with one of them.
    pub user_secrets: Vec<Secret>,
    /// Whose tokens say who a user is: no two of one name, or of owner prefixes that could be one.
    pub issuers: Vec<Issuer>,
    /// The application's own say in what may begin, if it has one.
    pub authorizer: Option<Authorizer>,
    /// The profile of `POST /upload_url`, if that is offered.
    pub upload_url: Option<String>,
    /// For each owner, over all profiles.
    pub quotas: Quota,
    /// What a process bears from one client.
    pub limits: Limits,
    pub audit: Audit,
    /// Who is asked about content.
    pub scanning: Scanning,
    /// Where temporary credentials come from, if there are any.
    pub credentials: Option<Vending>,
}

/// What becomes of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audit {
    /// How long an entry is kept; without, for ever.
    pub keep: Option<Duration>,
}

impl Default for Audit {
    fn default() -> Self {
        let keep = Some(365 * 24 * HOUR);
        Self { keep }
    }
}

/// Origins of web pages (RFC 6454): scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Any page on this machine, whatever its port.
    Loopback,
    /// These alone, as browsers write them: `https://app.example.com`.
    Listed(Vec<String>),
}

impl Origins {
    /// Whether a page of this origin is one of them.
    pub fn allow(&self, origin: &str) -> bool {
        match self {
            Self::Loopback => ["http://", "https://"]
                .iter()
                .filter_map(|scheme| origin.strip_prefix(scheme))
                .any(is_loopback_authority),
            Self::Listed(origins) => origins.iter().any(|listed| listed == origin),
        }
    }
}

/// Whether `host` or `host:port` names this very machine.
pub fn is_loopback_authority(authority: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|host| match authority.strip_prefix(host) {
            Some("") => true,
            Some(rest) => rest
                .strip_prefix(':')
                .is_some_and(|port| port.parse::<u16>().is_ok()),
            None => false,
        })
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// The profiles `loadlock dev` ships: `image` and `video`, promoted when complete, and `post`, promoted on a claim.
pub fn dev_profiles() -> Result<Vec<Profile>, InvalidProfile> {
    const IMAGES: [&str; 5] = [
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "image/avif",
    ];
    const VIDEOS: [&str; 3] = ["video/mp4", "video/webm", "video/quicktime"];
    let both = [IMAGES.as_slice(), VIDEOS.as_slice()].concat();
    Ok(vec![
        dev_profile("image", &IMAGES, 25 * MIB, Promote::OnComplete)?,
        dev_profile("video", &VIDEOS, 5 * GIB, Promote::OnComplete)?,
        dev_profile("post", &both, 5 * GIB, Promote::OnClaim)?,
    ])
}

/// A profile that says something impossible.
#[derive(Debug, thiserror::Error)]
#[error("invalid profile")]
#[non_exhaustive]
pub enum InvalidProfile {
    Type(#[from] crate::upload::media::NotAMediaType),
    Key(#[from] crate::upload::key::NotATemplate),
}

fn dev_profile(
    name: &str,
    types: &[&str],
    max_size_bytes: u64,
    promote: Promote,
) -> Result<Profile, InvalidProfile> {
    let types: Result<Vec<TypePattern>, _> = types.iter().map(|text| text.parse()).collect();
    let key: KeyTemplate = "{profile}/{owner}/{id}.{ext}".parse()?;
    Ok(Profile {
        name: name.to_owned(),
        admits: Admits::default(),
        types: types?,
        extensions: Vec::new(),
        min_size_bytes: 1,
        max_size_bytes,
        max_files: 20,
        methods: vec![Method::Put, Method::Post, Method::Multipart],
        key,
        metadata: BTreeMap::new(),
        other_metadata: OtherMetadata::Take,
        checksum: None,
        storage: Storage::default(),
        // Together under 24 hours, when the staging bucket's own rule begins to clear away.
        lifetimes: Lifetimes {
            grant: 15 * MINUTE,
            upload: 12 * HOUR,
            ready: 6 * HOUR,
            display: HOUR,
        },
        promote,
        read: Read::Public,
        link_lifetime: None,
        active_content: ActiveContent::Refuse,
        checks: Checks::default(),
        quotas: Quotas::default(),
    })
}

impl Config {
    /// The profile of this name.
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// How bytes may travel under a profile. Keys of a client's own are no way where there are none, where the application decides
    /// on each file, and where a checksum is given beforehand.
    pub fn methods(&self, profile: &Profile) -> Vec<Method> {
        let authorizer = self.authorizer.as_ref();
        let vends = self.credentials.is_some()
            && profile.checksum.is_none()
            && !authorizer.is_some_and(|it| it.decides(&profile.name));
        let offered = |method: &Method| *method != Method::Credentials || vends;
        profile.methods.iter().copied().filter(offered).collect()
    }

    /// All quotas.
    pub fn allowances(&self) -> Allowances {
        let quotas = |profile: &Profile| (profile.name.clone(), profile.quotas);
        Allowances {
            total: self.quotas,
            profiles: self.profiles.iter().map(quotas).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::MediaType;

    #[test]
    fn only_pages_of_this_machine_are_loopback() {
        let check = |origin: &str, expected: bool| {
            assert_eq!(Origins::Loopback.allow(origin), expected, "{origin}");
        };
        check("http://localhost", true);
        check("http://localhost:5173", true);
        check("https://127.0.0.1:8443", true);
        check("http://[::1]:3000", true);
        check("http://localhost.example.com", false);
        check("http://127.0.0.1.example.com:80", false);
        check("http://127.0.0.1:80@example.com", false);
        check("http://localhost:99999", false);
        check("ftp://localhost", false);
        check("null", false);
        check("https://example.com", false);
    }

    #[test]
    fn listed_origins_are_compared_whole() {
        let origins = Origins::Listed(vec!["https://app.example.com".to_owned()]);
        assert!(origins.allow("https://app.example.com"));
        assert!(!origins.allow("http://app.example.com"));
        assert!(!origins.allow("https://app.example.com:444"));
        assert!(!origins.allow("https://app.example.com.evil.example"));
    }

    #[test]
    fn dev_profiles_take_photos_and_videos() {
        let profiles = dev_profiles().unwrap();
        let names: Vec<&str> = profiles.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["image", "video", "post"]);
        let jpeg: MediaType = "image/jpeg".parse().unwrap();
        let taken: Vec<bool> = profiles.iter().map(|p| p.takes(&jpeg)).collect();
        assert_eq!(taken, [true, false, true]);
        for profile in &profiles {
            let lives = profile.lifetimes;
            assert!(lives.upload + lives.ready < 24 * HOUR);
        }
    }
}
