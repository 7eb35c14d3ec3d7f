//! `script/fuzz verifier`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| loadlock_sigv4::fuzzing::verifier(data));
