//! Pushes CA certificates into Istio clusters: observe, decide, act, observe again.
