//! How many checks may fail: unknown keys that the key service is asked about, and public-key
//! signatures. Numbers alone; the buckets are the edge's.

/// How many failures clients may cause at one worker. Each number is 1 to
/// [`FailureLimit::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureLimit {
    /// Failures each second of one IPv4 address or IPv6 /64.
    pub per_second: u32,
    /// Failures of one IPv4 address or IPv6 /64 at once.
    pub burst: u32,
    /// Failures each second of all addresses of one IPv6 /48.
    pub per_second_48: u32,
    /// Failures each second of all clients of the worker.
    pub per_second_worker: u32,
}

impl FailureLimit {
    /// The largest value of each number.
    pub const MAX: u32 = 1_000_000;

    /// The default for unknown keys: a fleet behind one address may start with many.
    pub const MISSES: Self = Self {
        burst: 100,
        ..Self::CHECKS
    };

    /// The default for public-key signatures.
    pub const CHECKS: Self = Self {
        per_second: 5,
        burst: 20,
        per_second_48: 20,
        per_second_worker: 50,
    };
}
