//! What the tests and benchmarks share: scratch folders, the binaries under test, the judges, ratios.

pub mod command;
pub mod ratio;
pub mod schema;
