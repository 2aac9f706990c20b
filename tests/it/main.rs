//! Every test that crosses a crate, in one binary.

mod cfssl;
mod expiry;
mod inspect;
