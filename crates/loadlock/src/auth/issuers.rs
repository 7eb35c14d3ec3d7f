//! Issuers: whose JWTs say who a user is, by public keys that a provider serves or by a secret that an application shares.

mod keys;

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey};
use quick_cache::{Weighter, sync::Cache};
use reqwest::Url;

use self::keys::ProviderKeys;
pub(crate) use self::keys::{Trouble, is_fetchable};
use super::{
    Claims, Secret, TokenHash, Who, hash,
    jwt::{Jwt, Said, Times, is_meant_for, owner, seconds, shared, text},
};
use crate::{clock::after, error::Error};

/// How long a token is taken without verifying it again: a key that its provider has dropped serves no longer than this and
/// the keys' own age.
const REMEMBERED: Duration = Duration::from_mins(10);
/// How many bytes of tokens are remembered, and about how many tokens that is.
const REMEMBERED_BYTES: u64 = 16 << 20;
const REMEMBERED_TOKENS: usize = 16 << 10;

/// Somebody whose word counts on who a user is.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// As tokens write it in `iss`.
    pub name: String,
    pub signed: Signed,
    /// By what algorithms, all of one kind with the keys: public keys and shared secrets are never mixed.
    pub algorithms: Vec<Algorithm>,
    pub audience: Audience,
    /// The claim that names the user.
    pub owner_claim: String,
    /// What stands before that name, so that no two issuers' users are one owner.
    pub owner_prefix: String,
    /// How far the issuer's clock may differ from ours.
    pub leeway: Duration,
}

/// By what an issuer signs.
#[derive(Debug, Clone)]
pub enum Signed {
    /// By keys that its discovery document leads to (OpenID Connect Discovery 1.0, section 4).
    Discovered,
    /// By keys that are served here (RFC 7517, section 5).
    KeysAt(Url),
    /// By one of these.
    Secrets(Vec<Secret>),
}

/// For whom tokens must be meant.
#[derive(Debug, Clone)]
pub enum Audience {
    /// One of these in `aud`.
    Listed(Vec<String>),
    /// A Cognito user pool's app clients: access tokens name theirs in `client_id`, ID tokens in `aud`.
    Clients {
        ids: Vec<String>,
        uses: Vec<TokenUse>,
    },
}

/// What Cognito's tokens say of themselves in `token_use`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    Access,
    Id,
}

impl Audience {
    fn takes(&self, said: &Said) -> bool {
        match self {
            Self::Listed(audience) => is_meant_for(said, audience),
            Self::Clients { ids, uses } => match text(said, "token_use") {
                Some("access") if uses.contains(&TokenUse::Access) => {
                    text(said, "client_id").is_some_and(|id| ids.iter().any(|one| one == id))
                }
                Some("id") if uses.contains(&TokenUse::Id) => is_meant_for(said, ids),
                _ => false,
            },
        }
    }
}

/// All issuers at work: their keys, and the tokens that have been verified.
#[derive(Clone)]
pub struct Issuers(Arc<Inner>);

struct Inner {
    trusted: Vec<Trusted>,
    verified: Cache<TokenHash, Verified, Bytes>,
}

struct Trusted {
    issuer: Issuer,
    keys: Keys,
}

enum Keys {
    Served(Arc<ProviderKeys>),
    Shared(Vec<DecodingKey>),
}

impl Keys {
    fn of(issuer: &Issuer) -> Result<Self, Error> {
        let served = |keys| Self::Served(Arc::new(keys));
        Ok(match &issuer.signed {
            Signed::Discovered => served(ProviderKeys::discovered(&issuer.name)?),
            Signed::KeysAt(url) => served(ProviderKeys::at(&issuer.name, url)?),
            Signed::Secrets(secrets) => Self::Shared(shared(secrets)),
        })
    }
}

#[derive(Clone)]
struct Verified {
    who: Who,
    until: Timestamp,
    token_bytes: u64,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<TokenHash, Verified> for Bytes {
    fn weight(&self, _: &TokenHash, verified: &Verified) -> u64 {
        verified.token_bytes
    }
}

impl Issuers {
    /// Makes ready for these; nobody is asked for keys before a token needs them.
    pub fn new(issuers: &[Issuer]) -> Result<Self, Error> {
        let trusted: Result<_, Error> = issuers
            .iter()
            .map(|issuer| {
                let keys = Keys::of(issuer)?;
                let issuer = issuer.clone();
                Ok(Trusted { issuer, keys })
            })
            .collect();
        let trusted = trusted?;
        let verified = Cache::with_weighter(REMEMBERED_TOKENS, REMEMBERED_BYTES, Bytes);
        Ok(Self(Arc::new(Inner { trusted, verified })))
    }

    /// Whom a token speaks for that has been verified lately.
    pub(super) fn remembered(&self, token: &str, now: Timestamp) -> Option<Who> {
        if self.0.trusted.is_empty() {
            return None;
        }
        let found = self.0.verified.get(&hash(token));
        let good = found.filter(|verified| now < verified.until);
        good.map(|verified| verified.who)
    }

    /// The issuer that a token claims to be of. Everything else is then held to that one's settings.
    pub(super) fn claimed_by<'i>(&'i self, jwt: &Jwt<'_>) -> Option<By<'i>> {
        if self.0.trusted.is_empty() {
            return None;
        }
        let name = jwt.issuer()?;
        let mut trusted = self.0.trusted.iter();
        let trusted = trusted.find(|trusted| trusted.issuer.name == name)?;
        let verified = &self.0.verified;
        Some(By { trusted, verified })
    }
}

/// The issuer of one token.
pub(super) struct By<'i> {
    trusted: &'i Trusted,
    verified: &'i Cache<TokenHash, Verified, Bytes>,
}

impl By<'_> {
    /// How far the issuer's clock may differ from ours.
    pub(super) fn leeway(&self) -> Duration {
        self.trusted.issuer.leeway
    }

    /// Whether it signs with keys that it serves: verifying that costs far more than anything else that is done with a token.
    pub(super) fn serves_keys(&self) -> bool {
        matches!(self.trusted.keys, Keys::Served(_))
    }

    /// Whom a token speaks for, if this issuer signed it and it is good now; remembered for a while.
    pub(super) async fn holder(&self, jwt: &Jwt<'_>, now: Timestamp) -> Result<Option<Who>, Error> {
        let Trusted { issuer, keys } = self.trusted;
        // A token made for something else, as for a sign-out, is no sign-in.
        let for_sign_in = matches!(jwt.kind().as_str(), "jwt" | "at+jwt");
        if !for_sign_in || !issuer.algorithms.contains(&jwt.algorithm()) {
            return Ok(None);
        }
        let said = match keys {
            Keys::Served(keys) => jwt.signed_by(&keys.fitting(jwt, now).await?),
            Keys::Shared(keys) => jwt.signed_by(keys),
        };
        let Some((who, lasts)) = said.and_then(|said| issuer.believes(said, now)) else {
            return Ok(None);
        };
        let verified = Verified {
            who: who.clone(),
            until: after(now, lasts.min(REMEMBERED)),
            token_bytes: jwt.as_str().len() as u64,
        };
        self.verified.insert(hash(jwt.as_str()), verified);
        Ok(Some(who))
    }
}

impl Issuer {
    /// Whom a token speaks for that this issuer has signed, and for how long.
    fn believes(&self, said: Said, now: Timestamp) -> Option<(Who, Duration)> {
        let times = Times::of(&said)?;
        let (now, leeway) = (seconds(now), self.leeway.as_secs_f64());
        let lasts = times.exp + leeway - now;
        // What is bound to a key of its holder (RFC 7800) proves nothing without that, and an event (RFC 8417) is no sign-in.
        let bearers = !said.contains_key("cnf") && !said.contains_key("events");
        let good =
            bearers && lasts > 0.0 && times.have_begun(now, leeway) && self.audience.takes(&said);
        let name = self.user(&said).filter(|_| good)?;
        let owner = owner(&[&self.owner_prefix, name].concat())?;
        let lasts = Duration::try_from_secs_f64(lasts).unwrap_or(Duration::MAX);
        let claims = Claims::new(said);
        Some((Who::User { owner, claims }, lasts))
    }

    /// What the issuer calls the user. An address that nobody has verified is anybody's.
    fn user<'s>(&self, said: &'s Said) -> Option<&'s str> {
        let name = text(said, &self.owner_claim).filter(|name| !name.is_empty())?;
        let verified = said.get("email_verified");
        let verified = verified.is_some_and(|value| value == true || value == "true");
        (self.owner_claim != "email" || verified).then_some(name)
    }
}

/// An issuer's provider, to be asked on purpose.
pub(crate) struct Provider<'i> {
    pub(crate) issuer: &'i Issuer,
    keys: Arc<ProviderKeys>,
}

impl<'i> Provider<'i> {
    /// None of an issuer that signs with shared secrets.
    pub(crate) fn of(issuer: &'i Issuer) -> Result<Option<Self>, Error> {
        Ok(match Keys::of(issuer)? {
            Keys::Served(keys) => Some(Self { issuer, keys }),
            Keys::Shared(_) => None,
        })
    }

    /// Where it says that its keys are.
    pub(crate) async fn address(&self) -> Result<Url, Trouble> {
        self.keys.address().await
    }

    /// How many keys of use it serves, and what time it is there.
    pub(crate) async fn serves(&self) -> Result<(usize, Option<Timestamp>), Trouble> {
        let serves = self.keys.fetch().await?;
        Ok((serves.usable(&self.issuer.algorithms), serves.at))
    }
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.trusted.iter().map(|trusted| &trusted.issuer.name);
        f.debug_list().entries(names).finish()
    }
}
