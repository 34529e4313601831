//! Limits how many checks may fail: unknown keys that the key service is asked about, and
//! public-key signatures. Token buckets for each client address, each IPv6 /48 and the whole
//! worker, in bounded memory.
//!
//! No bucket belongs to a key or a link: their ids are public, and an attacker could lock
//! their owners out.
//!
//! The crate `governor` was considered: its limiters by key grow until the caller shrinks
//! them, and read a clock, while here `now` is an argument. The crate adds 353 kB to a module.

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;

use keygate_core::UnixMillis;
use keygate_core::keys::FailureLimit;

use crate::bucket::{Bucket, Micros, Pace};
use crate::cache::Seed;

/// Most networks that a limiter remembers.
pub(crate) const MAX_NETWORKS: usize = 10_000;

/// Most tokens that the worker's bucket may owe.
const MAX_DEBT: u64 = 256;

/// How long an address has no part in the reserve after a failure, in microseconds.
const SUSPICION: u64 = 60_000_000;

/// The buckets of one worker.
///
/// The worker's bucket has two halves. One is for all clients. The other is the reserve: only
/// addresses without a failure in the last minute may use it, so that a flood leaves room for
/// them.
pub(crate) struct FailureLimiter {
    address: Pace,
    prefix: Pace,
    shared_pace: Pace,
    shared: Bucket,
    reserve_pace: Pace,
    reserve: Bucket,
    networks: HashMap<Network, Record, Seed>,
    max_networks: usize,
}

/// Addresses that share a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    Ipv4(u32),
    /// A /64.
    Ipv6(u64),
    /// A /48.
    Prefix(u64),
    /// All clients whose address the proxy does not tell.
    Unknown,
}

/// What is kept of a network.
#[derive(Clone, Copy, Default)]
struct Record {
    bucket: Bucket,
    /// Until when it has no part in the reserve.
    suspect_until: Micros,
}

impl FailureLimiter {
    /// Full buckets, and room for at most `max_networks` that are not full.
    pub(crate) fn new(limit: FailureLimit, max_networks: usize, seed: Seed) -> Self {
        let half = wide(limit, limit.per_second_worker).half();
        Self {
            address: Pace::new(limit.per_second.into(), limit.burst.into()),
            prefix: wide(limit, limit.per_second_48),
            shared_pace: half.owing(MAX_DEBT),
            shared: Bucket::default(),
            reserve_pace: half,
            reserve: Bucket::default(),
            networks: HashMap::with_hasher(seed),
            max_networks,
        }
    }

    /// Whether a check for this client may begin. If so, the check takes a token from the
    /// buckets of its address and /48: [`Self::succeeded`] gives it back.
    ///
    /// The worker's bucket loses a token only by a failure. Thus many checks under way, as
    /// at a cold start, do not close it for each other.
    #[must_use]
    pub(crate) fn admit(&mut self, client: Option<IpAddr>, now: UnixMillis) -> bool {
        let now = Micros::from(now);
        let networks = Network::all_of(client);
        self.settle(&networks, now);
        let is_open = self.shared.has_token(self.shared_pace, now)
            || !self.is_suspect(&networks, now) && self.reserve.has_token(self.reserve_pace, now);
        let mut each = networks.iter().flatten();
        if !is_open || !each.all(|it| self.record(it).bucket.has_token(self.pace(it), now)) {
            return false;
        }
        for network in networks.iter().flatten() {
            let pace = self.pace(network);
            self.change(network, now, |record| record.bucket.take(pace, now));
        }
        true
    }

    /// Counts a failure of a check that [`Self::admit`] let begin.
    pub(crate) fn failed(&mut self, client: Option<IpAddr>, now: UnixMillis) {
        let now = Micros::from(now);
        let networks = Network::all_of(client);
        let from_reserve = !self.shared.has_token(self.shared_pace, now)
            && !self.is_suspect(&networks, now)
            && self.reserve.has_token(self.reserve_pace, now);
        match from_reserve {
            true => self.reserve.take(self.reserve_pace, now),
            // Checks that began together may cost more than there was.
            false => self.shared.take(self.shared_pace, now),
        }
        for network in networks.iter().flatten() {
            self.change(network, now, |record| {
                record.suspect_until = now.plus(SUSPICION);
            });
        }
    }

    /// Gives the tokens of a check back that did not fail.
    pub(crate) fn succeeded(&mut self, client: Option<IpAddr>, now: UnixMillis) {
        let now = Micros::from(now);
        for network in Network::all_of(client).iter().flatten() {
            let pace = self.pace(network);
            let Some(record) = self.networks.get_mut(network) else {
                continue;
            };
            record.bucket.give_back(pace, now);
            if record.is_forgettable(now) {
                self.networks.remove(network);
            }
        }
    }

    fn settle(&mut self, networks: &[Option<Network>; 2], now: Micros) {
        self.shared.settle(self.shared_pace, now);
        self.reserve.settle(self.reserve_pace, now);
        for network in networks.iter().flatten() {
            let pace = self.pace(network);
            if let Some(record) = self.networks.get_mut(network) {
                record.bucket.settle(pace, now);
            }
        }
    }

    fn pace(&self, network: &Network) -> Pace {
        match network {
            Network::Prefix(_) => self.prefix,
            Network::Ipv4(_) | Network::Ipv6(_) | Network::Unknown => self.address,
        }
    }

    fn record(&self, network: &Network) -> Record {
        self.networks.get(network).copied().unwrap_or_default()
    }

    /// Whether the client's address or its /48 had a failure in the last minute. A /48 holds
    /// 65,536 networks of /64, and one attacker may have all of them.
    fn is_suspect(&self, networks: &[Option<Network>; 2], now: Micros) -> bool {
        let mut each = networks.iter().flatten();
        each.any(|it| {
            let until = self.record(it).suspect_until;
            // Later than that only if the clock has been set back.
            until > now && until <= now.plus(SUSPICION)
        })
    }

    fn change(&mut self, network: &Network, now: Micros, change: impl FnOnce(&mut Record)) {
        if self.networks.len() >= self.max_networks && !self.networks.contains_key(network) {
            self.make_room(now);
        }
        change(self.networks.entry(*network).or_default());
    }

    /// Forgets full buckets, or else the fullest quarter: the worst offenders are remembered
    /// longest.
    fn make_room(&mut self, now: Micros) {
        self.networks
            .retain(|_, record| !record.is_forgettable(now));
        if self.networks.len() < self.max_networks {
            return;
        }
        let mut ends: Vec<Micros> = self.networks.values().map(Record::end).collect();
        let quarter = ends.len() / 4;
        let (_, end, _) = ends.select_nth_unstable(quarter);
        let end = *end;
        self.networks.retain(|_, record| record.end() > end);
    }
}

/// The pace of a wider bucket: two seconds' worth at once. One address with all of its
/// burst empties half of it at most.
fn wide(limit: FailureLimit, per_second: u32) -> Pace {
    let burst = per_second.max(limit.burst).saturating_mul(2);
    Pace::new(per_second.into(), burst.into())
}

impl Record {
    /// When there is nothing left to remember.
    fn end(&self) -> Micros {
        self.bucket.full_at().max(self.suspect_until)
    }

    fn is_forgettable(&self, now: Micros) -> bool {
        self.end() <= now
    }
}

impl Network {
    /// The networks with a bucket that a client is in: its own, and the /48 of an IPv6
    /// address.
    fn all_of(client: Option<IpAddr>) -> [Option<Self>; 2] {
        // An IPv4 address that is written as an IPv6 one is the same client.
        match client.map(|it| it.to_canonical()) {
            Some(IpAddr::V4(address)) => [Some(Self::Ipv4(address.to_bits())), None],
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                let own = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
                [Some(Self::Ipv6(own)), Some(Self::Prefix(own >> 16))]
            }
            None => [Some(Self::Unknown), None],
        }
    }
}
