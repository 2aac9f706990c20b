//! `meshctl trust ...`: which clusters accept each other's workloads, and what has to be done so that they do.

mod bundle;
mod known;
mod matrix;
mod next;
mod plan;
mod render;

pub(super) use bundle::run as bundle;
pub(super) use matrix::run as matrix;
pub(super) use next::run as next;
pub(super) use plan::run as plan;
pub(super) use render::run as render;
