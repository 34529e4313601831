//! How often keys were used, as an edge reports it.

use serde::{Deserialize, Serialize};

/// Path of the report.
pub const USES_PATH: &str = "/v1/uses";

/// Most keys in one report: with the largest numbers they fit into the 64 KiB of a body.
pub const MAX_USES: usize = 800;

/// `POST /v1/uses`: how often keys were used since the last report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UsesRequest {
    /// 1 to 800 keys.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_USES)))]
    pub uses: Vec<KeyUse>,
}

/// How often one key was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyUse {
    /// Its public id.
    pub id: String,
    /// When a request with it was last allowed, or last rejected if none was allowed: minutes since
    /// 1970-01-01T00:00:00Z, by the clock of the edge.
    pub minute: u32,
    /// How many requests with it were allowed.
    pub allowed: u32,
    /// How many were rejected though the key is known.
    pub rejected: u32,
}

impl UsesRequest {
    /// The request as JSON.
    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_report_fits_into_a_body_of_the_service() {
        let largest = KeyUse {
            id: "AbCdEfGhIj".to_owned(),
            // The year 2160.
            minute: 99_999_999,
            allowed: u32::MAX,
            rejected: u32::MAX,
        };
        let uses = vec![largest; MAX_USES];
        assert!(UsesRequest { uses }.write().len() <= 64 * 1024);
    }
}
