//! Sessions: for a while somebody may write below one prefix, and what arrives there becomes uploads.

use std::{net::IpAddr, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{Metadata, Method, Narrowed, ObjectKey, Owner, State, Upload, UploadId, name};
use crate::clock::after;

/// Below this all sessions' prefixes lie.
pub const SESSIONS: &str = "cred/";
/// How long after its keys have ended a session is looked after: a transfer that began in time may last longer than they.
const TRANSFER: Duration = Duration::from_hours(1);

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
    /// In the staging bucket; with a slash at its end.
    pub prefix: String,
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

    /// The upload that an object is: the same however often it is found.
    pub fn upload(&self, key: ObjectKey) -> Upload {
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
            // As much as its profile takes, which whoever finds it knows.
            reserved_bytes: 0,
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
pub fn prefix(owner: &Owner, id: UploadId, secret: &[u8; 16]) -> String {
    let secret = URL_SAFE_NO_PAD.encode(secret);
    format!("{SESSIONS}{}/{id}-{secret}/", owner.hash())
}

/// Where an identity of an identity pool writes (`REGION:UUID`): its role's policy names no more than that.
pub fn identity_prefix(identity: &str) -> String {
    format!("{SESSIONS}{identity}/")
}

/// The prefix of the session that has written a key, if it is as one of ours would be.
pub fn prefix_of(key: &str) -> Option<&str> {
    let rest = key.strip_prefix(SESSIONS)?;
    let first = rest.find('/')? + 1;
    let end = if rest[..first].contains(':') {
        first
    } else {
        first + rest[first..].find('/')? + 1
    };
    Some(&key[..SESSIONS.len() + end])
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
        let key = |name: &str| ObjectKey::new(format!("{}{name}", session.prefix));
        let upload = session.upload(key("dir/../a\u{202e}b.png"));
        assert_eq!(upload.filename, "ab.png");
        assert_eq!(upload.created_at(), session.id.time());
        let again = session.upload(key("dir/../a\u{202e}b.png"));
        assert_eq!(upload.id, again.id);
        let other = session.upload(key("b.png"));
        assert_ne!(upload.id, other.id);
        let (first, last) = session.upload_ids();
        assert!((first..=last).contains(&upload.id) && (first..=last).contains(&other.id));
    }

    #[test]
    fn a_key_tells_its_sessions_prefix() {
        let session = session();
        let key = format!("{}a/b", session.prefix);
        assert_eq!(prefix_of(&key), Some(session.prefix.as_str()));
        let pool = identity_prefix("eu-central-1:0000");
        assert_eq!(prefix_of(&format!("{pool}a/b")), Some(pool.as_str()));
        for strange in ["in/a/b/c", "cred/", "cred/a", "cred/a/b", "credit/a/b/c"] {
            assert_eq!(prefix_of(strange), None, "{strange}");
        }
    }
}
