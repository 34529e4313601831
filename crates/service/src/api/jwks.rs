//! The public keys of assertions, for upstreams that check them by themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Service;

/// RFC 7517 section 8.5.2.
pub(super) const JWKS_TYPE: &str = "application/jwk-set+json";

/// A JWK Set.
#[derive(Serialize, JsonSchema)]
pub(super) struct KeySet {
    /// JSON Web Keys.
    #[schemars(with = "Vec<Map<String, Value>>")]
    keys: Vec<Value>,
}

/// `GET /v1/jwks.json`: for EdDSA the keys that are valid now; HS256 has nothing to publish.
pub(super) async fn jwks(State(service): State<Arc<Service>>) -> impl IntoResponse {
    let now = service.now();
    let current = service
        .assertions
        .iter()
        .flat_map(|it| it.verifier.ring.current(now));
    let keys = current.filter_map(|it| it.key.jwk(&it.id)).collect();
    ([(CONTENT_TYPE, JWKS_TYPE)], Json(KeySet { keys }))
}
