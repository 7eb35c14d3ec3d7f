//! One log line per request: method, route and status; never a query, a header or a body.
use axum::{body::Body, extract::MatchedPath, http::Request};
use tower_http::{
    classify::{ServerErrorsAsFailures, SharedClassifier},
    trace::{DefaultOnFailure, DefaultOnResponse, MakeSpan, TraceLayer},
};
use tracing::{Level, Span};

/// Makes a request's span from what may be told of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Discreet;

impl MakeSpan<Body> for Discreet {
    fn make_span(&mut self, request: &Request<Body>) -> Span {
        let route = request
            .extensions()
            .get::<MatchedPath>()
            .map_or("(none)", MatchedPath::as_str);
        tracing::info_span!("request", method = %request.method(), route)
    }
}

pub(super) fn layer() -> TraceLayer<SharedClassifier<ServerErrorsAsFailures>, Discreet> {
    TraceLayer::new_for_http()
        .make_span_with(Discreet)
        .on_response(DefaultOnResponse::new().level(Level::INFO))
        .on_failure(DefaultOnFailure::new().level(Level::WARN))
}
