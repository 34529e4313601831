//! The manifests for Kubernetes, Istio and Envoy Gateway: valid for the types of their API, and as
//! policies. `tests/e2e/istio.rs` and `tests/e2e/gateway.rs` load them in a real Envoy.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod chart;
mod custom;
mod definitions;
mod policies;
mod rendered;
mod tools;
mod values;
