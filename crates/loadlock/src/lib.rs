//! Loadlock: uploads from browsers and phones straight into S3; granted, inspected, promoted.

pub mod app;
pub mod auth;
pub mod bucket;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod error;
pub mod flow;
pub mod http;
pub mod jobs;
pub mod records;
pub mod telemetry;
pub mod upload;

pub use http::router;
