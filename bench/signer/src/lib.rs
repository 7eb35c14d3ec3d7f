//! The signer's benchmarks live in `benches/`.
