//! For whoever watches over the service.
use axum::{extract::State, http::StatusCode};

use crate::{
    app::App,
    error::{Error, Kind},
};

/// Is the process alive?
#[utoipa::path(
    get, path = "/healthz", tag = "operations", operation_id = "healthz",
    responses((status = 200, description = "It is."))
)]
pub(super) async fn live() -> StatusCode {
    StatusCode::OK
}

/// Can it serve?
#[utoipa::path(
    get, path = "/readyz", tag = "operations", operation_id = "readyz",
    responses((status = 200, description = "The records answer."))
)]
pub(super) async fn ready(State(app): State<App>) -> Result<StatusCode, Error> {
    let answered = app.records.answer().await;
    answered
        .map(|()| StatusCode::OK)
        .map_err(|error| Kind::Unavailable.caused_by(error))
}
