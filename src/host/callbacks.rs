//! What the host calls: the functions that the module exports, and whom each concerns.
//!
//! None of them panics. A context that nobody knows is one without a configuration, which
//! refuses; a root context that is called while it is at work does nothing, and its next
//! tick makes up for it. No table is borrowed while a context works, so a host that ends a
//! request in the middle of a callback finds them free.

use std::cell::RefCell;
use std::rc::Rc;

use litemap::LiteMap;

use super::abi::Action;
use super::log;
use crate::root::Root;
use crate::stream::Stream;

thread_local! {
    static ROOTS: RefCell<LiteMap<u32, Rc<RefCell<Root>>>> = RefCell::default();
    // The host counts upwards: a new context comes last, and nothing is moved for it.
    static STREAMS: RefCell<LiteMap<u32, Rc<Stream>>> = RefCell::default();
}

/// Runs on a root context; `None` when it is unknown, or at work.
fn with_root<T>(context: u32, act: impl FnOnce(&mut Root) -> T) -> Option<T> {
    let root = ROOTS.with_borrow(|roots| roots.get(&context).cloned())?;
    let mut root = root.try_borrow_mut().ok()?;
    Some(act(&mut root))
}

fn stream(context: u32) -> Option<Rc<Stream>> {
    STREAMS.with_borrow(|streams| streams.get(&context).cloned())
}

fn with_stream(context: u32, act: impl FnOnce(&Stream) -> Action) -> Action {
    stream(context).map_or(Action::Pause, |it| act(&it))
}

#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    log::start();
}

/// By its name alone the host knows the version.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Memory for the host to write to, which [`super::owned`] takes over.
#[cfg_attr(
    all(target_arch = "wasm32", target_os = "unknown"),
    unsafe(export_name = "malloc")
)]
#[cfg_attr(
    not(all(target_arch = "wasm32", target_os = "unknown")),
    unsafe(no_mangle)
)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    Box::into_raw(Box::<[u8]>::new_uninit_slice(size)).cast()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: u32, _size: usize) -> bool {
    true
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    if root == 0 {
        let new = Rc::new(RefCell::new(Root::new(context)));
        let _ = ROOTS.with_borrow_mut(|roots| roots.insert(context, new));
    } else {
        let worker = with_root(root, |it| it.worker()).flatten();
        let new = Rc::new(Stream::new(context, worker));
        let _ = STREAMS.with_borrow_mut(|streams| streams.insert(context, new));
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, _size: usize) -> bool {
    with_root(root, Root::on_configure).unwrap_or(false)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    let _ = with_root(root, Root::on_tick);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_queue_ready(root: u32, queue: u32) {
    let _ = with_root(root, |it| it.on_queue_ready(queue));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    root: u32,
    token: u32,
    headers: usize,
    size: usize,
    trailers: usize,
) {
    let _ = with_root(root, |it| {
        it.on_http_call_response(token, headers, size, trailers);
    });
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, count: usize, end: bool) -> Action {
    let stream = stream(context).unwrap_or_else(|| Rc::new(Stream::new(context, None)));
    stream.on_http_request_headers(count, end)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, size: usize, end: bool) -> Action {
    with_stream(context, |it| it.on_http_request_body(size, end))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, count: usize) -> Action {
    with_stream(context, |it| it.on_http_request_trailers(count))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, count: usize, end: bool) -> Action {
    // Of a context that nobody knows it is the refusal: to hold it back would be a hang.
    stream(context).map_or(Action::Continue, |it| {
        it.on_http_response_headers(count, end)
    })
}

/// The end of a context. There is no `proxy_on_done`: the host would call it right before,
/// and each call costs a request as much as its decision does.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    // Both are dropped when the tables are free again.
    let stream = STREAMS.with_borrow_mut(|streams| streams.remove(&context));
    if let Some(stream) = stream {
        return stream.on_done();
    }
    let _ = with_root(context, |it| it.on_done());
    let _root = ROOTS.with_borrow_mut(|roots| roots.remove(&context));
}
