//! Only for builds with the feature `trap`, which `scripts/wasm trap` makes in addition to the
//! shipped module: a request kills the virtual machine that it asks to kill.

use crate::host::{self, Map};

/// `request`: the virtual machine dies with this request. `status`: it dies in the SDK, with a
/// status that a host call does not expect. `poll`: the one that polls dies with the next
/// answer of the change feed.
const HEADER: &[u8] = b"x-keygate-trap";

/// What the workers share: one byte, 1 when the next answer of the change feed is to kill.
const ARMED: &str = "keygate.trap";

/// Looks whether the request of the current context asks for it.
pub fn at_request() {
    let headers = host::headers(Map::HttpRequestHeaders).unwrap_or_default();
    let asked = headers.iter().find(|(name, _)| name == HEADER);
    match asked.map(|(_, value)| &**value) {
        Some(b"request") => std::process::abort(),
        Some(b"status") => {
            // There is no answer yet whose headers could be changed.
            let _ = host::set(Map::HttpResponseHeaders, "x-keygate-trap", b"");
        }
        Some(b"poll") => {
            let _ = host::share(ARMED, &[1], 0);
        }
        _ => {}
    }
}

/// Looks whether the answer to a callout, of so many bytes, is the one to die with.
pub fn at_answer(size: usize) {
    let Ok((armed, version)) = host::shared(ARMED) else {
        return;
    };
    let is_poll = || {
        let body = host::callout_body(size).unwrap_or_default();
        body.windows(9).any(|it| it == b"\"changed\"")
    };
    if armed == [1] && is_poll() && host::share(ARMED, &[0], version).is_ok() {
        std::process::abort();
    }
}
