//! `"type": "jwt"`: sessions from their written form.

use serde::Deserialize;

use super::Compiler;
use super::read::{Elsewhere, choice, object};
use super::written::Carrier as WrittenCarrier;
use crate::http::credential::Carrier;
use crate::identity::session::Sessions;

/// A session that another filter, such as `jwt_authn`, has verified.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct JwtProvider {
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "jwt")))]
    _kind: Elsewhere,
    /// Metadata key of the payload: `payload_in_metadata` of `jwt_authn`. Default: payload.
    #[serde(default = "default_metadata_key")]
    metadata_key: String,
    /// Name of the filter that verifies sessions. Default: envoy.filters.http.jwt_authn.
    #[serde(default = "default_filter")]
    filter: String,
    /// Claim with the account. Default: sub.
    #[serde(default = "default_account_claim")]
    account_claim: String,
    /// Claim with the scopes. Default: none.
    scopes_claim: Option<String>,
    /// Carriers from which the token is removed before the upstream receives the request.
    /// Default: none.
    #[serde(default)]
    strip: Vec<TokenPlace>,
}

object!(JwtProvider);

fn default_metadata_key() -> String {
    "payload".to_owned()
}

fn default_filter() -> String {
    "envoy.filters.http.jwt_authn".to_owned()
}

fn default_account_claim() -> String {
    "sub".to_owned()
}

/// A carrier of the token of a session.
#[derive(Debug, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(remote = "Self")]
enum TokenPlace {
    /// The header `authorization`.
    #[serde(rename = "authorization")]
    Authorization,
    /// A header of this name.
    #[serde(rename = "header")]
    Header(String),
    /// A cookie of this name.
    #[serde(rename = "cookie")]
    Cookie(String),
}

choice!(TokenPlace);

impl TokenPlace {
    fn carrier(&self) -> WrittenCarrier {
        match self {
            Self::Authorization => WrittenCarrier::Bearer,
            Self::Header(name) => WrittenCarrier::Header(name.clone()),
            Self::Cookie(name) => WrittenCarrier::Cookie(name.clone()),
        }
    }
}

impl Compiler<'_> {
    pub(super) fn sessions(&mut self, path: &str, written: &JwtProvider) -> Option<Sessions> {
        for (field, text) in [
            ("metadata_key", Some(&written.metadata_key)),
            ("filter", Some(&written.filter)),
            ("account_claim", Some(&written.account_claim)),
            ("scopes_claim", written.scopes_claim.as_ref()),
        ] {
            let Some(text) = text else { continue };
            // A zero byte would end a part of the path in the host's hands.
            let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
            if !(1..=256).contains(&text.len()) || !is_visible {
                self.wrong_in(path, field, "must be 1 to 256 visible ASCII characters");
            }
        }
        if written.scopes_claim.as_ref() == Some(&written.account_claim) {
            self.wrong_in(path, "scopes_claim", "must not be the claim of the account");
        }
        let mut carriers: Vec<Carrier> = Vec::new();
        for (index, place) in written.strip.iter().enumerate() {
            let path = format!("{path}.strip[{index}]");
            if matches!(place, TokenPlace::Header(name) if name.eq_ignore_ascii_case("authorization"))
            {
                self.wrong_in(&path, "header", "use \"authorization\"");
                continue;
            }
            let carrier = self.carrier(&path, &place.carrier());
            if carriers.contains(&carrier) {
                self.wrong(&path, "is given more than once");
            }
            carriers.push(carrier);
        }
        Some(Sessions {
            filter: written.filter.clone(),
            metadata_key: written.metadata_key.clone(),
            account_claim: written.account_claim.clone(),
            scopes_claim: written.scopes_claim.clone(),
            carriers,
        })
    }
}
