//! A host in place of Envoy: the proxy-wasm ABI as C functions, so that the filter
//! runs as it is, and a test reads what came of it instead of what was called.
#![allow(
    unsafe_code,
    clippy::missing_safety_doc,
    clippy::not_unsafe_ptr_arg_deref,
    reason = "the proxy-wasm ABI is a set of C functions over raw memory"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::slice;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use keygate_filter as _;

pub type Headers = Vec<(Vec<u8>, Vec<u8>)>;

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const EMPTY: u32 = 7;
const INTERNAL_FAILURE: u32 = 10;

/// What a host function can be told to do instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// No clock.
    Clock,
    /// Headers cannot be read.
    ReadHeaders,
    /// Headers cannot be changed.
    WriteHeaders,
    /// A callout fails at once: unknown cluster, breaker, no healthy host.
    Call,
    /// A message for the root context gets lost.
    Queue,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u32,
    pub details: String,
    pub grpc_status: i32,
    pub headers: Headers,
    pub body: String,
}

#[derive(Clone, Debug)]
pub struct Call {
    pub token: u32,
    /// The context that the answer would go to.
    pub context: u32,
    pub cluster: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub struct Exchange {
    pub headers: Headers,
    pub reply: Option<Reply>,
    pub is_resumed: bool,
    pub state: Vec<(String, String)>,
    /// What the filter has set on the answer of the upstream.
    pub response: Headers,
}

#[derive(Default)]
struct State {
    now_millis: u64,
    configuration: Vec<u8>,
    exchanges: BTreeMap<u32, Exchange>,
    root: u32,
    effective: u32,
    queue: Option<u32>,
    rung: usize,
    calls: Vec<Call>,
    answer: (Headers, Vec<u8>),
    counters: Vec<(String, u64)>,
    log: Vec<String>,
    faults: BTreeSet<Fault>,
}

thread_local! {
    static HOST: RefCell<State> = RefCell::default();
}

/// A number for a context or a call; the filter's dispatcher wants each but once.
fn next_id() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn host<T>(act: impl FnOnce(&mut State) -> T) -> T {
    HOST.with_borrow_mut(act)
}

unsafe extern "C" {
    fn _initialize();
    fn proxy_on_memory_allocate(size: usize) -> *mut u8;
    fn proxy_on_context_create(context: u32, root: u32);
    fn proxy_on_configure(context: u32, size: usize) -> bool;
    fn proxy_on_tick(context: u32);
    fn proxy_on_queue_ready(context: u32, queue: u32);
    fn proxy_on_request_headers(context: u32, count: usize, end: bool) -> u32;
    fn proxy_on_request_body(context: u32, size: usize, end: bool) -> u32;
    fn proxy_on_request_trailers(context: u32, count: usize) -> u32;
    fn proxy_on_response_headers(context: u32, count: usize, end: bool) -> u32;
    fn proxy_on_http_call_response(
        root: u32,
        token: u32,
        headers: usize,
        body: usize,
        trailers: usize,
    );
    fn proxy_on_done(context: u32) -> bool;
    fn proxy_on_delete(context: u32);
}

/// One worker with the filter in it.
pub struct Worker {
    /// Its root context.
    pub root: u32,
}

impl Worker {
    /// Starts the filter; `Err` is its log when it refuses the configuration.
    pub fn start(configuration: &str) -> Result<Self, Vec<String>> {
        let root = next_id();
        static ONCE_AT_A_TIME: Mutex<()> = Mutex::new(());
        host(|host| {
            // The filter defines a counter once for each virtual machine: this thread.
            let mut counters = std::mem::take(&mut host.counters);
            counters.iter_mut().for_each(|(_, value)| *value = 0);
            *host = State {
                counters,
                now_millis: 1_700_000_000_000,
                configuration: configuration.as_bytes().to_vec(),
                root,
                ..State::default()
            };
        });
        {
            let _one = ONCE_AT_A_TIME.lock().unwrap();
            // SAFETY: the entry point of the module, as a host calls it.
            unsafe { _initialize() };
            // A failed assertion is to be read, not logged to a host.
            let _ = std::panic::take_hook();
        }
        // SAFETY: as above.
        let is_taken = unsafe {
            proxy_on_context_create(root, 0);
            enter(root);
            proxy_on_configure(root, configuration.len())
        };
        if is_taken {
            Ok(Self { root })
        } else {
            Err(host(|host| host.log.clone()))
        }
    }

    /// A request arrives. `true` when its headers may pass.
    pub fn request(&self, headers: &[(&str, &[u8])]) -> (u32, bool) {
        let context = host(|host| {
            let id = next_id();
            let owned = |(name, value): &(&str, &[u8])| (name.as_bytes().to_vec(), value.to_vec());
            let exchange = Exchange {
                headers: headers.iter().map(owned).collect(),
                ..Exchange::default()
            };
            host.exchanges.insert(id, exchange);
            id
        });
        enter(context);
        // SAFETY: as in `start`.
        let action = unsafe {
            proxy_on_context_create(context, self.root);
            proxy_on_request_headers(context, headers.len(), false)
        };
        (context, action == 0)
    }

    /// A part of its body arrives. `true` when it may pass.
    pub fn body(&self, context: u32) -> bool {
        enter(context);
        // SAFETY: as in `start`.
        unsafe { proxy_on_request_body(context, 5, false) == 0 }
    }

    /// Its trailers arrive. `true` when they may pass.
    pub fn trailers(&self, context: u32) -> bool {
        enter(context);
        // SAFETY: as in `start`.
        unsafe { proxy_on_request_trailers(context, 1) == 0 }
    }

    /// The upstream answers. `true` when its headers may pass.
    pub fn response(&self, context: u32) -> bool {
        enter(context);
        // SAFETY: as in `start`.
        unsafe { proxy_on_response_headers(context, 1, false) == 0 }
    }

    /// The client goes away.
    pub fn disconnect(&self, context: u32) {
        enter(context);
        // SAFETY: as in `start`.
        unsafe {
            proxy_on_done(context);
            proxy_on_delete(context);
        }
        host(|host| host.exchanges.remove(&context));
    }

    /// What has become of a request.
    pub fn exchange(&self, context: u32) -> Exchange {
        host(|host| host.exchanges[&context].clone())
    }

    /// The turn of the event loop after a request: the root context sees its queue.
    pub fn turn(&self) {
        let queue = host(|host| (host.rung > 0).then_some(host.queue).flatten());
        if let Some(queue) = queue {
            enter(self.root);
            // SAFETY: as in `start`.
            unsafe { proxy_on_queue_ready(self.root, queue) };
        }
    }

    /// Time goes by, and the root context ticks.
    pub fn tick(&self, millis: u64) {
        host(|host| host.now_millis += millis);
        enter(self.root);
        // SAFETY: as in `start`.
        unsafe { proxy_on_tick(self.root) };
    }

    /// The callouts to a path that were not answered yet, oldest first.
    pub fn calls(&self, path: &str) -> Vec<Call> {
        let is_to = |call: &&Call| {
            let found = call.headers.iter().find(|(name, _)| name == b":path");
            found.is_some_and(|(_, value)| value.starts_with(path.as_bytes()))
        };
        host(|host| host.calls.iter().filter(is_to).cloned().collect())
    }

    /// Answers a callout.
    pub fn answer(&self, call: &Call, headers: &[(&str, &[u8])], body: &[u8]) {
        host(|host| {
            let owned = |(name, value): &(&str, &[u8])| (name.as_bytes().to_vec(), value.to_vec());
            host.answer = (headers.iter().map(owned).collect(), body.to_vec());
            host.calls.retain(|it| it.token != call.token);
        });
        enter(self.root);
        // SAFETY: as in `start`.
        unsafe { proxy_on_http_call_response(self.root, call.token, headers.len(), body.len(), 0) };
    }

    /// Makes the host fail from now on.
    pub fn fail(&self, fault: Fault) {
        host(|host| host.faults.insert(fault));
    }

    /// The value of a counter.
    pub fn counter(&self, name: &str) -> u64 {
        host(|host| {
            host.counters
                .iter()
                .find(|(it, _)| it == name)
                .map_or(0, |(_, value)| *value)
        })
    }

    /// Everything that was logged.
    pub fn log(&self) -> String {
        host(|host| host.log.join("\n"))
    }
}

fn enter(context: u32) {
    host(|host| host.effective = context);
}

fn bytes<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if size == 0 {
        return &[];
    }
    // SAFETY: the filter passes the pointer and size of a live slice.
    unsafe { slice::from_raw_parts(data, size) }
}

fn text(data: *const u8, size: usize) -> String {
    String::from_utf8(bytes(data, size).to_vec()).unwrap()
}

fn give(value: &[u8], data: *mut *mut u8, size: *mut usize) -> u32 {
    // SAFETY: the filter passes pointers that are valid for the call, and allocates.
    unsafe {
        let block = proxy_on_memory_allocate(value.len());
        std::ptr::copy_nonoverlapping(value.as_ptr(), block, value.len());
        *data = block;
        *size = value.len();
    }
    OK
}

fn set<T>(place: *mut T, value: T) -> u32 {
    // SAFETY: the filter passes a pointer that is valid for the call.
    unsafe { *place = value };
    OK
}

fn write_map(map: &Headers) -> Vec<u8> {
    let mut bytes = Vec::from(u32::try_from(map.len()).unwrap().to_le_bytes());
    for (name, value) in map {
        for text in [name, value] {
            bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        }
    }
    for (name, value) in map {
        for text in [name, value] {
            bytes.extend(text);
            bytes.push(0);
        }
    }
    bytes
}

fn read_map(mut bytes: &[u8]) -> Headers {
    let mut number = || {
        let (number, rest) = bytes.split_first_chunk::<4>().unwrap();
        bytes = rest;
        u32::from_le_bytes(*number) as usize
    };
    let count = number();
    let sizes: Vec<(usize, usize)> = (0..count).map(|_| (number(), number())).collect();
    let mut take = |size: usize| {
        let (text, rest) = bytes.split_at(size);
        bytes = &rest[1..];
        text.to_vec()
    };
    sizes
        .into_iter()
        .map(|(name, value)| (take(name), take(value)))
        .collect()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_log(_level: u32, data: *const u8, size: usize) -> u32 {
    host(|host| host.log.push(text(data, size)));
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32 {
    match host(|host| (host.faults.contains(&Fault::Clock), host.now_millis)) {
        (true, _) => INTERNAL_FAILURE,
        (false, millis) => set(time, millis * 1_000_000),
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_tick_period_milliseconds(_period: u32) -> u32 {
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_buffer_bytes(
    kind: u32,
    _start: usize,
    max: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    let buffer = match kind {
        4 => host(|host| host.answer.1.clone()),
        7 => host(|host| host.configuration.clone()),
        _ => return BAD_ARGUMENT,
    };
    give(&buffer[..max.min(buffer.len())], data, size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32 {
    let headers = host(|host| match map {
        0 if host.faults.contains(&Fault::ReadHeaders) => None,
        0 => host
            .exchanges
            .get(&host.effective)
            .map(|it| it.headers.clone()),
        6 => Some(host.answer.0.clone()),
        _ => None,
    });
    headers.map_or(BAD_ARGUMENT, |headers| {
        give(&write_map(&headers), data, size)
    })
}

fn edit(act: impl FnOnce(&mut Headers)) -> u32 {
    host(|host| match host.exchanges.get_mut(&host.effective) {
        // As in Envoy: no header can be changed once the request goes on.
        Some(exchange) if !exchange.is_resumed && !host.faults.contains(&Fault::WriteHeaders) => {
            act(&mut exchange.headers);
            OK
        }
        _ => BAD_ARGUMENT,
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_replace_header_map_value(
    map: u32,
    name: *const u8,
    name_size: usize,
    value: *const u8,
    value_size: usize,
) -> u32 {
    let (name, value) = (bytes(name, name_size), bytes(value, value_size));
    // 2 are the headers of the upstream's answer.
    if map == 2 {
        return host(|host| match host.exchanges.get_mut(&host.effective) {
            Some(exchange) if !host.faults.contains(&Fault::WriteHeaders) => {
                exchange.response.push((name.to_vec(), value.to_vec()));
                OK
            }
            _ => BAD_ARGUMENT,
        });
    }
    edit(|headers| {
        headers.retain(|(it, _)| it != name);
        headers.push((name.to_vec(), value.to_vec()));
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_remove_header_map_value(_map: u32, name: *const u8, size: usize) -> u32 {
    edit(|headers| headers.retain(|(it, _)| !it.eq_ignore_ascii_case(bytes(name, size))))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_property(
    path: *const u8,
    path_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    match bytes(path, path_size) {
        b"source\0address" => give(b"10.1.2.3:4711", data, size),
        _ => NOT_FOUND,
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_property(
    path: *const u8,
    path_size: usize,
    value: *const u8,
    value_size: usize,
) -> u32 {
    let entry = (text(path, path_size), text(value, value_size));
    host(|host| match host.exchanges.get_mut(&host.effective) {
        Some(exchange) => {
            exchange.state.push(entry);
            OK
        }
        None => BAD_ARGUMENT,
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_register_shared_queue(_name: *const u8, _size: usize, id: *mut u32) -> u32 {
    host(|host| host.queue = Some(7));
    set(id, 7)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_enqueue_shared_queue(_queue: u32, _value: *const u8, _size: usize) -> u32 {
    host(|host| {
        if !host.faults.contains(&Fault::Queue) {
            host.rung += 1;
        }
    });
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_dequeue_shared_queue(_queue: u32, data: *mut *mut u8, size: *mut usize) -> u32 {
    match host(|host| host.rung.checked_sub(1).inspect(|rung| host.rung = *rung)) {
        Some(_) => give(&[0], data, size),
        None => EMPTY,
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_continue_stream(_kind: u32) -> u32 {
    host(|host| match host.exchanges.get_mut(&host.effective) {
        Some(exchange) => {
            exchange.is_resumed = true;
            OK
        }
        None => BAD_ARGUMENT,
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_send_local_response(
    status: u32,
    details: *const u8,
    details_size: usize,
    body: *const u8,
    body_size: usize,
    headers: *const u8,
    headers_size: usize,
    grpc_status: i32,
) -> u32 {
    let reply = Reply {
        status,
        details: text(details, details_size),
        grpc_status,
        headers: read_map(bytes(headers, headers_size)),
        body: text(body, body_size),
    };
    host(|host| match host.exchanges.get_mut(&host.effective) {
        // A second answer hangs a client of Envoy.
        Some(exchange) if exchange.reply.is_none() => {
            exchange.reply = Some(reply);
            OK
        }
        _ => BAD_ARGUMENT,
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_effective_context(context: u32) -> u32 {
    host(|host| {
        if context == host.root || host.exchanges.contains_key(&context) {
            host.effective = context;
            OK
        } else {
            BAD_ARGUMENT
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_define_metric(_kind: u32, name: *const u8, size: usize, id: *mut u32) -> u32 {
    let index = host(|host| {
        host.counters.push((text(name, size), 0));
        host.counters.len() - 1
    });
    set(id, u32::try_from(index).unwrap())
}

#[unsafe(no_mangle)]
extern "C" fn proxy_increment_metric(metric: u32, offset: i64) -> u32 {
    host(|host| host.counters[metric as usize].1 += u64::try_from(offset).unwrap());
    OK
}

#[unsafe(no_mangle)]
extern "C" fn proxy_http_call(
    cluster: *const u8,
    cluster_size: usize,
    headers: *const u8,
    headers_size: usize,
    body: *const u8,
    body_size: usize,
    _trailers: *const u8,
    _trailers_size: usize,
    _timeout: u32,
    token: *mut u32,
) -> u32 {
    let id = host(|host| {
        if host.faults.contains(&Fault::Call) {
            return None;
        }
        let id = next_id();
        host.calls.push(Call {
            token: id,
            context: host.effective,
            cluster: text(cluster, cluster_size),
            headers: read_map(bytes(headers, headers_size)),
            body: bytes(body, body_size).to_vec(),
        });
        Some(id)
    });
    id.map_or(INTERNAL_FAILURE, |id| set(token, id))
}

/// Host functions that the SDK refers to and the filter never calls.
macro_rules! never_called {
    ($($name:ident)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name() -> u32 {
                panic!(concat!("the filter called ", stringify!($name)));
            }
        )*
    };
}

never_called! {
    proxy_add_header_map_value proxy_call_foreign_function proxy_close_stream proxy_done
    proxy_get_header_map_value proxy_get_log_level proxy_get_metric proxy_get_shared_data
    proxy_get_status proxy_grpc_call proxy_grpc_cancel proxy_grpc_close proxy_grpc_send
    proxy_grpc_stream proxy_record_metric proxy_resolve_shared_queue proxy_set_buffer_bytes
    proxy_set_header_map_pairs proxy_set_shared_data
}
