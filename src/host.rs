//! The only folder that names a host call, or one of the host. Each call returns what can
//! go wrong: a panic would take down the worker's virtual machine. Bytes only: a header
//! need not be UTF-8.
#![allow(
    unsafe_code,
    reason = "the proxy-wasm ABI is a set of C functions over raw memory"
)]

mod abi;
mod callbacks;
mod log;
mod wasi;

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::ptr::null_mut;
use std::rc::Rc;

use keygate_core::http::request::{Bytes, Header};
use keygate_core::time::{Millis, UnixMillis};

pub use abi::{Action, Map, Metric};
use abi::{BufferType, StreamType};
pub use wasi::{environment, random};

/// The host refused a call; the number is its status in the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostError(pub u32);

type Outcome<T> = Result<T, HostError>;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_current_time_nanoseconds(return_time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: BufferType,
        start: usize,
        max_size: usize,
        return_data: *mut *mut u8,
        return_size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(
        map: Map,
        return_data: *mut *mut u8,
        return_size: *mut usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        map: Map,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: Map,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: Map, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        return_data: *mut *mut u8,
        return_size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_shared_data(
        name: *const u8,
        name_size: usize,
        return_data: *mut *mut u8,
        return_size: *mut usize,
        return_cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_register_shared_queue(name: *const u8, size: usize, return_id: *mut u32) -> u32;
    fn proxy_enqueue_shared_queue(queue: u32, value: *const u8, size: usize) -> u32;
    fn proxy_dequeue_shared_queue(
        queue: u32,
        return_data: *mut *mut u8,
        return_size: *mut usize,
    ) -> u32;
    fn proxy_continue_stream(stream: StreamType) -> u32;
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
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout: u32,
        return_token: *mut u32,
    ) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_define_metric(kind: Metric, name: *const u8, size: usize, return_id: *mut u32) -> u32;
    fn proxy_increment_metric(metric: u32, offset: i64) -> u32;
    fn proxy_record_metric(metric: u32, value: u64) -> u32;
}

fn check(status: u32) -> Outcome<()> {
    if status == 0 {
        Ok(())
    } else {
        Err(HostError(status))
    }
}

/// Takes over memory that the host allocated through our own allocator.
fn owned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Outcome<Vec<u8>> {
    let mut data: *mut u8 = null_mut();
    let mut size = 0;
    check(call(&raw mut data, &raw mut size))?;
    if data.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: the host got this block of `size` bytes from `proxy_on_memory_allocate`,
    // which hands out boxed slices of exactly the size asked for, and gives it away.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// The wall clock.
pub fn now() -> Outcome<UnixMillis> {
    let mut nanos = 0;
    // SAFETY: the pointer is valid for the call.
    check(unsafe { proxy_get_current_time_nanoseconds(&raw mut nanos) })?;
    Ok(UnixMillis(nanos / 1_000_000))
}

/// What the workers of this proxy share under a name, and its version.
pub fn shared(name: &str) -> Outcome<(Vec<u8>, u32)> {
    let mut version = 0;
    // SAFETY: name and size are those of a live text, the pointers are valid for the call.
    let bytes = owned(|data, size| unsafe {
        proxy_get_shared_data(name.as_ptr(), name.len(), data, size, &raw mut version)
    })?;
    Ok((bytes, version))
}

/// Shares bytes under a name, if it is still of this version; 0 is any, or none.
pub fn share(name: &str, value: &[u8], version: u32) -> Outcome<()> {
    let (at, size) = (value.as_ptr(), value.len());
    // SAFETY: pointers and sizes are those of live slices.
    check(unsafe { proxy_set_shared_data(name.as_ptr(), name.len(), at, size, version) })
}

/// Asks for `on_tick` every `period`.
pub fn set_tick(period: Millis) -> Outcome<()> {
    let millis = u32::try_from(period.0).unwrap_or(u32::MAX);
    // SAFETY: no pointers.
    check(unsafe { proxy_set_tick_period_milliseconds(millis) })
}

/// The configuration of the plugin; only while it is being configured.
pub fn configuration() -> Outcome<Vec<u8>> {
    buffer(BufferType::PluginConfiguration, usize::MAX)
}

/// The body of the answer to a callout, at most `max` bytes; only in its callback.
pub fn callout_body(max: usize) -> Outcome<Vec<u8>> {
    buffer(BufferType::HttpCallResponseBody, max)
}

fn buffer(kind: BufferType, max: usize) -> Outcome<Vec<u8>> {
    // SAFETY: both pointers are valid for the call.
    owned(|data, size| unsafe { proxy_get_buffer_bytes(kind, 0, max, data, size) })
}

/// The headers or trailers of the current context, or those of the answer to a callout;
/// each only in its own callback.
pub fn headers(map: Map) -> Outcome<Vec<Header>> {
    // SAFETY: both pointers are valid for the call.
    let bytes = owned(|data, size| unsafe { proxy_get_header_map_pairs(map, data, size) })?;
    parse_map(&Rc::new(bytes)).ok_or(HostError(u32::MAX))
}

/// The ABI's form of a map: a count, the sizes, then the texts, each with a zero after it.
/// Every header is a part of it: to copy each would cost more than all of the decision.
fn parse_map(bytes: &Rc<Vec<u8>>) -> Option<Vec<Header>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let number = |bytes: &[u8; 4]| usize::try_from(u32::from_le_bytes(*bytes)).ok();
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let sizes = rest.get(..number(count)?.checked_mul(8)?)?;
    let mut next = sizes.len().checked_add(4)?;
    let mut text = |size: &[u8; 4]| {
        let text = Bytes::part(bytes, next, number(size)?)?;
        next = next.checked_add(text.len())?;
        (bytes.get(next) == Some(&0)).then_some(())?;
        next = next.checked_add(1)?;
        Some(text)
    };
    let (sizes, _) = sizes.as_chunks::<4>();
    let (pairs, _) = sizes.as_chunks::<2>();
    let mut headers = Vec::with_capacity(pairs.len());
    for [name, value] in pairs {
        headers.push((text(name)?, text(value)?));
    }
    Some(headers)
}

fn write_map(headers: &[(&str, &str)]) -> Vec<u8> {
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

/// Replaces every header of this name, pseudo-headers too, by one.
pub fn set(map: Map, name: &str, value: &[u8]) -> Outcome<()> {
    // SAFETY: pointers and sizes are those of live slices.
    check(unsafe {
        proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Puts a header beside those of its name.
pub fn add(map: Map, name: &str, value: &[u8]) -> Outcome<()> {
    // SAFETY: pointers and sizes are those of live slices.
    check(unsafe {
        proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Removes every header of this name.
pub fn remove(map: Map, name: &[u8]) -> Outcome<()> {
    // SAFETY: pointer and size are those of a live slice.
    check(unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) })
}

/// A property of the current request. No part of the path may hold a zero byte.
pub fn property(path: &[&str]) -> Outcome<Vec<u8>> {
    let path = path.join("\0");
    // SAFETY: all pointers are valid for the call.
    owned(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

/// The address that Envoy takes for the client's, after its own rules for
/// `x-forwarded-for`.
pub fn client_address() -> Option<IpAddr> {
    let text = String::from_utf8(property(&["source", "address"]).ok()?).ok()?;
    // "1.2.3.4:0" or "[::1]:0"; the port is 0 when it came from a header.
    text.parse::<SocketAddr>().ok().map(|address| address.ip())
}

/// Sets filter state of the current request: `wasm.NAME` for other filters and the log.
pub fn set_state(name: &str, value: &str) -> Outcome<()> {
    // SAFETY: pointers and sizes are those of live slices.
    check(unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// Makes a queue whose messages come to the root context that is current now.
pub fn register_queue(name: &str) -> Outcome<u32> {
    let mut id = 0;
    // SAFETY: pointers are valid for the call.
    check(unsafe { proxy_register_shared_queue(name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

/// Puts an empty message into a queue: the root context is called in its next turn.
pub fn ring(queue: u32) -> Outcome<()> {
    let byte = [0_u8];
    // SAFETY: pointer and size are those of a live array.
    check(unsafe { proxy_enqueue_shared_queue(queue, byte.as_ptr(), byte.len()) })
}

/// Takes all messages out of a queue.
pub fn drain(queue: u32) {
    // SAFETY: both pointers are valid for the call.
    while owned(|data, size| unsafe { proxy_dequeue_shared_queue(queue, data, size) }).is_ok() {}
}

/// Lets the request of the current context go on.
pub fn resume() -> Outcome<()> {
    // SAFETY: no pointers.
    check(unsafe { proxy_continue_stream(StreamType::HttpRequest) })
}

/// Answers the request of the current context in place of the upstream.
pub fn reply(
    status: u16,
    headers: &[(Cow<'_, str>, Cow<'_, str>)],
    body: &str,
    details: &str,
    grpc_status: Option<u8>,
) -> Outcome<()> {
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()))
        .collect();
    let headers = write_map(&headers);
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

/// Makes another context the current one. Fails when it is gone.
pub fn enter(context: u32) -> Outcome<()> {
    // SAFETY: no pointers.
    check(unsafe { proxy_set_effective_context(context) })
}

/// Defines a counter or a gauge.
pub fn define_metric(kind: Metric, name: &str) -> Outcome<u32> {
    let mut id = 0;
    // SAFETY: pointers are valid for the call.
    check(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

/// Adds one to a counter.
pub fn increment(counter: u32) -> Outcome<()> {
    // SAFETY: no pointers.
    check(unsafe { proxy_increment_metric(counter, 1) })
}

/// Sets a gauge.
pub fn record(gauge: u32, value: u64) -> Outcome<()> {
    // SAFETY: no pointers.
    check(unsafe { proxy_record_metric(gauge, value) })
}

/// Bytes of the virtual machine's memory, which never shrinks; outside of one, nothing.
pub fn memory() -> Option<u64> {
    #[cfg(target_arch = "wasm32")]
    return u64::try_from(core::arch::wasm32::memory_size::<0>())
        .ok()?
        .checked_mul(64 * 1024);
    #[cfg(not(target_arch = "wasm32"))]
    None
}

/// Sends an HTTP request to a cluster; the answer goes to the current context. With an error
/// no callback comes.
pub fn call(
    cluster: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
    timeout: Millis,
) -> Outcome<u32> {
    let (headers, trailers) = (write_map(headers), write_map(&[]));
    let body = body.unwrap_or_default();
    let timeout = u32::try_from(timeout.0.max(1)).unwrap_or(u32::MAX);
    let mut token = 0;
    // SAFETY: pointers and sizes are those of live slices.
    check(unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            trailers.as_ptr(),
            trailers.len(),
            timeout,
            &raw mut token,
        )
    })?;
    Ok(token)
}
