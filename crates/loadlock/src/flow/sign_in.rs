//! Sign in: a local user's name and password for a token that is good for a while.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::{
    app::App,
    auth::{self, Caller, MAX_PASSWORD_BYTES, Secret, Who},
    error::{Error, Kind},
    flow::audit,
    records::{Act, Entry, User},
    upload::Owner,
};

/// An owner's name is no longer.
const MAX_NAME_BYTES: usize = 255;

/// Who somebody says they are.
#[derive(Debug, Clone)]
pub struct SignIn {
    pub name: String,
    pub password: Secret,
}

/// A token, good until then.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub token: Secret,
    pub expires_at: Timestamp,
    pub owner: Owner,
}

/// Signs a local user in. A wrong name and a wrong password are answered alike, after the same work.
pub async fn sign_in(
    app: &App,
    address: Option<IpAddr>,
    SignIn { name, password }: SignIn,
) -> Result<SignedIn, Error> {
    bounded("name", &name, MAX_NAME_BYTES)?;
    bounded("password", password.expose(), MAX_PASSWORD_BYTES)?;
    // Not written down: whoever tries for ever would fill the log.
    app.limits.sign_in(&name, address)?;
    // What can be nobody's name is not asked for, and costs as much.
    let user = match name.parse::<Owner>() {
        Ok(name) => app.records.user(name.as_str()).await?,
        Err(_) => None,
    };
    let kept = user.as_ref().map(|user| user.password.clone());
    if !app.passwords.verify(password, kept).await? {
        let error = Error::from(Kind::SignInFailed);
        let stranger = Caller::from(Who::Nobody).at(address);
        audit::refused(app, &error, entry(app, &stranger, user.as_ref()));
        return Err(error);
    }
    let user = user.ok_or(Kind::SignInFailed)?;
    let caller = Caller::user(user.name.clone()).at(address);
    if user.disabled_at.is_some() {
        let error = Error::from(Kind::SignInFailed);
        auth::note_disabled(app, &caller, &error);
        return Err(error);
    }
    let now = app.clock.now();
    let (token, expires_at) = auth::sign_in_token(&user, now, &app.config.secrets);
    // Before anybody has the token.
    app.records
        .tell(&[entry(app, &caller, Some(&user))])
        .await?;
    app.limits.signed_in(user.name.as_str(), address);
    tracing::info!(owner = %user.name, "sign in");
    Ok(SignedIn {
        token,
        expires_at,
        owner: user.name,
    })
}

/// That somebody tried. What they called themselves only where there is such a user: people type their password there.
fn entry(app: &App, caller: &Caller, user: Option<&User>) -> Entry {
    Entry {
        owner: user.map(|user| user.name.to_string()),
        ..Entry::new(Act::SignIn, Some(caller), app.clock.now())
    }
}

fn bounded(field: &str, text: &str, most: usize) -> Result<(), Error> {
    if text.len() <= most {
        return Ok(());
    }
    Err(Kind::InvalidRequest.because(format!("`{field}` is at most {most} bytes long")))
}
