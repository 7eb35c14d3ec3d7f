//! Sessions: for a while somebody may write below one prefix, and what arrives there becomes uploads.

use std::{fmt, net::IpAddr, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{Metadata, Method, Narrowed, ObjectKey, Owner, State, Upload, UploadId, key, name};
use crate::clock::after;

/// Below this all sessions' prefixes lie.
pub const SESSIONS: &str = "cred/";
/// How long the text of an id is.
const ID_CHARS: usize = 26;
/// How long after its keys have ended a session is looked after: a transfer that began in time may last longer than they.
const TRANSFER: Duration = Duration::from_hours(1);
/// The store's clock may be behind ours, or before it.
const SKEW: Duration = Duration::from_mins(1);

/// Where a session writes: a place in the staging bucket, with a slash at its end.
#[derive(Clone, PartialEq, Eq)]
pub struct Prefix(String);

/// Temporary credentials that were handed out, without the credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: UploadId,
    /// The profile's name.
    pub profile: String,
    pub owner: Owner,
    /// The name of the API key that asked for them, if one did.
    pub api_key: Option<String>,
    /// From where they were asked for, if that is known.
    pub address: Option<IpAddr>,
    pub prefix: Prefix,
    /// Of every file that arrives.
    pub metadata: Metadata,
    /// When the keys end.
    pub expires_at: Timestamp,
    /// How often it was taken up; tells a late worker from the present one.
    pub attempt: u32,
}

impl Session {
    /// When nothing that arrives is looked for any more.
    pub fn closes_at(&self) -> Timestamp {
        after(self.expires_at, TRANSFER)
    }

    /// Whether what was written then was written by this session. Below a prefix of its own nobody wrote before.
    pub fn covers(&self, written_at: Timestamp) -> bool {
        let begun = !self.prefix.is_shared() || after(written_at, SKEW) >= self.id.time();
        begun && written_at <= after(self.closes_at(), SKEW)
    }

    /// Whether another session's keys would be for the same: the same person's, and files with the same form data.
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.owner, &self.profile, &self.metadata)
            == (&other.owner, &other.profile, &other.metadata)
    }

    /// The upload that an object is, the same however often it is found. What it takes up of quotas is the size it was found
    /// with: written again it may be smaller, not larger.
    pub fn upload(&self, key: ObjectKey, size_bytes: u64) -> Upload {
        Upload {
            id: self.upload_id(&key),
            profile: self.profile.clone(),
            owner: self.owner.clone(),
            api_key: self.api_key.clone(),
            address: self.address,
            filename: name::clean(key.as_str()),
            content_type: None,
            size_bytes: None,
            checksum: None,
            metadata: self.metadata.clone(),
            method: Method::Credentials,
            narrowed: Narrowed::default(),
            staged_key: key,
            reserved_bytes: size_bytes,
            lingers: false,
            multipart_id: None,
            return_to: None,
            grant_expires_at: self.expires_at,
            expires_at: self.closes_at(),
            claim: None,
            state: State::Issued,
            attempt: 0,
        }
    }

    /// The session's time, and what nobody guesses who does not know its prefix.
    fn upload_id(&self, key: &ObjectKey) -> UploadId {
        let digest = Sha256::new()
            .chain_update(self.id.to_bytes())
            .chain_update(key.as_str())
            .finalize();
        let mut bytes = self.id.to_bytes();
        bytes[6..].copy_from_slice(&digest[..10]);
        UploadId::from_bytes(bytes)
    }

    /// Between these all ids of its uploads lie.
    pub fn upload_ids(&self) -> (UploadId, UploadId) {
        let mut ends = [self.id.to_bytes(); 2];
        ends[0][6..].fill(0);
        ends[1][6..].fill(0xff);
        (UploadId::from_bytes(ends[0]), UploadId::from_bytes(ends[1]))
    }
}

/// Where a session writes: under its owner's part, at an address that nobody guesses who knows its id.
pub fn prefix(owner: &Owner, id: UploadId, secret: &[u8; 16]) -> Prefix {
    let secret = URL_SAFE_NO_PAD.encode(secret);
    Prefix(format!("{SESSIONS}{}/{id}-{secret}/", owner.hash()))
}

/// Where an identity of an identity pool writes (`REGION:UUID`): its role's policy names no more than that.
pub fn identity_prefix(identity: &str) -> Prefix {
    Prefix(format!("{SESSIONS}{identity}/"))
}

/// The prefix of the session that has written a key, if it is as one of ours would be.
pub fn prefix_of(key: &str) -> Option<&str> {
    let rest = key.strip_prefix(SESSIONS)?;
    let first = rest.find('/')? + 1;
    let end = if is_identity(&rest[..first]) {
        first
    } else {
        first + rest[first..].find('/')? + 1
    };
    Some(&key[..SESSIONS.len() + end])
}

/// An owner's hash has no colon, and an identity (`REGION:UUID`) always.
fn is_identity(segment: &str) -> bool {
    segment.contains(':')
}

impl Prefix {
    /// A prefix as the records gave it.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As much of it as is no secret.
    pub fn open(&self) -> &str {
        key::open(&self.0)
    }

    /// Whether other sessions write there as well, one after the other.
    pub fn is_shared(&self) -> bool {
        is_identity(&self.0)
    }
}

/// Without the secret.
impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-…", self.open())
    }
}

/// A session's prefix as far as its id; nobody guesses the rest.
pub fn open_part(prefix: &str) -> Option<&str> {
    let start = prefix.trim_end_matches('/').rfind('/')? + 1;
    let end = start + ID_CHARS;
    let id = prefix.get(start..end)?.parse::<UploadId>();
    id.ok().and_then(|_| prefix.get(..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        let owner: Owner = "../someone".parse().unwrap();
        let id: UploadId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        Session {
            id,
            profile: "image".to_owned(),
            prefix: prefix(&owner, id, &[7; 16]),
            owner,
            api_key: None,
            address: None,
            metadata: Metadata::new(),
            expires_at: id.time(),
            attempt: 0,
        }
    }

    #[test]
    fn an_object_is_the_same_upload_however_often_it_is_found() {
        let session = session();
        let key = |name: &str| ObjectKey::new(format!("{}{name}", session.prefix.as_str()));
        let upload = session.upload(key("dir/../a\u{202e}b.png"), 1);
        assert_eq!(upload.filename, "ab.png");
        assert_eq!(upload.created_at(), session.id.time());
        let again = session.upload(key("dir/../a\u{202e}b.png"), 2);
        assert_eq!(upload.id, again.id);
        let other = session.upload(key("b.png"), 1);
        assert_ne!(upload.id, other.id);
        let (first, last) = session.upload_ids();
        assert!((first..=last).contains(&upload.id) && (first..=last).contains(&other.id));
    }

    #[test]
    fn a_key_tells_its_sessions_prefix() {
        let session = session();
        let key = |prefix: &Prefix| format!("{}a/b", prefix.as_str());
        let own = key(&session.prefix);
        assert_eq!(prefix_of(&own), Some(session.prefix.as_str()));
        let pool = identity_prefix("eu-central-1:0000");
        assert_eq!(prefix_of(&key(&pool)), Some(pool.as_str()));
        let open = open_part(session.prefix.as_str()).unwrap();
        assert!(open.ends_with(&session.id.to_string()), "{open}");
        assert_eq!(open_part(pool.as_str()), None);
        assert_eq!(open_part("cred/of/nobody/"), None);
        for strange in ["in/a/b/c", "cred/", "cred/a", "cred/a/b", "credit/a/b/c"] {
            assert_eq!(prefix_of(strange), None, "{strange}");
        }
    }

    #[test]
    fn what_is_shown_of_a_session_lets_nobody_write_there() {
        let session = session();
        let shown = format!("{session:?}");
        assert!(shown.contains(&session.id.to_string()));
        assert!(!shown.contains("BwcHBwcHBwcHBwcHBwcHBw"), "{shown}");
        let pool = format!("{:?}", identity_prefix("eu-central-1:128d0a74"));
        assert_eq!(pool, "cred/eu-central-1-…");
    }

    #[test]
    fn a_session_has_written_what_was_written_in_its_time() {
        let hour = Duration::from_hours(1);
        let mut session = session();
        let begun = session.id.time();
        session.expires_at = after(begun, hour);
        let before = begun - 2 * hour;
        // Nobody else could write there.
        assert!(session.covers(before) && session.covers(after(begun, 2 * hour)));
        assert!(!session.covers(after(begun, 3 * hour)));
        session.prefix = identity_prefix("eu-central-1:0000");
        assert!(!session.covers(before) && session.covers(begun));
    }
}
