//! The numbers of the proxy-wasm ABI 0.2.1 that the filter names.

/// What becomes of headers, a body or trailers.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// They go on.
    Continue = 0,
    /// They stay here.
    Pause = 1,
}

/// Which headers or trailers.
#[expect(clippy::enum_variant_names, reason = "these are the ABI's own names")]
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    HttpRequestHeaders = 0,
    HttpRequestTrailers = 1,
    HttpResponseHeaders = 2,
    HttpCallResponseHeaders = 6,
}

#[repr(u32)]
#[derive(Clone, Copy)]
pub enum BufferType {
    HttpCallResponseBody = 4,
    PluginConfiguration = 7,
}

#[repr(u32)]
#[derive(Clone, Copy)]
pub enum StreamType {
    HttpRequest = 0,
}

/// What kind of metric.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    Counter = 0,
    Gauge = 1,
}
