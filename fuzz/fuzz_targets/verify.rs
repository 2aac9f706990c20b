#![no_main]
#![doc = "What `verify` asserts stands in `tests/support/fuzz.rs`."]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tests::fuzz::verify(data));
