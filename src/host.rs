//! The only folder that names a host call, or one of the host: the SDK's, as functions of
//! this filter's own types, and what the SDK lacks: headers that are not copied, a reply with
//! its details, and the environment and randomness. It knows no decision.
//!
//! Bytes only: a header need not be UTF-8, and a getter of texts would end the virtual machine
//! over one that is not (clippy.toml names them). A status that a host call of the SDK does
//! not expect ends it too; those that Envoy gives come back as a [`HostError`].

mod contexts;
mod headers;
mod log;
mod reply;
mod wasi;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, UNIX_EPOCH};

use keygate_core::{Millis, UnixMillis};
use proxy_wasm::hostcalls;
pub use proxy_wasm::types::{Action, MapType as Map, MetricType as Metric};
use proxy_wasm::types::{BufferType, Status};

pub use headers::headers;
pub use reply::reply;
pub use wasi::{environment, random};

/// The host rejected a call; the number is its status in the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostError(pub u32);

type Outcome<T> = Result<T, HostError>;

impl From<Status> for HostError {
    fn from(status: Status) -> Self {
        Self(status as u32)
    }
}

/// What a call that is not the SDK's has returned.
fn check(status: u32) -> Outcome<()> {
    match status {
        0 => Ok(()),
        status => Err(HostError(status)),
    }
}

const NOT_FOUND: HostError = HostError(1);
const BAD_ARGUMENT: HostError = HostError(2);

/// The wall clock.
pub fn now() -> Outcome<UnixMillis> {
    let since = hostcalls::get_current_time()?.duration_since(UNIX_EPOCH);
    let millis = since.ok().and_then(|it| u64::try_from(it.as_millis()).ok());
    millis.map(UnixMillis).ok_or(BAD_ARGUMENT)
}

/// What the workers of this proxy share under a name, and its version.
pub fn shared(name: &str) -> Outcome<(Vec<u8>, u32)> {
    match hostcalls::get_shared_data(name)? {
        (None, None) => Err(NOT_FOUND),
        (bytes, version) => Ok((bytes.unwrap_or_default(), version.unwrap_or_default())),
    }
}

/// Shares bytes under a name, if it is still of this version; 0 is any, or none.
pub fn share(name: &str, value: &[u8], version: u32) -> Outcome<()> {
    Ok(hostcalls::set_shared_data(
        name,
        Some(value),
        Some(version),
    )?)
}

/// Asks for `on_tick` every `period`.
pub fn set_tick(period: Millis) -> Outcome<()> {
    Ok(hostcalls::set_tick_period(Duration::from_millis(period.0))?)
}

/// The configuration of the plugin; only while it is being configured.
pub fn configuration() -> Outcome<Vec<u8>> {
    buffer(BufferType::PluginConfiguration, usize::MAX)
}

/// The body of the answer to a callout, at most `max` bytes; only in its callback.
pub fn callout_body(max: usize) -> Outcome<Vec<u8>> {
    buffer(BufferType::HttpCallResponseBody, max)
}

/// The SDK tells a buffer that is empty from one that is not there as little as we do.
fn buffer(kind: BufferType, max: usize) -> Outcome<Vec<u8>> {
    Ok(hostcalls::get_buffer(kind, 0, max)?.unwrap_or_default())
}

/// Replaces every header of this name, pseudo-headers too, by one.
pub fn set(map: Map, name: &str, value: &[u8]) -> Outcome<()> {
    Ok(hostcalls::set_map_value_bytes(map, name, Some(value))?)
}

/// Adds a header to those of its name.
pub fn add(map: Map, name: &str, value: &[u8]) -> Outcome<()> {
    Ok(hostcalls::add_map_value_bytes(map, name, value)?)
}

/// Removes every header of this name. The SDK takes no name that is not UTF-8: such a header
/// cannot be removed, and what it came with goes no further.
pub fn remove(map: Map, name: &[u8]) -> Outcome<()> {
    let name = std::str::from_utf8(name).map_err(|_| BAD_ARGUMENT)?;
    Ok(hostcalls::remove_map_value(map, name)?)
}

/// A property of the current request; one that is empty is not there. No part of the path may
/// contain a zero byte.
pub fn property(path: &[&str]) -> Outcome<Vec<u8>> {
    hostcalls::get_property(path.to_vec())?.ok_or(NOT_FOUND)
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
    Ok(hostcalls::set_property(vec![name], Some(value.as_bytes()))?)
}

/// Makes a queue whose messages come to the root context that is current now.
pub fn register_queue(name: &str) -> Outcome<u32> {
    Ok(hostcalls::register_shared_queue(name)?)
}

/// Puts a message of one byte into a queue: the root context is called in its next turn.
pub fn ring(queue: u32) -> Outcome<()> {
    Ok(hostcalls::enqueue_shared_queue(queue, Some(&[0]))?)
}

/// Takes all messages out of a queue.
pub fn drain(queue: u32) {
    while let Ok(Some(_)) = hostcalls::dequeue_shared_queue(queue) {}
}

/// Lets the request of the current context go on.
pub fn resume() -> Outcome<()> {
    Ok(hostcalls::resume_http_request()?)
}

/// Makes another context the current one. Fails when it is gone.
pub fn enter(context: u32) -> Outcome<()> {
    Ok(hostcalls::set_effective_context(context)?)
}

/// Defines a counter or a gauge.
pub fn define_metric(kind: Metric, name: &str) -> Outcome<u32> {
    Ok(hostcalls::define_metric(kind, name)?)
}

/// Adds one to a counter.
pub fn increment(counter: u32) -> Outcome<()> {
    Ok(hostcalls::increment_metric(counter, 1)?)
}

/// Sets a gauge.
pub fn record(gauge: u32, value: u64) -> Outcome<()> {
    Ok(hostcalls::record_metric(gauge, value)?)
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
    let timeout = Duration::from_millis(timeout.0.max(1));
    let headers = headers.to_vec();
    Ok(hostcalls::dispatch_http_call(
        cluster,
        headers,
        body,
        Vec::new(),
        timeout,
    )?)
}
