#![no_main]
#![doc = "What `mesh` asserts stands in `tests/support/fuzz_mesh.rs`."]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tests::fuzz_mesh::mesh(data));
