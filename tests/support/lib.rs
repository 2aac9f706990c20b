//! What the tests share: scratch folders, the commands under test and the judges.

pub mod authority;
pub mod cli;
pub mod judges;
pub mod scratch;

pub use cli::Shell;
pub use scratch::Scratch;

/// The time the tests work at: 2026-11-21T07:00:00Z.
pub const NOW: meshpki::Time = meshpki::Time(1_795_244_400);
