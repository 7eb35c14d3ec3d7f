//! An embedded, durable, S3-compatible object store.

pub mod clock;
pub mod disk;
pub mod lifecycle;
