//! Asks those whom the profile names about content that is sound as far as can be seen.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    app::App,
    error::Error,
    scan::{Fault, Opinion},
    upload::{Inspected, Profile, Upload},
};

/// A hook may go on reading for a while after it was to have answered.
const MARGIN: Duration = Duration::from_mins(1);

/// The first opinion that is not a good one, or a good one; `None` if the content is gone.
pub(super) async fn ask(
    app: &App,
    leased: &Upload,
    profile: &Profile,
    inspected: &Inspected,
) -> Result<Option<Opinion>, Error> {
    let checks = &profile.checks;
    if !checks.is_scanned() {
        return Ok(Some(Opinion::Clean));
    }
    let Some(_place) = app.scanners.place().await else {
        let busy = Fault::Passing("all scanners are busy".to_owned());
        return Ok(Some(Opinion::Unknown(busy)));
    };
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
