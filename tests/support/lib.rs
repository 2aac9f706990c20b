//! What the tests share: scratch folders, the binaries under test and the judges.

pub mod cases;
pub mod differ;
pub mod forge;
pub mod judge;
pub mod random;
pub mod run;
pub mod shared;
pub mod world;
