//! Loadlock: uploads from browsers and phones straight into S3; granted, inspected, promoted.
//!
//! An axum application can have it inside instead of beside it: [`router`] below a path, [`jobs::run`] in the background, and the
//! flows called as functions. `examples/axum` is one.
//!
//! ```no_run
//! use axum::{Router, extract::Request, middleware::{self, Next}, response::Response};
//! use loadlock::{app::App, auth::Caller, clock::{Clock, Ids}, config::file, jobs};
//!
//! /// The application's own sign-in, in place of a token. `signed_in` stands for its session.
//! async fn tell_who(mut request: Request, next: Next) -> Response {
//!     if let Some(owner) = signed_in(&request) {
//!         request.extensions_mut().insert(Caller::user(owner));
//!     }
//!     next.run(request).await
//! }
//! # fn signed_in(_: &Request) -> Option<loadlock::upload::Owner> { None }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! // With `public_url = "https://app.example.com/uploads"`.
//! let settings = file::load(None, &std::env::vars().collect())?;
//! let app = App::open(settings.config, Clock::system(), Ids::random()).await?;
//! tokio::spawn(jobs::run(app.clone(), std::future::pending()));
//! let application: Router = Router::new()
//!     .nest("/uploads", loadlock::router(app))
//!     .layer(middleware::from_fn(tell_who));
//! # Ok(())
//! # }
//! ```

pub mod app;
pub mod auth;
pub mod bucket;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod error;
pub mod flow;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod hook;
pub mod http;
pub mod jobs;
pub mod limits;
pub mod records;
pub mod scan;
pub mod telemetry;
pub mod upload;

pub use http::router;
