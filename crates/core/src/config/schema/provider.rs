//! The written form of any provider, for the schema.

use schemars::JsonSchema;

use super::one_of::one_of;
use crate::config::session::JwtProvider;
use crate::config::signed_url;
use crate::config::written::AppKeyProvider;

/// A kind of credential, chosen by its `type` and, for links, its `format`.
// The reader chooses by these in a second step; here each of its types stands for itself.
#[derive(JsonSchema)]
#[schemars(untagged, transform = one_of)]
#[expect(dead_code, reason = "only its schema is used")]
pub(in crate::config) enum Provider {
    SignedUrl(signed_url::Written),
    AppKey(AppKeyProvider),
    Jwt(JwtProvider),
}
