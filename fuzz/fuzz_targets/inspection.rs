//! `script/fuzz inspection`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| loadlock::fuzzing::inspection(data));
