//! Every test that crosses a crate, in one binary.

mod cfssl;
mod codes;
mod expiry;
mod inspect;
