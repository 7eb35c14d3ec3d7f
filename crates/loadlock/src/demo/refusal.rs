//! What the demo answers when it cannot do what it was asked: the service's envelope, its own or passed on.
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::http::message::{ErrorAnswer, Problem};

/// An answer that is a refusal.
#[derive(Debug, thiserror::Error)]
#[error("{}", answer.error.message)]
pub struct Refusal {
    status: StatusCode,
    answer: ErrorAnswer,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let error = Problem {
            code: code.to_owned(),
            message: message.into(),
            retryable: false,
            details: None,
        };
        Self {
            status,
            answer: ErrorAnswer { error },
            source: None,
        }
    }

    /// The service's own refusal, as it is.
    pub(super) fn passed_on(status: StatusCode, answer: ErrorAnswer) -> Self {
        Self {
            status,
            answer,
            source: None,
        }
    }

    fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self.answer.error.retryable = true;
        self
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the demo's database does not answer",
        )
        .caused_by(error)
    }
}

impl From<reqwest::Error> for Refusal {
    fn from(error: reqwest::Error) -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            "unavailable",
            "the service does not answer",
        )
        .caused_by(error.without_url())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if let Some(source) = &self.source {
            tracing::error!(%source, "demo: {}", self.answer.error.message);
        }
        (self.status, Json(self.answer)).into_response()
    }
}
