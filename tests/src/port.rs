//! Ports for programs that start on a given one: it stays the same over a restart.
//!
//! A port that was free a moment ago may be taken before the program listens on it, by another
//! test or by an outgoing connection. So these lie outside of the range from which the kernel
//! picks ports, and a socket of the other protocol keeps each from being claimed twice.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;

/// Below it are the ports of the demo, and of programs that do not belong to the tests.
const FIRST: u16 = 10_240;

/// A TCP port of the loopback interface that no other claim has until this one is dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _claim: UdpSocket,
}

impl Port {
    /// Claims a port on which no program listens.
    ///
    /// # Panics
    /// When every port is taken.
    #[must_use]
    pub fn claim() -> Self {
        let picked = picked_by_the_kernel();
        let all = (FIRST..=u16::MAX).filter(|port| !picked.contains(port));
        let mut all: Vec<u16> = all.collect();
        if all.is_empty() {
            // The kernel picks from all of them: then a claim only keeps other tests away.
            all = (FIRST..=u16::MAX).collect();
        }
        // Tests of different processes begin at different places: few claims fail.
        let process = usize::try_from(std::process::id()).unwrap_or(0);
        let start = process.wrapping_mul(97) % all.len().max(1);
        let (before, after) = all.split_at(start);
        let mut ports = after.iter().chain(before);
        let claim = ports.find_map(|&number| {
            let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
            let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
            is_free.then_some(Self {
                number,
                _claim: claim,
            })
        });
        claim.unwrap_or_else(|| panic!("no port beside {picked:?} is free"))
    }

    /// The number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// The ports of outgoing connections, and of listeners that ask for any port.
fn picked_by_the_kernel() -> RangeInclusive<u16> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut bounds = text.split_whitespace().map(str::parse);
    match (bounds.next(), bounds.next()) {
        (Some(Ok(first)), Some(Ok(last))) => first..=last,
        // RFC 6335 section 6.
        _ => 49_152..=u16::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_port_is_not_claimed_again_nor_picked_by_the_kernel() {
        let claims: Vec<Port> = (0..20).map(|_| Port::claim()).collect();
        let mut numbers: Vec<u16> = claims.iter().map(Port::number).collect();
        let picked = picked_by_the_kernel();
        assert!(!numbers.iter().any(|it| picked.contains(it)), "{numbers:?}");
        // A program can listen on it, and again after it has ended.
        for number in &numbers {
            drop(TcpListener::bind((Ipv4Addr::LOCALHOST, *number)).unwrap());
        }
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 20);
    }

    #[test]
    fn a_port_on_which_a_program_listens_is_not_claimed() {
        let claim = Port::claim();
        let number = claim.number();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).unwrap();
        drop(claim);
        assert_ne!(Port::claim().number(), number);
        drop(listener);
    }
}
