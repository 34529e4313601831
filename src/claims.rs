//! What Envoy's `jwt_authn`, or another filter in front of this one, has verified: its
//! dynamic metadata.

use keygate_core::identity::session::Claims;

use crate::host;

/// The metadata of the request whose context is the current one. What cannot be read is
/// absent, and absent is unauthenticated.
pub struct VerifiedClaims;

impl Claims for VerifiedClaims {
    fn text(&self, path: &[&str]) -> Option<Vec<u8>> {
        let path = [&["metadata", "filter_metadata"], path].concat();
        host::property(&path).ok()
    }
}
