//! Models of verifiers next to the verifiers themselves.

mod envoy_calls;
mod models;
mod webpki;
