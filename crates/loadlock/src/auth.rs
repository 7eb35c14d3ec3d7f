//! Who is asking: bearer tokens, kept and compared as SHA-256, or signed by the service itself or by the application.

mod claims;
mod denied;
pub mod issuers;
mod jwt;
mod keyring;
mod link;
mod local;
mod password;
mod user;

use std::{net::IpAddr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

pub use self::{
    claims::Claims,
    keyring::{KeyRing, Purpose, Signature},
    link::{Link, link},
    local::sign_in_token,
    password::{MAX_PASSWORD_BYTES, Passwords},
};
pub use loadlock_sigv4::Secret;

pub(crate) use self::denied::note_disabled;
use self::{denied::Denied, jwt::Jwt};
use crate::{
    app::App,
    error::Error,
    limits::Standing,
    records::Subject,
    upload::{Owner, UploadId},
};

/// Who is asking, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub who: Who,
    /// The client's address, where it is known.
    pub address: Option<IpAddr>,
}

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// An end user: sees and does what is theirs. The claims are what their token says beside.
    User { owner: Owner, claims: Claims },
    /// An application's server: may act for any owner, and claim.
    Server { name: String, scope: Scope },
    /// The holder of one upload's token.
    Upload { id: UploadId },
    /// Somebody who does not say.
    Nobody,
}

/// What an API key is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    AllProfiles,
    /// By their names.
    Profiles(Arc<[String]>),
}

impl Scope {
    /// Whether it takes in this profile.
    pub fn covers(&self, profile: &str) -> bool {
        match self {
            Self::AllProfiles => true,
            Self::Profiles(names) => names.iter().any(|name| name == profile),
        }
    }
}

impl Caller {
    /// An end user of whom nothing else is known.
    pub fn user(owner: Owner) -> Self {
        let claims = Claims::default();
        Who::User { owner, claims }.into()
    }

    /// An application's server, called so in logs.
    pub fn server(name: impl Into<String>) -> Self {
        let (name, scope) = (name.into(), Scope::AllProfiles);
        Who::Server { name, scope }.into()
    }

    /// The holder of one upload's token.
    pub fn upload(id: UploadId) -> Self {
        Who::Upload { id }.into()
    }

    /// The same caller, at this address.
    #[must_use]
    pub fn at(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }
}

impl From<Who> for Caller {
    fn from(who: Who) -> Self {
        Self { who, address: None }
    }
}

/// A token of the configuration, without the token.
#[derive(Debug, Clone)]
pub struct Token {
    hash: TokenHash,
    caller: Caller,
    expires_at: Option<Timestamp>,
}

/// SHA-256 of a token.
pub type TokenHash = [u8; 32];

impl Token {
    /// An end user's token.
    pub fn user(token: &Secret, owner: Owner) -> Self {
        Self {
            hash: hash(token.expose()),
            caller: Caller::user(owner),
            expires_at: None,
        }
    }

    /// An application server's API key.
    pub fn server(token: &Secret, name: impl Into<String>) -> Self {
        Self::server_hashed(hash(token.expose()), name)
    }

    /// An application server's API key, of which only the SHA-256 is known.
    pub fn server_hashed(hash: TokenHash, name: impl Into<String>) -> Self {
        Self {
            hash,
            caller: Caller::server(name),
            expires_at: None,
        }
    }

    /// The same, for these profiles only.
    #[must_use]
    pub fn scoped(mut self, profiles: Scope) -> Self {
        if let Who::Server { scope, .. } = &mut self.caller.who {
            *scope = profiles;
        }
        self
    }

    /// The same, until then.
    #[must_use]
    pub fn until(self, expires_at: Option<Timestamp>) -> Self {
        Self { expires_at, ..self }
    }

    /// What an API key is good for.
    pub fn scope(&self) -> Option<&Scope> {
        match &self.caller.who {
            Who::Server { scope, .. } => Some(scope),
            _ => None,
        }
    }

    /// When it ends, if it does.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// What an API key is called.
    pub fn name(&self) -> Option<&str> {
        match &self.caller.who {
            Who::Server { name, .. } => Some(name),
            _ => None,
        }
    }
}

const USER_PREFIX: &str = "llu_";
const SERVER_PREFIX: &str = "llk_";
const UPLOAD_PREFIX: &str = "llt_";

/// A new API key from 32 random bytes.
pub fn api_key(random: &[u8; 32]) -> Secret {
    Secret::new(format!("{SERVER_PREFIX}{}", URL_SAFE_NO_PAD.encode(random)))
}

/// The token for one upload: its id, signed. It is the same whenever it is asked for, and kept nowhere.
pub fn upload_token(id: UploadId, secrets: &KeyRing) -> Secret {
    let id = id.to_bytes();
    let signature = secrets.sign(Purpose::UploadToken, &id);
    let bytes = [id.as_slice(), &signature].concat();
    Secret::new(format!("{UPLOAD_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// What is kept of a token.
pub fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// Who an `Authorization` header speaks for that came from this address. A revoked API key is as none at once.
///
/// From where too many tokens were nobody's, those are not looked at for a while whose signature an issuer's public key would have to
/// verify. Everything else costs no more than it takes to refuse it.
pub async fn authenticate(
    app: &App,
    authorization: Option<&str>,
    address: Option<IpAddr>,
) -> Result<Caller, Error> {
    let barred = address.and_then(|address| app.limits.barred(address));
    let found = match holder(app, authorization, barred.as_ref()).await {
        Ok(caller) => unrevoked(app, caller).await,
        denied => denied,
    };
    found
        .map(|caller| caller.at(address))
        .map_err(|denied| denied.told(app, address, barred))
}

async fn unrevoked(app: &App, caller: Caller) -> Result<Caller, Denied> {
    if let Who::Server { name, .. } = &caller.who {
        let key = Subject::ApiKey(name.clone());
        if app.records.revoked(&[key]).await?.is_some() {
            return Err(Denied::Key(caller, "this API key is revoked"));
        }
    }
    Ok(caller)
}

async fn holder(
    app: &App,
    authorization: Option<&str>,
    barred: Option<&Standing>,
) -> Result<Caller, Denied> {
    let token = authorization.and_then(bearer).ok_or(Denied::Unknown)?;
    if token.starts_with(UPLOAD_PREFIX) {
        return upload_holder(app, token).await;
    }
    // A JWT has two dots.
    if token.split('.').count() == 3 {
        return Ok(jwt::holder(app, token, barred).await?.into());
    }
    let given = hash(token);
    if let Some(known) = configured(&app.config.tokens, &given) {
        return unexpired(app, known.caller.clone(), known.expires_at);
    }
    if token.starts_with(USER_PREFIX) {
        return local::holder(app, token).await;
    }
    server(app, &given).await
}

/// The token of the configuration that this is the hash of. It is compared with all of them.
fn configured<'a>(tokens: &'a [Token], given: &TokenHash) -> Option<&'a Token> {
    tokens.iter().fold(None, |found, token| {
        let same = bool::from(token.hash.ct_eq(given));
        if same { Some(token) } else { found }
    })
}

/// The holder of an API key in the records. They are asked each time, so that a key that is revoked is void at once.
async fn server(app: &App, given: &TokenHash) -> Result<Caller, Denied> {
    let key = app.records.key(given).await?;
    let key = key.ok_or(Denied::Unknown)?;
    let (name, scope) = (key.name, key.scope);
    unexpired(app, Who::Server { name, scope }.into(), key.expires_at)
}

/// Only its holder can learn that a key has expired: nobody else has it.
fn unexpired(app: &App, caller: Caller, end: Option<Timestamp>) -> Result<Caller, Denied> {
    match end {
        Some(end) if end <= app.clock.now() => {
            let why = "this API key has expired: ask for another";
            Err(Denied::Key(caller, why))
        }
        _ => Ok(caller),
    }
}

/// Whether an `Authorization` header carries an upload token, good or not.
pub fn is_upload_token(authorization: &str) -> bool {
    bearer(authorization).is_some_and(|token| token.starts_with(UPLOAD_PREFIX))
}

/// The JWT that an `Authorization` header carries, good or not, if it is held against a configured issuer. One that the
/// application signed with its own secret is for nobody else.
pub(crate) fn issued(app: &App, authorization: &str) -> Option<Secret> {
    let token = bearer(authorization)?;
    let jwt = Jwt::read(token)?;
    app.issuers.claimed_by(&jwt).map(|_| Secret::new(token))
}

/// Whether an `Authorization` header carries an API key, good or not.
pub fn is_api_key(authorization: &str) -> bool {
    bearer(authorization).is_some_and(|token| token.starts_with(SERVER_PREFIX))
}

/// RFC 6750, section 2.1; the scheme's name in any case (RFC 9110, section 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim_start())
}

async fn upload_holder(app: &App, token: &str) -> Result<Caller, Denied> {
    let id = signed_id(token, &app.config.secrets).ok_or(Denied::Unknown)?;
    let upload = app.records.upload(id).await?;
    let lives = upload.is_some_and(|upload| app.clock.now() < upload.token_expires_at());
    lives
        .then_some(Caller::upload(id))
        .ok_or(Denied::Ended("this upload token has expired"))
}

/// The id an upload token speaks for, if its signature is ours.
fn signed_id(token: &str, secrets: &KeyRing) -> Option<UploadId> {
    let bytes = URL_SAFE_NO_PAD
        .decode(token.strip_prefix(UPLOAD_PREFIX)?)
        .ok()?;
    let (id, signature) = bytes.split_first_chunk::<16>()?;
    let ours = secrets.verify(Purpose::UploadToken, id, signature);
    ours.then(|| UploadId::from_bytes(*id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_tokens_are_read_from_the_header() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer abc"), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer"), None);
    }

    #[test]
    fn an_upload_token_holds_its_id_and_tells_nobody() {
        let secrets = |text: &str| KeyRing::new(Secret::new(text.to_owned()), vec![]);
        let id = UploadId::from_bytes([7; 16]);
        let token = upload_token(id, &secrets("ours"));
        assert_eq!(signed_id(token.expose(), &secrets("ours")), Some(id));
        assert_eq!(signed_id(token.expose(), &secrets("other")), None);
        assert_eq!(signed_id("llt_AAAA", &secrets("ours")), None);
        assert_eq!(format!("{token:?}"), "Secret(…)");
    }
}
