//! Credentials: keys for a while, for clients that speak S3 themselves; what they send becomes uploads like any other.

mod find;
mod sweep;

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use tokio::time::Instant;

pub(crate) use self::{find::tend, sweep::sweep};
use crate::{
    app::App,
    auth::{Caller, Secret, Who},
    bucket::{Credentials, Vended, Wish},
    clock::after,
    error::{Error, Kind},
    flow::{self, audit, begin, complete, gate},
    records::{Act, Entry, NewSession, Opened},
    upload::{Metadata, Method, ObjectKey, Promote, Session, Upload, UploadId, session},
};

/// How long after a session begins it is first looked for files.
const FIRST_LOOK: Duration = Duration::from_mins(1);
/// How many files of a session are driven on at a time, while their sender waits.
const AT_ONCE: usize = 4;

/// What a client asks for.
#[derive(Debug)]
pub struct Vend {
    /// A profile's name.
    pub profile: String,
    /// Named by an application's server only.
    pub owner: Option<String>,
    /// Of every file that will be sent.
    pub metadata: Metadata,
    /// No longer than this.
    pub lifetime: Option<Duration>,
    /// The caller's own token, if it is of a configured issuer, which others may trust too.
    pub token: Option<Secret>,
}

/// Keys, and where they write.
#[derive(Debug)]
pub struct Keys {
    pub session: Session,
    pub credentials: Credentials,
}

/// Hands out keys that may write below one prefix of the staging bucket, and do nothing else.
pub async fn vend(app: &App, caller: &Caller, vend: Vend) -> Result<Keys, Error> {
    let asked = Entry {
        owner: vend.owner.clone(),
        profile: Some(vend.profile.clone()),
        ..Entry::new(Act::Credentials, Some(caller), app.clock.now())
    };
    let vended = hand_out(app, caller, vend).await;
    if let Err(error) = &vended {
        audit::refused(app, error, asked);
    }
    vended
}

async fn hand_out(app: &App, caller: &Caller, vend: Vend) -> Result<Keys, Error> {
    let profile = flow::profile(app, &vend.profile)?;
    let owner = begin::owner(caller, vend.owner.as_deref())?;
    gate::enter_now(app, caller, profile, &owner).await?;
    let vendor = app.vendor.as_ref();
    let Some(vendor) =
        vendor.filter(|_| app.config.methods(profile).contains(&Method::Credentials))
    else {
        let says = format!("profile `{}` does not offer credentials", profile.name);
        return Err(Kind::MethodNotOffered.because(says));
    };
    profile.check_metadata(&vend.metadata)?;
    if profile.promote == Promote::OnComplete {
        profile.check_required(&vend.metadata)?;
    }
    let now = app.clock.now();
    let id = app.ids.upload_id(now)?;
    let [secret, _] = *app.ids.secret()?.as_chunks().0 else {
        return Err(Kind::Internal.into());
    };
    let wanted = vend.lifetime.unwrap_or(profile.lifetimes.upload);
    let vended = vendor
        .vend(&Wish {
            name: &format!("loadlock-{id}"),
            prefix: &session::prefix(&owner, id, &secret),
            lifetime: wanted.min(profile.lifetimes.upload),
            token: vend.token.as_ref(),
        })
        .await?;
    let Vended {
        credentials,
        prefix,
        expires_at,
    } = vended;
    let session = Session {
        id,
        profile: vend.profile,
        owner,
        api_key: match &caller.who {
            Who::Server { name, .. } => Some(name.clone()),
            _ => None,
        },
        address: caller.address,
        prefix,
        metadata: vend.metadata,
        expires_at,
        attempt: 0,
    };
    let session = record(app, caller, &session, vendor.per_owner()).await?;
    tracing::info!(%id, profile = session.profile, "credentials");
    Ok(Keys {
        session,
        credentials,
    })
}

/// Records the session before anybody has its keys. An identity of a pool writes to the same prefix each time: there the session
/// that is open goes on.
async fn record(
    app: &App,
    caller: &Caller,
    session: &Session,
    most: u32,
) -> Result<Session, Error> {
    let now = app.clock.now();
    let due = after(now, FIRST_LOOK);
    let new = NewSession { session, due, most };
    match app.records.open_session(new, caller, now).await? {
        Opened::Yes(open) => Ok(open),
        Opened::Taken(open) => Err(Kind::Forbidden.because(format!(
            "this identity has credentials for another profile, or with other form data, until {}",
            open.closes_at()
        ))),
        Opened::Full(until) => {
            let says = format!(
                "you may have at most {most} temporary credentials at a time: the first end at {until}"
            );
            let details = json!({ "quota": "owner.credentials", "limit": most });
            Err(Kind::QuotaExceeded.because(says).with_details(details))
        }
    }
}

/// What was found of what a session has sent.
#[derive(Debug)]
pub struct Sent {
    pub uploads: Vec<Upload>,
    /// What quotas leave no room for, and why: found again later.
    pub waiting: Vec<(ObjectKey, Error)>,
}

/// Finds what a session has sent, all of it or these keys, and says how far each file has come.
pub async fn complete_session(
    app: &App,
    caller: &Caller,
    id: UploadId,
    keys: Option<Vec<String>>,
) -> Result<Sent, Error> {
    let session = visible(app, caller, id).await?;
    let keys = keys.map(|keys| named(app, &session, keys)).transpose()?;
    let deadline = Instant::now() + complete::PATIENCE;
    let Sent { uploads, waiting } = find::sent(app, &session, keys.as_deref(), deadline).await?;
    let settled = uploads
        .into_iter()
        .map(|upload| complete::settle(app, Some(caller), upload.id, deadline));
    let uploads = stream::iter(settled).buffered(AT_ONCE).try_collect();
    Ok(Sent {
        uploads: uploads.await?,
        waiting,
    })
}

/// Another's session is as unknown as none.
async fn visible(app: &App, caller: &Caller, id: UploadId) -> Result<Session, Error> {
    let may = |session: &Session| match &caller.who {
        Who::User { owner, .. } => session.owner == *owner,
        Who::Server { scope, .. } => scope.covers(&session.profile),
        Who::Upload { .. } | Who::Nobody => false,
    };
    let found = app.records.session(id).await?.filter(may);
    found.ok_or_else(|| Kind::NotFound.because(format!("there are no credentials `{id}`")))
}

/// The keys, if they are the session's own.
fn named(app: &App, session: &Session, keys: Vec<String>) -> Result<Vec<ObjectKey>, Error> {
    flow::profile(app, &session.profile)?.check_count(keys.len())?;
    let prefix = session.prefix.as_str();
    let outside = |key: &&String| key.len() > 1024 || !key.starts_with(prefix);
    if let Some(key) = keys.iter().find(outside) {
        let shown: String = key.chars().take(80).collect();
        let says = format!("`keys`: `{shown}` is not below the credentials' prefix");
        return Err(Kind::InvalidRequest.because(says));
    }
    Ok(keys.into_iter().map(ObjectKey::new).collect())
}
