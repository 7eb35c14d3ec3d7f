//! `script/fuzz config`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| loadlock::fuzzing::config(data));
