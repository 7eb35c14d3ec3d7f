//! Roles, and the keys of those who have assumed one: all that a session is stands sealed in its token.

use std::borrow::Cow;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use loadlock_sigv4::{Credentials, Secret};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::access::Principal;
use crate::attributes::OWNER;
use crate::disk::OpenError;
use crate::error::{Code, S3Result};
use crate::policy::Policy;

/// The file in the store's directory that holds its seal.
const KEY_FILE: &str = "sts.key";
const SEAL_BYTES: usize = 32;
/// The longest token that is looked at: twice the longest that is made.
const MAX_TOKEN: usize = 32 * 1024;

/// What an identity may become for a while: `arn:aws:iam::000000000000:role/NAME`.
#[derive(Clone, Debug)]
pub struct Role {
    pub name: String,
    pub policy: Policy,
}

/// The store's roles, and its seal.
pub(crate) struct Roles {
    roles: Vec<Role>,
    seal: Hmac<Sha256>,
}

/// Somebody in a role, as the token holds it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    pub(crate) role: String,
    /// As whoever assumed the role called it.
    pub(crate) name: String,
    /// No two sessions have the same.
    pub(crate) serial: u64,
    /// Seconds since 1970.
    pub(crate) expires: u64,
    pub(crate) policy: Option<String>,
}

impl Session {
    /// As it stands in an ARN.
    pub(crate) fn principal(&self) -> String {
        format!("assumed-role/{}/{}", self.role, self.name)
    }
}

/// What is made from a session's facts, each with a seal of its own.
#[derive(Clone, Copy)]
enum Part {
    Id,
    Secret,
    Token,
}

impl Roles {
    /// With the seal that the directory keeps, made now if it has none.
    pub(crate) fn open_in(dir: &Path, roles: Vec<Role>) -> Result<Self, OpenError> {
        let key = seal_key(dir)?;
        let seal = Hmac::new_from_slice(&key).map_err(io::Error::other)?;
        Ok(Self { roles, seal })
    }

    pub(crate) fn by_arn(&self, arn: &str) -> Option<&Role> {
        let name = arn
            .strip_prefix("arn:aws:iam::")?
            .strip_prefix(OWNER)?
            .strip_prefix(":role/")?;
        self.by_name(name)
    }

    fn by_name(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// The keys of a session: the same whenever they are made.
    pub(crate) fn credentials(&self, session: &Session) -> Credentials {
        // Texts and numbers: there is nothing in it that JSON could not say.
        self.keys(&serde_json::to_vec(session).unwrap_or_default())
    }

    fn keys(&self, facts: &[u8]) -> Credentials {
        let mut token = facts.to_vec();
        token.extend_from_slice(&self.mac(Part::Token, facts));
        let secret = BASE64.encode(self.mac(Part::Secret, facts));
        Credentials::new(access_key(&self.mac(Part::Id, facts)), secret)
            .with_session_token(BASE64.encode(token))
    }

    /// Who holds this token. Whether the access key and the signature beside it are the session's own is for whoever verifies the
    /// signature to find out.
    pub(crate) fn open(&self, token: &Secret, now: SystemTime) -> S3Result<Principal<'_>> {
        let facts = self.unseal(token).ok_or(Code::InvalidToken)?;
        let session: Session = serde_json::from_slice(&facts).map_err(|_| Code::InvalidToken)?;
        if seconds(now) >= session.expires {
            return Err(Code::ExpiredToken.into());
        }
        let role = self.by_name(&session.role).ok_or(Code::InvalidToken)?;
        let policy = session.policy.as_deref().map(Policy::from_json);
        Ok(Principal {
            name: session.principal(),
            credentials: Cow::Owned(self.keys(&facts)),
            policy: &role.policy,
            session: policy.transpose().map_err(|_| Code::InvalidToken)?,
        })
    }

    /// What a token says, if this store has sealed it.
    fn unseal(&self, token: &Secret) -> Option<Vec<u8>> {
        let text = Some(token.expose()).filter(|text| text.len() <= MAX_TOKEN)?;
        let mut facts = BASE64.decode(text).ok()?;
        let seal = facts.split_off(facts.len().checked_sub(SEAL_BYTES)?);
        self.sealing(Part::Token, &facts).verify_slice(&seal).ok()?;
        Some(facts)
    }

    fn sealing(&self, part: Part, facts: &[u8]) -> Hmac<Sha256> {
        let mut seal = self.seal.clone();
        seal.update(&[part as u8]);
        seal.update(facts);
        seal
    }

    fn mac(&self, part: Part, facts: &[u8]) -> [u8; SEAL_BYTES] {
        self.sealing(part, facts).finalize().into_bytes().into()
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.roles).finish()
    }
}

pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

/// A key that looks like AWS's temporary ones.
fn access_key(digest: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letters = digest
        .iter()
        .take(16)
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    "ASIA".chars().chain(letters).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the seal is drawn once in a store's life, and must be unknown to anybody"
)]
fn seal_key(dir: &Path) -> io::Result<Vec<u8>> {
    let path = dir.join(KEY_FILE);
    match fs::read(&path) {
        Ok(key) if key.len() == SEAL_BYTES => return Ok(key),
        Ok(_) => return Err(io::Error::other("sts.key does not have 32 bytes")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut key = vec![0; SEAL_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let draft = dir.join("tmp").join(KEY_FILE);
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(&key)?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    File::open(dir)?.sync_all()?;
    Ok(key)
}
