//! Waiting for a condition, with a bound: never a sleep for luck.

use std::thread;
use std::time::{Duration, Instant};

/// How long a part may take to come up. Generous: a busy machine is no failure.
pub const STARTUP: Duration = Duration::from_secs(60);

/// Asks until it is so; `false` when the bound has passed.
pub fn whether(bound: Duration, mut ask: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !ask() {
        if start.elapsed() > bound {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}

/// Asks until there is an answer.
///
/// # Panics
/// When the bound has passed, with the name of what was waited for.
pub fn until<T>(what: &str, bound: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            start.elapsed() < bound,
            "waited {bound:?} in vain for {what}"
        );
        thread::sleep(Duration::from_millis(10));
    }
}
