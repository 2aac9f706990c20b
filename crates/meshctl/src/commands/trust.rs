//! `meshctl trust ...`: which clusters accept each other's workloads, and what has to be done so that they do.

mod accept;
mod bundle;
mod known;
mod matrix;
mod next;
mod plan;
mod pull;
mod render;
mod serve;

pub(super) use bundle::run as bundle;
pub(super) use matrix::run as matrix;
pub(super) use next::run as next;
pub(super) use plan::run as plan;
pub(super) use pull::run as pull;
pub(super) use render::run as render;
pub(super) use serve::run as serve;
