//! The API as the router answers it, and the document that describes it.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

#[path = "http_api/document.rs"]
mod document;
#[path = "http_api/edges.rs"]
mod edges;
#[path = "http_api/service.rs"]
mod service;
