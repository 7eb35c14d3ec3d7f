//! Usage: what somebody has stored and under way, and what quotas leave them.
use axum::{Json, extract::State};
use serde::Deserialize;

use super::{
    extract::{Asked, Asking},
    message,
};
use crate::{
    app::App,
    error::{Error, Kind},
    flow::{self, UsageReport},
};

pub(super) const USAGE: &[Kind] = &[Kind::InvalidRequest, Kind::Forbidden];

/// Whose.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UsageQuery {
    /// A user's own where it is not said; an API key may name anybody.
    owner: Option<String>,
}

/// What an owner uses of their quotas.
///
/// An API key also learns what all owners of each profile use together.
#[utoipa::path(
    get, path = "/v1/usage", tag = "uploads", operation_id = "usage",
    params(UsageQuery),
    responses((status = 200, description = "What is used, beside its limits.", body = message::Usage))
)]
pub(super) async fn show_usage(
    State(app): State<App>,
    Asking(caller): Asking,
    Asked(query): Asked<UsageQuery>,
) -> Result<Json<message::Usage>, Error> {
    let report = flow::usage(&app, &caller, query.owner.as_deref()).await?;
    Ok(Json(shown(report)))
}

fn shown(report: UsageReport) -> message::Usage {
    let profile = |profile: flow::ProfileUsage| message::ProfileUsage {
        profile: profile.profile,
        owner: profile.owner.map(measured),
        all: profile.all.map(measured),
    };
    message::Usage {
        owner: report.owner.map(|owner| owner.as_str().to_owned()),
        total: report.total.map(measured),
        profiles: report.profiles.into_iter().map(profile).collect(),
    }
}

fn measured(measured: flow::Measured) -> message::Measured {
    // A counter is never below nothing.
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    let (usage, quota) = (measured.standing.usage, measured.quota);
    message::Measured {
        used: message::Used {
            stored_bytes: count(usage.stored_bytes),
            stored_files: count(usage.stored_files),
            open_bytes: count(usage.open_bytes),
            open_files: count(usage.open_files),
            uploads_today: count(measured.begun_today),
        },
        limits: message::QuotaLimits {
            stored_bytes: quota.stored_bytes,
            stored_files: quota.stored_files,
            open_bytes: quota.open_bytes,
            open_files: quota.open_files,
            uploads_per_day: quota.uploads_per_day,
        },
    }
}
