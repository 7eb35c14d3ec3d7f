//! Asks those whom the profile names about content that is sound as far as can be seen.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    app::App,
    error::Error,
    scan::{Fault, Opinion},
    upload::{Checks, Inspected, Profile, Upload},
};

/// A hook may go on reading for a while after it was to have answered.
const MARGIN: Duration = Duration::from_mins(1);

/// When its turn came to be asked about, or when waiting for that ended, and since when it had waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) since: Timestamp,
    pub(super) came: Timestamp,
}

/// What those say who are asked, when it is an upload's turn; `None` if the content is gone.
pub(super) async fn ask(
    app: &App,
    leased: &Upload,
    profile: &Profile,
    inspected: &Inspected,
) -> Result<Option<(Opinion, Turn)>, Error> {
    let since = app.clock.now();
    let turn = || Turn {
        since,
        came: app.clock.now(),
    };
    if !profile.checks.is_scanned() {
        return Ok(Some((Opinion::Clean, turn())));
    }
    let Some(_place) = app.scanners.place().await else {
        return Ok(Some((Opinion::Unknown(Fault::Busy), turn())));
    };
    let turn = turn();
    let opinion = opinion(app, leased, &profile.checks, inspected).await?;
    Ok(opinion.map(|opinion| (opinion, turn)))
}

/// The first opinion that is not a good one, or a good one; `None` if the content is gone.
async fn opinion(
    app: &App,
    leased: &Upload,
    checks: &Checks,
    inspected: &Inspected,
) -> Result<Option<Opinion>, Error> {
    if checks.clamav {
        let content = app.bucket.content(&inspected.source, &inspected.etag);
        let Some(content) = content.await? else {
            return Ok(None);
        };
        let scanned = app.scanners.clamd(content, inspected.size_bytes);
        let opinion = scanned.await?;
        if opinion != Opinion::Clean {
            return Ok(Some(opinion));
        }
    }
    for name in &checks.hooks {
        let now = app.clock.now();
        let lifetime = app.scanners.hook_timeout(name) + MARGIN;
        let url = app.bucket.content_url(&inspected.source, now, lifetime);
        let question = question(leased, inspected, url.await?.expose());
        let id = format!("{}-{name}", leased.id);
        let opinion = app.scanners.hook(name, &id, now, &question).await;
        if opinion != Opinion::Clean {
            return Ok(Some(opinion));
        }
    }
    Ok(Some(Opinion::Clean))
}

fn question(upload: &Upload, inspected: &Inspected, url: &str) -> Value {
    json!({
        "type": "inspect",
        "upload": {
            "id": upload.id.to_string(),
            "profile": upload.profile,
            "owner": upload.owner.as_str(),
            "filename": upload.filename,
            "content_type": inspected.content_type.as_str(),
            "size": inspected.size_bytes,
            "metadata": upload.metadata,
        },
        "url": url,
        "etag": inspected.etag,
    })
}
