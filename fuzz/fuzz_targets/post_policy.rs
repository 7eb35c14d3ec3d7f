//! `script/fuzz post_policy`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| loadlock_sigv4::fuzzing::post_policy(data));
