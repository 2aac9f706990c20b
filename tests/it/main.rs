//! Every test that crosses a crate, in one binary.

mod chain;
mod csr_sign;
mod init;
mod interop;
mod kill;
mod refusals;
mod renew;
mod terminal;

/// The real `meshctl`, for what needs a process of its own.
const MESHCTL: &str = env!("CARGO_BIN_EXE_meshctl-under-test");
