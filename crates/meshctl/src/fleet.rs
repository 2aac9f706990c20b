//! The clusters a command talks to: how contexts reach them, what they run, what is wrong there. Nothing is written.

pub(crate) mod clusters;
pub(crate) mod facts;
pub(crate) mod folders;
pub(crate) mod judge;
pub(crate) mod known_pairs;
pub(crate) mod mesh;
pub(crate) mod metrics;
pub(crate) mod observe;
pub(crate) mod pairs;
pub(crate) mod pending;
pub(crate) mod place;
pub(crate) mod problems;
pub(crate) mod rbac;
pub(crate) mod remote;
pub(crate) mod standing;
pub(crate) mod survey;
