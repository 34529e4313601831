//! Challenges as they are written.

use serde::Deserialize;

use crate::config::read::object;

/// `"challenge"` of a rule: a proof of work under `secrets`, or a `redirect`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Challenge {
    /// The ring that signs challenges and clearances, 32 bytes at least each.
    pub secrets: Option<String>,
    /// How many leading zero bits the work must reach, 8 to 24. Default: 16.
    pub difficulty: Option<u64>,
    /// How long who passed it may come back. Default: 30m.
    pub clearance: Option<String>,
    /// The cookie of the clearance. Default: keygate_clearance.
    pub cookie: Option<String>,
    /// A login to send browsers to instead; `{url}` is where they wanted to go.
    pub redirect: Option<String>,
}

object!(Challenge);
