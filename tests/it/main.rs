//! Every test that crosses a crate, in one binary.

mod expiry;
mod inspect;
