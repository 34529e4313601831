//! What an operator has to set right: at most one line a minute, however many requests show it.

use std::cell::Cell;

use keygate_core::time::{Millis, UnixMillis};

use crate::host;

const PAUSE: Millis = Millis::from_secs(60);

thread_local! {
    static NEXT: Cell<UnixMillis> = const { Cell::new(UnixMillis(0)) };
}

/// Warns of a proxy that hands paths on as clients spell them.
#[cold]
pub fn not_normalized() {
    let Ok(now) = host::now() else {
        return;
    };
    if now >= NEXT.get() {
        NEXT.set(now.plus(PAUSE));
        log::warn!(
            "keygate: a path arrived with an encoded letter, digit or one of -._~ and was refused \
             (not_normalized): set normalize_path: true and merge_slashes: true in the HTTP \
             connection manager in front of this filter"
        );
    }
}
