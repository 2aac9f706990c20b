#![no_main]
#![doc = "What `kubeconfig` asserts stands in `tests/support/fuzz_kubeconfig.rs`."]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tests::fuzz_kubeconfig::kubeconfig(data));
