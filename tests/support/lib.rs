//! What the tests share: scratch folders, the binaries under test and the judges.

pub mod command;
pub mod schema;
