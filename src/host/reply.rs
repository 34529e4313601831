//! A local reply with its details: the access log has them as `%RESPONSE_CODE_DETAILS%`, and
//! they say why a request was rejected. The SDK's `send_http_response` has no argument for them
//! and none for a gRPC status in addition to the HTTP status, so this call is our own.
#![allow(unsafe_code, reason = "a C function over raw memory")]

use std::borrow::Cow;

use super::{Outcome, check};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}

/// Answers the request of the current context in place of the upstream.
pub fn reply(
    status: u16,
    headers: &[(Cow<'_, str>, Cow<'_, str>)],
    body: &str,
    details: &str,
    grpc_status: Option<u8>,
) -> Outcome<()> {
    let headers = write_map(headers);
    let grpc_status = grpc_status.map_or(-1, i32::from);
    // SAFETY: pointers and sizes are those of live slices. -1 leaves grpc-status to Envoy.
    check(unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status,
        )
    })
}

/// The ABI's form of a map: a count, the sizes, then the texts, each with a zero after it.
fn write_map(headers: &[(Cow<'_, str>, Cow<'_, str>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let number = |size: usize| u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
    bytes.extend_from_slice(&number(headers.len()));
    for (name, value) in headers {
        bytes.extend_from_slice(&number(name.len()));
        bytes.extend_from_slice(&number(value.len()));
    }
    for (name, value) in headers {
        for text in [name, value] {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
    }
    bytes
}
