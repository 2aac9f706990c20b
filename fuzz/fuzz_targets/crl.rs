#![no_main]
#![doc = "What `crl` asserts stands in `tests/support/fuzz.rs`."]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tests::fuzz::crl(data));
