//! What no filter can do without: the callbacks that Keygate exports and the calls that it
//! makes of the host, with no decision between them and nothing that is read or checked.
//!
//! How much of it, the length of the configuration says: one character more, one step more.
#![allow(
    unsafe_code,
    reason = "the proxy-wasm ABI is a set of C functions over raw memory"
)]

use std::cell::{Cell, UnsafeCell};

/// What is done for each request, each with what comes before it.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Level {
    /// The host calls, and nothing is done.
    Callbacks,
    /// The headers are fetched.
    Headers,
    /// One header is set.
    Edit,
    /// What Keygate does for a link: the clock, a counter, `:path` without the token, and the
    /// header with the result.
    Link,
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
}

thread_local! {
    static LEVEL: Cell<Level> = const { Cell::new(Level::Callbacks) };
    static COUNTER: Cell<u32> = const { Cell::new(0) };
}

/// Where the host writes; what it wrote for a request counts until the next.
struct Room(UnsafeCell<[u8; 64 * 1024]>);

// SAFETY: a virtual machine has one thread.
unsafe impl Sync for Room {}

static ROOM: Room = Room(UnsafeCell::new([0; 64 * 1024]));

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "malloc"))]
#[cfg_attr(not(target_arch = "wasm32"), unsafe(no_mangle))]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    match size <= size_of::<Room>() {
        true => ROOM.0.get().cast(),
        false => std::ptr::null_mut(),
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: u32, _size: usize) -> u32 {
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(_root: u32, size: usize) -> u32 {
    LEVEL.set(match size {
        0 => Level::Callbacks,
        1 => Level::Headers,
        2 => Level::Edit,
        _ => Level::Link,
    });
    let (name, mut id) = ("floor", 0);
    // SAFETY: name and size are those of a live text, the pointer is valid for the call.
    unsafe { proxy_define_metric(0, name.as_ptr(), name.len(), &raw mut id) };
    COUNTER.set(id);
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(_context: u32, _root: u32) {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(_context: u32, _count: u32, _end: u32) -> u32 {
    let level = LEVEL.get();
    if level >= Level::Headers {
        let (mut data, mut size) = (std::ptr::null_mut(), 0);
        // SAFETY: both pointers are valid for the call.
        unsafe { proxy_get_header_map_pairs(0, &raw mut data, &raw mut size) };
    }
    if level >= Level::Link {
        let mut time = 0;
        // SAFETY: the pointer is valid for the call.
        unsafe { proxy_get_current_time_nanoseconds(&raw mut time) };
        // SAFETY: no pointers.
        unsafe { proxy_increment_metric(COUNTER.get(), 1) };
        set(":path", "/api/hello");
    }
    if level >= Level::Edit {
        set("x-keygate-result", "allow");
    }
    0
}

fn set(name: &str, value: &str) {
    // SAFETY: pointers and sizes are those of live texts.
    unsafe {
        proxy_replace_header_map_value(0, name.as_ptr(), name.len(), value.as_ptr(), value.len());
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(_context: u32, _size: u32, _end: u32) -> u32 {
    0
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(_context: u32, _count: u32, _end: u32) -> u32 {
    0
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(_context: u32) {}
