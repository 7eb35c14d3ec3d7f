//! `script/fuzz chunks`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| loadlock_store::fuzzing::chunks(data));
