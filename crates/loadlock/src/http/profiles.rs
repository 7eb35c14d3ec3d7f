//! Profiles: what a client may know before a file is chosen.
use axum::{Json, extract::State};

use super::{
    extract::Segment,
    message::{Profile, Profiles},
    render,
};
use crate::{
    app::App,
    error::{Error, Kind},
    flow,
};

pub(super) const ONE: &[Kind] = &[Kind::NotFound];

/// All profiles.
#[utoipa::path(
    get, path = "/v1/profiles", tag = "profiles", operation_id = "profiles",
    responses((status = 200, description = "What each takes.", body = Profiles))
)]
pub(super) async fn list_profiles(State(app): State<App>) -> Json<Profiles> {
    Json(Profiles {
        profiles: flow::profiles(&app)
            .iter()
            .map(|profile| render::profile(&app.config, profile))
            .collect(),
    })
}

/// One profile: types, sizes, counts, methods, metadata rules.
#[utoipa::path(
    get, path = "/v1/profiles/{name}", tag = "profiles", operation_id = "profile",
    params(("name" = String, Path, description = "The profile's name.")),
    responses((status = 200, description = "What it takes.", body = Profile))
)]
pub(super) async fn show_profile(
    State(app): State<App>,
    Segment(name): Segment,
) -> Result<Json<Profile>, Error> {
    let profile = flow::profile(&app, &name)?;
    Ok(Json(render::profile(&app.config, profile)))
}
