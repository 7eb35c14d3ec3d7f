//! The signer beside others: `benches/compare.rs` measures, the tests compare what is signed and count allocations.
