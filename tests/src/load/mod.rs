//! A load whose every answer is judged: what may this request get at this moment?
//!
//! `oracle` judges and knows no network, `credentials` says what a request shows, `scene` asks
//! and has every answer judged, `stage` is an Envoy with a key service and the traffic between
//! them, `tally` counts.

mod clients;
mod credentials;
pub mod oracle;
mod scene;
mod stage;
mod tally;

pub use clients::Flood;
pub use credentials::{Credential, Forge};
pub use scene::Scene;
pub use stage::{Network, Plan, Stage};
pub use tally::{Tally, seconds};
