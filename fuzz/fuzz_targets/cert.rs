#![no_main]
#![doc = "What `cert` asserts stands in `tests/support/fuzz.rs`."]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tests::fuzz::cert(data));
