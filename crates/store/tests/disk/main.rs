//! The durable backend by itself: what it keeps, what it refuses, and what it leaves behind.

#[cfg(test)]
mod buckets;
#[cfg(test)]
mod common;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod model;
#[cfg(test)]
mod multipart;
#[cfg(test)]
mod objects;
