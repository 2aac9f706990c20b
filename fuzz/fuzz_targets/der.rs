#![no_main]
#![doc = "What `der` asserts stands in `tests/support/fuzz.rs`."]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tests::fuzz::der(data));
