//! Links: a file's address to be kept, with what opens it where its profile is read by signed links.

use std::time::Duration;

use jiff::Timestamp;

use super::files::found;
use crate::{
    app::App,
    auth::{self, Caller, Secret, Who},
    clock::{after, from_millis, rounded},
    error::Error,
    flow::revoke,
    records::Subject,
    upload::{Profile, Read, UploadId},
};

/// The stable address of a file. It opens what it names, to its holder, where the profile is read by signed links.
#[derive(Debug, Clone)]
pub struct FileLink {
    pub id: UploadId,
    pub url: Secret,
    /// When it stops doing so.
    pub expires_at: Option<Timestamp>,
}

/// Links for those files that exist and may be seen.
#[derive(Debug, Clone)]
pub struct FileLinks {
    pub links: Vec<FileLink>,
    pub missing: Vec<UploadId>,
}

/// The stable address of an upload's file, with its profile's kind of link: the same for a while. It opens until `end` at the
/// latest.
pub fn content_url(app: &App, id: UploadId, profile: &str, end: Option<Timestamp>) -> Secret {
    let ends = usual_end(app, profile).into_iter().chain(end);
    link(app, id, profile, ends.min()).url
}

/// Stable addresses that open for `lifetime`, or for as long as their profile says. A user's own links live no longer than
/// that in any case.
pub async fn links(
    app: &App,
    caller: &Caller,
    ids: &[UploadId],
    lifetime: Option<Duration>,
) -> Result<FileLinks, Error> {
    let asked = lifetime.map(|lifetime| {
        let end = after(app.clock.now(), lifetime);
        from_millis(end.as_second().saturating_mul(1000))
    });
    if let Who::User { owner, .. } = &caller.who {
        revoke::check(app, &[Subject::Owner(owner.clone())]).await?;
    }
    let mut links = Vec::with_capacity(ids.len());
    let mut missing = Vec::new();
    for id in ids {
        let Some(file) = found(app, caller, *id).await? else {
            missing.push(*id);
            continue;
        };
        if revoke::is_file_revoked(app, &file).await? {
            missing.push(*id);
            continue;
        }
        let usual = usual_end(app, &file.profile);
        let until = match (asked, usual, &caller.who) {
            (Some(asked), Some(usual), Who::User { .. }) => Some(asked.min(usual)),
            (asked, usual, _) => asked.or(usual),
        };
        links.push(link(app, *id, &file.profile, until));
    }
    Ok(FileLinks { links, missing })
}

/// When a link of the profile's kind ends, if one does.
fn usual_end(app: &App, profile: &str) -> Option<Timestamp> {
    let lifetime = app.config.profile(profile)?.link_lifetime?;
    Some(after(rounded(app.clock.now(), lifetime), lifetime))
}

fn link(app: &App, id: UploadId, profile: &str, until: Option<Timestamp>) -> FileLink {
    let address = format!("{}/f/{id}", app.config.api_url);
    let signed = |profile: &Profile| profile.read == Read::Signed;
    if !app.config.profile(profile).is_some_and(signed) {
        return FileLink {
            id,
            url: Secret::new(address),
            expires_at: None,
        };
    }
    let text = auth::link(id, until, &app.config.secrets);
    FileLink {
        id,
        url: Secret::new(format!("{address}?s={}", text.expose())),
        expires_at: until,
    }
}
