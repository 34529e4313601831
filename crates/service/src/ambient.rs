//! What the service takes from its surroundings: the time and randomness.
//!
//! Nothing else in this crate reads the clock or draws random bytes, so that a
//! test can bring its own.

use std::sync::Arc;
use std::time::SystemTime;

use keygate_core::UnixMillis;

/// The time now.
pub type Clock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;

/// Overwrites its argument with random bytes, all or none.
pub type Randomness = Arc<dyn Fn(&mut [u8]) -> Result<(), NoRandomness> + Send + Sync>;

/// The source of randomness gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system provided no random bytes: nothing was created, try again")]
pub struct NoRandomness;

/// Clock and randomness.
#[derive(Clone)]
pub struct Ambient {
    /// The time now.
    pub clock: Clock,
    /// Where secrets come from: must be fit for cryptography.
    pub randomness: Randomness,
}

impl Ambient {
    /// The operating system's clock and randomness.
    pub fn real() -> Self {
        Self {
            clock: Arc::new(system_time),
            randomness: Arc::new(|bytes| getrandom::fill(bytes).map_err(|_| NoRandomness)),
        }
    }
}

/// A clock before 1970 reads as 1970.
fn system_time() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.map_or(0, |span| span.as_millis());
    UnixMillis(u64::try_from(millis).unwrap_or(u64::MAX))
}
