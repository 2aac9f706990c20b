//! What tests and benchmarks share: scratch folders, the commands under test, the reference programs, ratios.

pub mod api;
pub mod authority;
pub mod ber;
pub mod bookinfo;
pub mod cache;
pub mod calls;
pub mod cases;
pub mod cli;
pub mod command;
pub mod corpora;
pub mod crd;
pub mod differ;
pub mod dns;
pub mod endpoint;
pub mod forge;
mod forward;
pub mod fuzz;
pub mod judges;
pub mod manual;
pub mod mesh;
pub mod next_steps;
pub mod outside;
pub mod page;
pub mod random;
pub mod ratio;
pub mod rbac;
pub mod recipes;
pub mod remote;
pub mod rig;
pub mod rotation;
pub mod run;
pub mod schema;
pub mod scratch;
pub mod shared;
pub mod verifiers;
pub mod world;

pub use cli::Shell;
pub use scratch::Scratch;

/// The time the tests work at: 2026-11-21T07:00:00Z.
pub const NOW: meshpki::Time = meshpki::Time(1_795_244_400);
