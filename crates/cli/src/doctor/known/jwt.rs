//! The messages of `jwt_authn`.

use super::Message;

/// `envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication`.
pub const AUTHENTICATION: Message = Message(&[
    "providers",
    "rules",
    "filter_state_rules",
    "bypass_cors_preflight",
    "requirement_map",
    "strip_failure_response",
    "stat_prefix",
]);

/// `JwtProvider`.
pub const PROVIDER: Message = Message(&[
    "issuer",
    "audiences",
    "subjects",
    "require_expiration",
    "max_lifetime",
    "remote_jwks",
    "local_jwks",
    "forward",
    "from_headers",
    "from_params",
    "from_cookies",
    "forward_payload_header",
    "pad_forward_payload_header",
    "payload_in_metadata",
    "normalize_payload_in_metadata",
    "failed_status_in_metadata",
    "header_in_metadata",
    "clock_skew_seconds",
    "jwt_cache_config",
    "claim_to_headers",
    "clear_route_cache",
]);
