//! Every test that crosses a crate, in one binary.

mod cfssl;
mod check;
mod codes;
mod differential;
mod expiry;
mod fixtures;
mod inspect;
mod replay;
