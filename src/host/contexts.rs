//! What the host calls: the contexts of the SDK, each a thin part around a [`Root`] or a
//! [`Stream`].
//!
//! The SDK's dispatcher keeps the table of contexts, and it is strict where no Envoy goes: a
//! context that it does not know, and a call in the middle of another to the same kind of
//! context, end the virtual machine. Envoy puts off until the call is over whatever could
//! come back: a local reply, a resumed stream, the outcome of a callout. Nothing passes while
//! the machine is gone: see docs/security.md and tests/adapter/ends.rs.
#![allow(
    missing_docs,
    unsafe_code,
    reason = "the macro of the SDK exports `_initialize` unmangled"
)]

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use super::{Action, log};
use crate::root::Root;
use crate::stream::Stream;

proxy_wasm::main! {{
    log::start();
    proxy_wasm::set_root_context(|context| Box::new(RootPart(Root::new(context))));
}}

struct RootPart(Root);

impl Context for RootPart {
    fn on_http_call_response(&mut self, token: u32, headers: usize, size: usize, trailers: usize) {
        self.0.on_http_call_response(token, headers, size, trailers);
    }
}

impl RootContext for RootPart {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.0.on_configure()
    }

    fn on_tick(&mut self) {
        self.0.on_tick();
    }

    fn on_queue_ready(&mut self, queue: u32) {
        self.0.on_queue_ready(queue);
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        let stream = Stream::new(context, self.0.worker());
        Some(Box::new(StreamPart(stream)))
    }
}

/// The end of a context is its drop, in `proxy_on_delete`. `proxy_on_done` is not exported:
/// the host would call it right before, and each call costs a request as much as its decision
/// does.
impl Drop for RootPart {
    fn drop(&mut self) {
        self.0.on_done();
    }
}

struct StreamPart(Stream);

impl Context for StreamPart {}

impl HttpContext for StreamPart {
    fn on_http_request_headers(&mut self, count: usize, end: bool) -> Action {
        self.0.on_http_request_headers(count, end)
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        self.0.on_http_request_body(size, end)
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        self.0.on_http_request_trailers(count)
    }

    fn on_http_response_headers(&mut self, count: usize, end: bool) -> Action {
        self.0.on_http_response_headers(count, end)
    }
}

impl Drop for StreamPart {
    fn drop(&mut self) {
        self.0.on_done();
    }
}
