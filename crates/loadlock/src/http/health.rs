//! For whoever watches over the service.
use axum::http::StatusCode;

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
    responses((status = 200, description = "It can."))
)]
pub(super) async fn ready() -> StatusCode {
    StatusCode::OK
}
