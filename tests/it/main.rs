//! Every test that crosses a crate, in one binary.

mod differential;
mod fixtures;
mod fuzz;
mod replay;
mod verify_extras;
