//! The demo's password and API key, and the three identities' key pairs: made once, kept in the data directory for its owner's eyes.
use std::{fmt::Write as _, path::Path};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    auth::{self, Secret},
    bucket::Credentials,
    cli::session::{read_json, write_private},
    clock::Ids,
    http::message::Sealed,
};

/// Everything secret of one data directory.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) secret: Secret,
    /// Of the demo's user.
    pub(super) password: Secret,
    pub(super) api_key: Secret,
    pub(super) uploader: Credentials,
    pub(super) server: Credentials,
    pub(super) reader: Credentials,
}

/// The same as `keys.json` holds it.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Absent, like the password, from a file that was made before there was one.
    secret: Option<Sealed>,
    password: Option<Sealed>,
    api_key: Sealed,
    uploader: KeptPair,
    server: KeptPair,
    reader: KeptPair,
}

#[derive(Serialize, Deserialize)]
struct KeptPair {
    access_key_id: String,
    secret_access_key: Sealed,
}

impl Keys {
    /// The directory's keys, made now if it has none.
    pub(super) fn of(data: &Path, ids: &Ids) -> anyhow::Result<Self> {
        let path = data.join("keys.json");
        let mut kept = match read_json::<Kept>(&path)? {
            Some(kept) => kept,
            None => make(ids)?,
        };
        if kept.secret.is_none() || kept.password.is_none() {
            for missing in [&mut kept.secret, &mut kept.password] {
                if missing.is_none() {
                    *missing = Some(secret(ids)?);
                }
            }
            write_private(&path, &kept)?;
        }
        Ok(kept.into())
    }
}

impl From<Kept> for Keys {
    fn from(kept: Kept) -> Self {
        let made = |kept: Option<Sealed>| Secret::new(kept.map(|kept| kept.0).unwrap_or_default());
        let pair = |kept: KeptPair| Credentials::new(kept.access_key_id, kept.secret_access_key.0);
        Self {
            secret: made(kept.secret),
            password: made(kept.password),
            api_key: Secret::new(kept.api_key.0),
            uploader: pair(kept.uploader),
            server: pair(kept.server),
            reader: pair(kept.reader),
        }
    }
}

fn secret(ids: &Ids) -> anyhow::Result<Sealed> {
    Ok(Sealed(BASE64_URL_SAFE_NO_PAD.encode(ids.secret()?)))
}

fn make(ids: &Ids) -> anyhow::Result<Kept> {
    Ok(Kept {
        secret: None,
        password: None,
        api_key: Sealed(auth::api_key(&ids.secret()?).expose().to_owned()),
        uploader: kept_pair(ids, "UPLOADER")?,
        server: kept_pair(ids, "SERVER")?,
        reader: kept_pair(ids, "READER")?,
    })
}

/// A key pair whose id tells what it is for.
fn kept_pair(ids: &Ids, role: &str) -> anyhow::Result<KeptPair> {
    let (access_key_id, secret_access_key) = pair(ids, role)?;
    Ok(KeptPair {
        access_key_id,
        secret_access_key,
    })
}

/// A new access key id and its secret.
pub(in crate::cli) fn pair(ids: &Ids, role: &str) -> anyhow::Result<(String, Sealed)> {
    let mut access_key_id = format!("LOADLOCK{role}");
    for byte in ids.secret()?.iter().take(6) {
        write!(access_key_id, "{byte:02X}")?;
    }
    Ok((
        access_key_id,
        Sealed(BASE64_URL_SAFE_NO_PAD.encode(ids.secret()?)),
    ))
}
