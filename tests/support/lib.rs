//! What the tests and benchmarks share: scratch folders, the binaries under test, the judges, ratios.

pub mod cases;
pub mod command;
pub mod differ;
pub mod forge;
pub mod fuzz;
pub mod judge;
pub mod random;
pub mod ratio;
pub mod recipes;
pub mod run;
pub mod schema;
pub mod shared;
pub mod world;
