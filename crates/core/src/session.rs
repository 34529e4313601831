//! Sessions that another filter has verified, such as Envoy's `jwt_authn`.

/// Whoever can say what a verified token claims. Absent means unauthenticated.
pub trait Claims {
    /// The text at a path below the verified payload, such as `["payload", "sub"]`;
    /// an item of a list by its number.
    fn text(&self, path: &[&str]) -> Option<Vec<u8>>;
}

/// No session at all.
pub struct NoClaims;

impl Claims for NoClaims {
    fn text(&self, _path: &[&str]) -> Option<Vec<u8>> {
        None
    }
}
