//! Local users' tokens: who, until when, and that it was signed while their password was this one.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use loadlock_sigv4::Secret;

use super::{Caller, Denied, KeyRing, Purpose, USER_PREFIX, Who, hash};
use crate::{
    app::App,
    clock::{after, from_millis},
    records::User,
    upload::Owner,
};

/// How long a token is good.
const LIFETIME: Duration = Duration::from_hours(1);
const SECONDS: usize = size_of::<i64>();

/// A token that is good from now on, and until when: `base64url(end ‖ name ‖ signature)`, the end in seconds.
pub fn sign_in_token(user: &User, now: Timestamp, secrets: &KeyRing) -> (Secret, Timestamp) {
    let end = after(now, LIFETIME).as_second();
    let name = user.name.as_str().as_bytes();
    let end_bytes = end.to_be_bytes();
    let signature = secrets.sign(Purpose::UserToken, &message(end_bytes, user));
    let bytes = [&end_bytes, name, &signature].concat();
    let token = Secret::new(format!("{USER_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)));
    (token, from_millis(end.saturating_mul(1000)))
}

/// Whom a token speaks for, as long as the user is there and has the password that it was signed under.
pub(super) async fn holder(app: &App, token: &str) -> Result<Caller, Denied> {
    let token = Parts::of(token).ok_or(Denied::Unknown)?;
    let name = token.name.parse::<Owner>();
    let name = name.map_err(|_| Denied::Unknown)?;
    let user = app.records.user(name.as_str()).await?;
    let user = user.ok_or(Denied::Unknown)?;
    let message = message(token.end, &user);
    let ours = app
        .config
        .secrets
        .verify(Purpose::UserToken, &message, &token.signature);
    if !ours {
        return Err(Denied::Unknown);
    }
    if app.clock.now().as_second() >= i64::from_be_bytes(token.end) {
        return Err(Denied::Ended("this token has expired: sign in again"));
    }
    let (owner, claims) = (user.name, user.claims);
    let caller = Who::User { owner, claims }.into();
    match user.disabled_at {
        None => Ok(caller),
        Some(_) => Err(Denied::Disabled(caller)),
    }
}

/// A token taken apart; nothing of it is known to be true.
struct Parts {
    end: [u8; SECONDS],
    name: String,
    signature: Vec<u8>,
}

impl Parts {
    fn of(token: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(USER_PREFIX)?);
        let bytes = bytes.ok()?;
        let (end, rest) = bytes.split_first_chunk::<SECONDS>()?;
        let (name, signature) = rest.split_last_chunk::<32>()?;
        Some(Self {
            end: *end,
            name: String::from_utf8(name.to_vec()).ok()?,
            signature: signature.to_vec(),
        })
    }
}

/// Each part but the last is of one length, so that none can be taken for another.
fn message(end: [u8; SECONDS], user: &User) -> Vec<u8> {
    let password = hash(user.password.expose());
    [&end[..], &password, user.name.as_str().as_bytes()].concat()
}
