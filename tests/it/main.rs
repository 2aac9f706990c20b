//! Every test that crosses a crate, in one binary.

mod cfssl;
mod codes;
mod differential;
mod expiry;
mod fixtures;
mod fuzz;
mod inspect;
mod replay;
mod verify_extras;
