//! AWS Signature Version 4 for S3: presigned URLs, POST policies, header and chunk signatures, and their verification.
//!
#![doc = include_str!("../README.md")]

mod bucket;
mod canonical;
mod chunk;
mod claim;
mod credentials;
mod encode;
mod error;
mod form;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod header;
mod order;
mod payload;
mod presign;
mod refusal;
mod scope;
mod sha256;
mod signer;
mod stamp;
mod verify;

pub use bucket::{Bucket, Style};
pub use chunk::ChunkSigner;
pub use credentials::{Credentials, Secret};
pub use error::SignError;
pub use form::{Condition, FormBuffer, PostForm, PostPolicy};
pub use header::{Authorized, Request};
pub use payload::Payload;
pub use presign::Presign;
pub use refusal::{Place, Refusal};
pub use scope::Signature;
pub use signer::Signer;
pub use verify::form::PresentedForm;
pub use verify::policy::Policy;
pub use verify::{Presented, RequestParts, Rules, Verified};
