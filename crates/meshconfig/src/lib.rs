//! From one small mesh spec, every Istio resource for calls across clusters. Values in, values out.

#![no_std]
