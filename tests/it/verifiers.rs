//! Models of verifiers next to the verifiers themselves.

mod envoy;
mod envoy_calls;
mod webpki;
