//! How many unknown keys one client may present: a token bucket for each address, in
//! bounded memory. Never by a key's id, which is public: a stranger could lock its owner out.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::cache::Seed;
use crate::time::UnixMillis;

/// Most addresses that are remembered.
pub const MAX_ADDRESSES: usize = 10_000;

/// What one address may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissLimit {
    /// Tokens that come back each second: 1 to [`MissLimit::MAX`].
    pub per_second: u32,
    /// Tokens at the start, and most at any time: 1 to [`MissLimit::MAX`].
    pub burst: u32,
}

impl MissLimit {
    /// Most of either.
    pub const MAX: u32 = 1_000_000;
}

impl Default for MissLimit {
    fn default() -> Self {
        Self {
            per_second: 5,
            burst: 100,
        }
    }
}

/// The buckets of one worker.
///
/// Of each bucket only the instant is kept at which it will be full again (GCRA): one that
/// is full needs no memory.
pub struct MissLimiter {
    /// Microseconds until a token comes back.
    interval: u64,
    /// Microseconds until an empty bucket is full.
    span: u64,
    max_addresses: usize,
    full_at: HashMap<Network, u64, Seed>,
}

/// Who shares a bucket: an IPv4 address, the /64 of an IPv6 address, or all whose address
/// the proxy does not tell.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    Ipv4(u32),
    Ipv6(u64),
    Unknown,
}

impl MissLimiter {
    /// Full buckets for everybody, at most `max_addresses` of others at a time.
    pub fn new(limit: MissLimit, max_addresses: usize, seed: Seed) -> Self {
        let interval = 1_000_000_u64
            .checked_div(limit.per_second.into())
            .unwrap_or(1_000_000);
        Self {
            interval,
            span: interval.saturating_mul(limit.burst.into()),
            max_addresses,
            full_at: HashMap::with_hasher(seed),
        }
    }

    /// Takes a token out of the bucket of this address; `false` when there is none. A
    /// token comes back within a second.
    #[must_use]
    pub fn take(&mut self, client: Option<IpAddr>, now: UnixMillis) -> bool {
        let (network, now) = (Network::of(client), micros(now));
        let before = self.full_at(network, now);
        let full_at = before.saturating_add(self.interval);
        if full_at > now.saturating_add(self.span) {
            // It is there already, though perhaps from a clock that was set back since.
            self.full_at.insert(network, before);
            return false;
        }
        if self.full_at.len() >= self.max_addresses && !self.full_at.contains_key(&network) {
            self.make_room();
        }
        self.full_at.insert(network, full_at);
        true
    }

    /// Puts a token back: what it was taken for was no miss.
    pub fn give_back(&mut self, client: Option<IpAddr>, now: UnixMillis) {
        let (network, now) = (Network::of(client), micros(now));
        let full_at = self.full_at(network, now).saturating_sub(self.interval);
        if full_at <= now {
            self.full_at.remove(&network);
        } else {
            self.full_at.insert(network, full_at);
        }
    }

    /// Never before now, and, should the clock have been set back, never later than of an
    /// empty bucket.
    fn full_at(&self, network: Network, now: u64) -> u64 {
        let kept = self.full_at.get(&network).copied().unwrap_or(now);
        kept.clamp(now, now.saturating_add(self.span))
    }

    /// Forgets the fullest bucket: whoever has taken most is remembered longest.
    fn make_room(&mut self) {
        let fullest = self.full_at.iter().min_by_key(|(_, at)| **at);
        if let Some(network) = fullest.map(|(network, _)| *network) {
            self.full_at.remove(&network);
        }
    }
}

impl Network {
    fn of(client: Option<IpAddr>) -> Self {
        // An IPv4 address that is written as an IPv6 one is the same client.
        match client.map(|it| it.to_canonical()) {
            Some(IpAddr::V4(address)) => Self::Ipv4(address.to_bits()),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::Ipv6(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
            None => Self::Unknown,
        }
    }
}

fn micros(now: UnixMillis) -> u64 {
    now.0.saturating_mul(1000)
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limiter(per_second: u32, burst: u32, max_addresses: usize) -> MissLimiter {
        let limit = MissLimit { per_second, burst };
        MissLimiter::new(limit, max_addresses, Seed([1, 2]))
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn numbered(number: u32) -> Option<IpAddr> {
        Some(IpAddr::from(number.to_be_bytes()))
    }

    /// How many of `tries` get a token.
    fn taken(limiter: &mut MissLimiter, client: Option<IpAddr>, now: u64, tries: usize) -> usize {
        (0..tries)
            .filter(|_| limiter.take(client, UnixMillis(now)))
            .count()
    }

    #[test]
    fn a_burst_passes_and_then_as_many_as_come_back() {
        let mut limiter = limiter(5, 20, 10);
        let client = address("192.0.2.1");
        assert_eq!(taken(&mut limiter, client, 1000, 50), 20);
        assert_eq!(taken(&mut limiter, client, 1199, 50), 0);
        assert_eq!(taken(&mut limiter, client, 1200, 50), 1);
        assert_eq!(taken(&mut limiter, client, 2200, 50), 5);
        assert_eq!(taken(&mut limiter, client, 1_000_000, 50), 20);
        assert_eq!(taken(&mut limiter, address("192.0.2.2"), 1000, 50), 20);
    }

    #[test]
    fn a_64_of_ipv6_is_one_client_and_a_mapped_address_that_of_ipv4() {
        let mut limiter = limiter(1, 1, 10);
        for (first, second, is_same) in [
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("::ffff:192.0.2.8", "::ffff:192.0.2.9", false),
        ] {
            assert_eq!(taken(&mut limiter, address(first), 0, 2), 1, "{first}");
            let left = taken(&mut limiter, address(second), 0, 2);
            assert_eq!(left, usize::from(!is_same), "{first} {second}");
        }
        assert_eq!(
            taken(&mut limiter, None, 0, 2),
            1,
            "nobody is one client too"
        );
    }

    #[test]
    fn a_token_that_comes_back_makes_no_bucket_fuller_than_full() {
        let mut limiter = limiter(1, 3, 10);
        let client = address("192.0.2.1");
        for _ in 0..100 {
            assert!(limiter.take(client, UnixMillis(0)));
            limiter.give_back(client, UnixMillis(0));
        }
        for _ in 0..100 {
            limiter.give_back(client, UnixMillis(0));
        }
        assert_eq!(taken(&mut limiter, client, 0, 50), 3);
    }

    #[test]
    fn a_token_that_comes_back_is_one_and_leaves_the_others_taken() {
        let mut limiter = limiter(1, 3, 10);
        let client = address("192.0.2.1");
        assert_eq!(taken(&mut limiter, client, 0, 50), 3);
        limiter.give_back(client, UnixMillis(0));
        assert_eq!(taken(&mut limiter, client, 0, 50), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let mut limiter = limiter(1, 3, 10);
        let client = address("192.0.2.1");
        assert_eq!(taken(&mut limiter, client, 1_000_000_000, 50), 3);
        assert_eq!(taken(&mut limiter, client, 5000, 50), 0);
        assert_eq!(taken(&mut limiter, client, 6000, 50), 1);
    }

    #[test]
    fn a_crowd_does_not_make_the_worst_forgotten() {
        let mut limiter = limiter(1, 10, 100);
        let worst = numbered(0);
        assert_eq!(taken(&mut limiter, worst, 0, 50), 10);
        for number in 1..10_000 {
            assert_eq!(taken(&mut limiter, numbered(number), 0, 1), 1);
            assert!(limiter.full_at.len() <= 100);
        }
        assert_eq!(taken(&mut limiter, worst, 0, 50), 0);
    }

    /// A bucket of tokens in millionths, filled as time goes by.
    struct Bucket {
        millionths: u64,
        at: u64,
    }

    proptest! {
        #[test]
        fn it_does_what_plain_buckets_do(
            per_second in prop::sample::select(vec![1_u32, 2, 5, 10, 1000]),
            burst in 1_u32..20,
            steps in prop::collection::vec((0_u32..6, any::<bool>(), 0_u64..700), 1..300),
        ) {
            let mut limiter = limiter(per_second, burst, 1000);
            let full = u64::from(burst) * 1_000_000;
            let mut model: Vec<Bucket> = (0..6)
                .map(|_| Bucket { millionths: full, at: 0 })
                .collect();
            let mut now = 0;
            for (client, is_hit, pause) in steps {
                now += pause;
                let bucket = &mut model[client as usize];
                let earned = (now - bucket.at) * 1000 * u64::from(per_second);
                bucket.millionths = full.min(bucket.millionths + earned);
                bucket.at = now;
                let passes = bucket.millionths >= 1_000_000;
                prop_assert_eq!(limiter.take(numbered(client), UnixMillis(now)), passes);
                if passes && is_hit {
                    limiter.give_back(numbered(client), UnixMillis(now));
                } else if passes {
                    bucket.millionths -= 1_000_000;
                }
            }
        }

        #[test]
        fn no_crowd_takes_more_memory_than_allowed_or_more_than_a_burst_each(
            max_addresses in 1_usize..50,
            steps in prop::collection::vec((0_u32..500, 0_u64..50), 1..500),
        ) {
            let mut limiter = limiter(1, 3, max_addresses);
            let mut now = 0;
            for (client, pause) in steps {
                now += pause;
                prop_assert!(taken(&mut limiter, numbered(client), now, 5) <= 3);
                prop_assert!(limiter.full_at.len() <= max_addresses);
            }
        }
    }
}
