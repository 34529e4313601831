//! The written form of challenges.

use serde::Deserialize;

use crate::config::read::object;

/// What a browser must do: a proof of work, with `secrets`, or a login, with `redirect`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Challenge {
    /// The ring that signs challenges and clearances. Each secret has at least 32 bytes.
    pub secrets: Option<String>,
    /// Number of leading zero bits that the proof of work must have, 8 to 24. Default: 16.
    pub difficulty: Option<u64>,
    /// How long a clearance is valid, 1s to 30d. Default: 30m.
    pub clearance: Option<String>,
    /// Name of the clearance cookie. Default: keygate_clearance.
    pub cookie: Option<String>,
    /// URL of a login page to redirect browsers to, instead of a proof of work. `{url}`
    /// becomes the path and query of the request, percent-encoded.
    pub redirect: Option<String>,
}

object!(Challenge);
