//! Errors on their way out: one envelope, from the one table of `error`.
use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};

use super::message::{ErrorAnswer, Problem};
use crate::error::{Error, Kind};

impl From<&Error> for ErrorAnswer {
    fn from(error: &Error) -> Self {
        let kind = error.kind();
        Self {
            error: Problem {
                code: kind.code().to_owned(),
                message: error.message().to_owned(),
                retryable: kind.retryable(),
                details: error.details().cloned(),
            },
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        log(&self);
        let status =
            StatusCode::from_u16(self.kind().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = (status, Json(ErrorAnswer::from(&self))).into_response();
        if self.kind() == Kind::Unauthenticated {
            answer
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after() {
            // Rounded up, or the next attempt would come too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            answer
                .headers_mut()
                .insert(RETRY_AFTER, seconds.max(1).into());
        }
        answer
    }
}

/// The cause, which the caller does not learn, is written down here and nowhere else.
fn log(error: &Error) {
    let cause = error.sources();
    if !cause.is_empty() {
        tracing::error!(code = error.kind().code(), cause, "{}", error.message());
    }
}
