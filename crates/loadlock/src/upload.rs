//! What an upload is: record, states, rules, keys. Pure: no I/O, no clock; `now` comes in as a value.

pub mod checksum;
pub mod id;
pub mod inspection;
pub mod key;
pub mod media;
pub mod name;
pub mod parts;
pub mod profile;
pub mod quota;
pub mod session;
pub mod state;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    ops::RangeInclusive,
};

use jiff::Timestamp;

pub use self::{
    checksum::{Checksum, ChecksumAlgorithm},
    id::{Owner, UploadId},
    inspection::{Checks, Inspected, Mismatch, Rejection, WhenUnscanned},
    key::{KeyPrefix, KeyTemplate, ObjectKey},
    media::{MediaType, TypePattern},
    parts::{PartNumber, PartPlan},
    profile::{
        ActiveContent, Admits, ChecksumDemand, Encryption, Lifetimes, MetadataRule, Method,
        OtherMetadata, Pattern, Profile, Promote, Read, Storage,
    },
    quota::{Quota, Quotas},
    session::Session,
    state::{Quarantined, Refused, State, Unscanned},
};

/// Form data: flat, bounded by the profile, kept in the record only.
pub type Metadata = BTreeMap<String, String>;

/// One file's passage, from the grant to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub id: UploadId,
    /// The profile's name.
    pub profile: String,
    pub owner: Owner,
    /// The name of the API key that began it, if one did.
    pub api_key: Option<String>,
    /// From where it was begun, if that is known.
    pub address: Option<IpAddr>,
    /// For display: cleaned and bounded, in no key.
    pub filename: String,
    /// As declared; inspection decides what the file is served as. None where it was not: inspection finds it.
    pub content_type: Option<MediaType>,
    /// As declared, and signed. None where it was not: then the profile's limits hold, at inspection at the latest.
    pub size_bytes: Option<u64>,
    /// What it takes up of quotas: the declared size, or the most that its grant allows; once inspected, what was found.
    pub reserved_bytes: u64,
    /// Whether it counts as under way though it is stored or has ended, or as more than was found: its grant may bring something
    /// yet, or what it brought is not cleared away.
    pub lingers: bool,
    pub checksum: Option<Checksum>,
    pub metadata: Metadata,
    pub method: Method,
    pub narrowed: Narrowed,
    /// Where the client writes: one key per grant.
    pub staged_key: ObjectKey,
    /// The store's id of the multipart upload, if it is one.
    pub multipart_id: Option<String>,
    /// Where the person goes on after having sent a form: an address of the application.
    pub return_to: Option<String>,
    /// Until when a transfer may start.
    pub grant_expires_at: Timestamp,
    /// Until when a transfer may last.
    pub expires_at: Timestamp,
    /// The claim that took it.
    pub claim: Option<UploadId>,
    pub state: State,
    /// How often it was taken up in this state; tells a late worker from the present one.
    pub attempt: u32,
}

/// By what the application's authorizer lets less through than the profile would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowed {
    pub max_size_bytes: Option<u64>,
    /// What its final key begins with.
    pub key_prefix: Option<KeyPrefix>,
    /// The form data that is the authorizer's own word, by name: no claim changes it.
    pub fields: BTreeSet<String>,
}

impl Upload {
    /// The sizes it may have, in bytes: the declared one, else those that its profile takes, and its authorizer, and for which
    /// quotas were asked.
    pub fn sizes(&self, profile: &Profile) -> RangeInclusive<u64> {
        if let Some(size) = self.size_bytes {
            return size..=size;
        }
        let most = self.narrowed.max_size_bytes.unwrap_or(u64::MAX);
        let most = most.min(self.reserved_bytes);
        profile.min_size_bytes..=profile.max_size_bytes.min(most)
    }

    /// When it began: the time in its id.
    pub fn created_at(&self) -> Timestamp {
        self.id.time()
    }

    /// The parts of a multipart upload; its size is always declared.
    pub fn part_plan(&self) -> PartPlan {
        PartPlan::new(self.size_bytes.unwrap_or(0))
    }

    /// Until when its token is good: as long as the upload may last, and wait to be claimed.
    pub fn token_expires_at(&self) -> Timestamp {
        match self.state {
            State::Ready { deadline, .. } => deadline.max(self.expires_at),
            State::Received {
                unscanned: Some(Unscanned { until, .. }),
            } => until.max(self.expires_at),
            _ => self.expires_at,
        }
    }

    /// Where the server copies what must not change under inspection: one key per attempt, because a worker that
    /// lost its lease may still be copying to its own.
    pub fn held_key(&self, attempt: u32) -> ObjectKey {
        ObjectKey::new(format!("{}{attempt}", self.held_prefix()))
    }

    /// Where rejected content is kept, if its profile says so.
    pub fn quarantine_key(&self) -> ObjectKey {
        ObjectKey::new(format!("quarantine/{}", self.id))
    }

    /// All held copies of this upload lie below this prefix.
    pub fn held_prefix(&self) -> String {
        format!("held/{}/", self.id)
    }
}

/// The lasting record of a promoted upload, with the form data that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub id: UploadId,
    /// The profile's name.
    pub profile: String,
    pub owner: Owner,
    pub filename: String,
    /// As inspection found it.
    pub content_type: MediaType,
    pub size_bytes: u64,
    pub checksum: Option<Checksum>,
    /// Width and height in pixels, if it is an image.
    pub dimensions: Option<(u32, u32)>,
    pub metadata: Metadata,
    pub created_at: Timestamp,
    /// Its key in the final bucket.
    pub key: ObjectKey,
}
