//! For whoever watches over the service: the audit log, and taking permissions back.
use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;

use super::{
    extract::{Asked, Asking, Body, Segments},
    message::{AuditPage, Revocation, Revocations, RevokeRequest},
    render,
};
use crate::{
    app::App,
    error::{Error, Kind},
    flow,
};

pub(super) const AUDIT: &[Kind] = &[Kind::InvalidRequest, Kind::Forbidden];
pub(super) const REVOKE: &[Kind] = &[
    Kind::InvalidRequest,
    Kind::Forbidden,
    Kind::NotFound,
    Kind::BodyTooLarge,
];

/// Which entries; all of what is said holds.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Entries {
    /// Whose uploads.
    owner: Option<String>,
    /// What was done: `begin`, `promote`, `revoke` …
    act: Option<String>,
    /// `ok`, an error's or a rejection's code, or `not_ok` for all of these.
    outcome: Option<String>,
    /// An upload's id.
    upload: Option<String>,
    profile: Option<String>,
    /// Who did it, as the entries name them: `key shop`.
    actor: Option<String>,
    /// From this time on: RFC 3339, or a day.
    since: Option<String>,
    /// Before this time.
    until: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// At most so many; 50 if not said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Read the audit log, the newest first.
///
/// For an API key that is good for all profiles.
#[utoipa::path(
    get, path = "/v1/audit", tag = "administration", operation_id = "audit", params(Entries),
    responses((status = 200, description = "One page.", body = AuditPage))
)]
pub(super) async fn list_entries(
    State(app): State<App>,
    Asking(caller): Asking,
    Asked(asked): Asked<Entries>,
) -> Result<Json<AuditPage>, Error> {
    let query = flow::AuditQuery {
        owner: asked.owner,
        act: asked.act,
        outcome: asked.outcome,
        upload: asked.upload,
        profile: asked.profile,
        actor: asked.actor,
        since: asked.since,
        until: asked.until,
        cursor: asked.cursor,
        limit: asked.limit,
    };
    let page = flow::audit(&app, &caller, &query).await?;
    Ok(Json(AuditPage {
        entries: page.entries.into_iter().map(Into::into).collect(),
        next_cursor: page.next_cursor,
    }))
}

/// Take back the permissions of an owner, an API key, an upload or a profile.
///
/// For an API key that is good for all profiles. Nothing new is granted from then on, and what was granted before is not
/// promoted. Done twice it stays as it was done first.
#[utoipa::path(
    post, path = "/v1/revocations", tag = "administration", operation_id = "revoke",
    request_body = RevokeRequest,
    responses((status = 200, description = "It is revoked.", body = Revocation))
)]
pub(super) async fn revoke_subject(
    State(app): State<App>,
    Asking(caller): Asking,
    Body(request): Body<RevokeRequest>,
) -> Result<Json<Revocation>, Error> {
    let wanted = flow::Revoke {
        kind: request.kind,
        subject: request.subject,
        reason: request.reason,
    };
    let revoked = flow::revoke(&app, &caller, &wanted).await?;
    Ok(Json(Revocation {
        open_uploads: Some(revoked.open_uploads),
        ..render::revocation(revoked.revocation)
    }))
}

/// Where the page before ended.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List what is revoked, by kind and name, a hundred at a time.
#[utoipa::path(
    get, path = "/v1/revocations", tag = "administration", operation_id = "revocations", params(After),
    responses((status = 200, description = "One page.", body = Revocations))
)]
pub(super) async fn list_revocations(
    State(app): State<App>,
    Asking(caller): Asking,
    Asked(After { cursor }): Asked<After>,
) -> Result<Json<Revocations>, Error> {
    let page = flow::revocations(&app, &caller, cursor.as_deref()).await?;
    let revocations = page.revocations.into_iter().map(render::revocation);
    Ok(Json(Revocations {
        revocations: revocations.collect(),
        next_cursor: page.next_cursor,
    }))
}

/// Give permissions again. What was rejected meanwhile stays so.
#[utoipa::path(
    delete, path = "/v1/revocations/{kind}/{subject}", tag = "administration", operation_id = "restore",
    params(
        ("kind" = String, Path, description = "`owner`, `api_key`, `upload` or `profile`."),
        ("subject" = String, Path, description = "The owner's name, the upload's id …"),
    ),
    responses((status = 204, description = "It is not revoked."))
)]
pub(super) async fn restore_subject(
    State(app): State<App>,
    Asking(caller): Asking,
    Segments(kind, subject): Segments,
) -> Result<StatusCode, Error> {
    flow::restore(&app, &caller, &kind, &subject).await?;
    Ok(StatusCode::NO_CONTENT)
}
