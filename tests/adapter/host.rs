//! A host in place of Envoy: the proxy-wasm ABI as C functions, so that the filter
//! runs as it is, and a test reads what came of it instead of what was called.
#![allow(
    unsafe_code,
    clippy::missing_safety_doc,
    clippy::not_unsafe_ptr_arg_deref,
    reason = "the proxy-wasm ABI is a set of C functions over raw memory"
)]

mod abi;
mod unused;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::UnwindSafe;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use keygate_filter as _;

use crate::heap;

pub type Headers = Vec<(Vec<u8>, Vec<u8>)>;

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const EMPTY: u32 = 7;
const CAS_MISMATCH: u32 = 8;
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
    /// A request that is answered ends at once, in the middle of its own callback. No Envoy
    /// does: it puts the answer off until the callback is over.
    EndAtReply,
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
    pub timeout_millis: u32,
}

impl Call {
    /// Path and query.
    pub fn path(&self) -> String {
        let found = self.headers.iter().find(|(name, _)| name == b":path");
        String::from_utf8(found.unwrap().1.clone()).unwrap()
    }
}

#[derive(Clone, Debug, Default)]
pub struct Exchange {
    pub headers: Headers,
    pub trailers: Headers,
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
    roots: BTreeSet<u32>,
    effective: u32,
    queues: BTreeMap<u32, u32>,
    /// What workers share: value and version.
    shared: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    rung: usize,
    calls: Vec<Call>,
    answer: (Headers, Vec<u8>),
    counters: Vec<(String, u64)>,
    log: Vec<String>,
    faults: BTreeSet<Fault>,
    /// What other filters have left: path and value.
    properties: BTreeMap<Vec<u8>, Vec<u8>>,
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
    heap::outside(|| HOST.with_borrow_mut(act))
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
    fn proxy_on_delete(context: u32);
}

/// The hook for panics is that of the whole process.
static ONCE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// One worker with the filter in it.
pub struct Worker {
    /// Its root context.
    pub root: u32,
}

impl Worker {
    /// Starts the filter; `Err` is its log when it rejects the configuration.
    pub fn start(configuration: &str) -> Result<Self, Vec<String>> {
        let root = next_id();
        host(|host| {
            // The filter defines a counter once for each virtual machine: this thread.
            let mut counters = std::mem::take(&mut host.counters);
            counters.iter_mut().for_each(|(_, value)| *value = 0);
            *host = State {
                counters,
                now_millis: 1_700_000_000_000,
                configuration: configuration.as_bytes().to_vec(),
                roots: BTreeSet::from([root]),
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
        match configure(root, configuration) {
            true => Ok(Self { root }),
            false => Err(host(|host| host.log.clone())),
        }
    }

    /// Starts another worker of the same proxy: it shares what workers share.
    pub fn beside(&self, configuration: &str) -> Self {
        let root = next_id();
        host(|host| {
            host.configuration = configuration.as_bytes().to_vec();
            host.roots.insert(root);
        });
        assert!(configure(root, configuration));
        Self { root }
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

    /// Headers arrive for a request whose context was never created, or has ended.
    pub fn headers_of(&self, context: u32) -> bool {
        enter(context);
        // SAFETY: as in `start`.
        unsafe { proxy_on_request_headers(context, 1, false) == 0 }
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

    /// Its trailers arrive with these in them. `true` when they may pass.
    pub fn trailers_of(&self, context: u32, trailers: &[(&str, &str)]) -> bool {
        host(|host| {
            let owned = |(name, value): &(&str, &str)| {
                (name.as_bytes().to_vec(), value.as_bytes().to_vec())
            };
            host.exchanges.get_mut(&context).unwrap().trailers =
                trailers.iter().map(owned).collect();
        });
        self.trailers(context)
    }

    /// The upstream answers. `true` when its headers may pass.
    pub fn response(&self, context: u32) -> bool {
        enter(context);
        // SAFETY: as in `start`.
        unsafe { proxy_on_response_headers(context, 1, false) == 0 }
    }

    /// Another configuration has taken over: the root context goes.
    pub fn retire(self) {
        enter(self.root);
        // SAFETY: as in `start`.
        unsafe { proxy_on_delete(self.root) };
        host(|host| host.roots.remove(&self.root));
    }

    /// The client goes away.
    pub fn disconnect(&self, context: u32) {
        enter(context);
        // SAFETY: as in `start`.
        unsafe { proxy_on_delete(context) };
        host(|host| drop(host.exchanges.remove(&context)));
    }

    /// What has become of a request.
    pub fn exchange(&self, context: u32) -> Exchange {
        host(|host| host.exchanges[&context].clone())
    }

    /// The turn of the event loop after a request: the root context sees its queue.
    pub fn turn(&self) {
        let of_root = |host: &mut State| host.queues.get(&self.root).copied();
        let queue = host(|host| (host.rung > 0).then(|| of_root(host)).flatten());
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
        let is_to = |call: &&Call| call.path().starts_with(path);
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

    /// Another filter has left something.
    pub fn leave_property(&self, path: &[&str], value: &[u8]) {
        let path = path.join("\0").into_bytes();
        host(|host| host.properties.insert(path, value.to_vec()));
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

    /// The counters whose names begin so, in the order in which they were defined.
    pub fn counters(&self, start: &str) -> Vec<(String, u64)> {
        host(|host| {
            let counters = host.counters.iter();
            let counters = counters.filter(|(name, _)| name.starts_with(start));
            counters.cloned().collect()
        })
    }

    /// Whether a counter exists.
    pub fn has_counter(&self, name: &str) -> bool {
        host(|host| host.counters.iter().any(|(it, _)| it == name))
    }

    /// Panics under the hook of the filter.
    pub fn panic(&self, panic: impl FnOnce() + UnwindSafe) {
        let _one = ONCE_AT_A_TIME.lock().unwrap();
        // SAFETY: the entry point of the module, as a host calls it.
        unsafe { _initialize() };
        let outcome = std::panic::catch_unwind(panic);
        let _ = std::panic::take_hook();
        assert!(outcome.is_err());
    }

    /// What the workers of this proxy, and any other plugin of their `vm_id`, can read.
    pub fn shared(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        host(|host| {
            let entries = host.shared.iter();
            entries
                .map(|(name, (value, _))| (name.clone(), value.clone()))
                .collect()
        })
    }

    /// Everything that was logged.
    pub fn log(&self) -> String {
        host(|host| host.log.join("\n"))
    }
}

fn configure(root: u32, configuration: &str) -> bool {
    // SAFETY: the entry points of the module, as a host calls them.
    unsafe {
        proxy_on_context_create(root, 0);
        enter(root);
        proxy_on_configure(root, configuration.len())
    }
}

fn enter(context: u32) {
    host(|host| host.effective = context);
}
