//! An embedded, durable, S3-compatible object store.

mod access;
mod attributes;
mod auth;
mod body;
mod checksum;
pub mod clock;
mod conditions;
mod config;
mod cors;
pub mod disk;
mod error;
mod form;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod http;
pub mod lifecycle;
mod operation;
mod ops;
mod policy;
mod reply;
mod request;
mod store;
mod sts;
mod tagging;
mod wildcard;
mod xml;

pub use loadlock_sigv4::Credentials;

pub use self::access::Identity;
pub use self::clock::Clock;
pub use self::cors::CorsRule;
pub use self::policy::{Policy, PolicyError};
pub use self::store::{Config, SELF, Store, StoreError};
pub use self::sts::Role;
