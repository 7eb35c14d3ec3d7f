//! Sign in: a local user's name and password for a token that is good for a while.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::{
    app::App,
    auth::{self, MAX_PASSWORD_BYTES, Secret},
    error::{Error, Kind},
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
    app.attempts.count(&name, address)?;
    // What can be nobody's name is not asked for, and costs as much.
    let user = match name.parse::<Owner>() {
        Ok(name) => app.records.user(name.as_str()).await?,
        Err(_) => None,
    };
    let user = user.filter(|user| user.disabled_at.is_none());
    let kept = user.as_ref().map(|user| user.password.clone());
    let same = app.passwords.verify(password, kept).await?;
    let user = user.filter(|_| same).ok_or(Kind::SignInFailed)?;
    let now = app.clock.now();
    let (token, expires_at) = auth::sign_in_token(&user, now, &app.config.secrets);
    tracing::info!(owner = %user.name, "sign in");
    Ok(SignedIn {
        token,
        expires_at,
        owner: user.name,
    })
}

fn bounded(field: &str, text: &str, most: usize) -> Result<(), Error> {
    if text.len() <= most {
        return Ok(());
    }
    Err(Kind::InvalidRequest.because(format!("`{field}` is at most {most} bytes long")))
}
