//! The buckets of addresses, of /48 and of the worker, compared with plain models of them.

use proptest::prelude::*;

use super::*;

fn limiter_of(limit: FailureLimit, max_networks: usize) -> FailureLimiter {
    FailureLimiter::new(limit, max_networks, Seed([1, 2]))
}

/// A limiter in which only the bucket of an address counts.
fn limiter(per_second: u32, burst: u32, max_networks: usize) -> FailureLimiter {
    let limit = FailureLimit {
        per_second,
        burst,
        per_second_48: FailureLimit::MAX,
        per_second_worker: FailureLimit::MAX,
    };
    limiter_of(limit, max_networks)
}

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn numbered(number: u32) -> Option<IpAddr> {
    Some(IpAddr::from(number.to_be_bytes()))
}

/// How many of `tries` failing checks begin.
fn failures(limiter: &mut FailureLimiter, client: Option<IpAddr>, now: u64, tries: usize) -> usize {
    let now = UnixMillis(now);
    let mut begins = || {
        let begins = limiter.admit(client, now);
        if begins {
            limiter.failed(client, now);
        }
        begins
    };
    (0..tries).filter(|_| begins()).count()
}

#[test]
fn a_burst_passes_and_then_as_many_as_come_back() {
    let mut limiter = limiter(5, 20, 10);
    let client = address("192.0.2.1");
    assert_eq!(failures(&mut limiter, client, 1000, 50), 20);
    assert_eq!(failures(&mut limiter, client, 1199, 50), 0);
    assert_eq!(failures(&mut limiter, client, 1200, 50), 1);
    assert_eq!(failures(&mut limiter, client, 2200, 50), 5);
    assert_eq!(failures(&mut limiter, client, 1_000_000, 50), 20);
    assert_eq!(
        failures(&mut limiter, address("192.0.2.2"), 1_000_000, 50),
        20
    );
}

#[test]
fn an_ipv6_64_is_one_client_and_so_is_a_mapped_ipv4_address() {
    let mut limiter = limiter(1, 1, 10);
    for (first, second, is_same) in [
        ("2001:db8::1", "2001:db8::ffff:1", true),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("::ffff:192.0.2.8", "::ffff:192.0.2.9", false),
    ] {
        assert_eq!(failures(&mut limiter, address(first), 0, 2), 1, "{first}");
        let left = failures(&mut limiter, address(second), 0, 2);
        assert_eq!(left, usize::from(!is_same), "{first} {second}");
    }
    let unknown = failures(&mut limiter, None, 0, 2);
    assert_eq!(unknown, 1, "all unknown addresses are one client");
}

#[test]
fn an_ipv6_48_has_a_bucket_of_its_own() {
    let limit = FailureLimit {
        per_second_48: 20,
        per_second_worker: FailureLimit::MAX,
        ..FailureLimit::CHECKS
    };
    let mut limiter = limiter_of(limit, MAX_NETWORKS);
    let spread = |limiter: &mut FailureLimiter, prefix: &str, now| -> usize {
        let clients = (0..1000).map(|it| address(&format!("{prefix}:{it:x}::1")));
        clients.map(|it| failures(limiter, it, now, 1)).sum()
    };
    assert_eq!(spread(&mut limiter, "2001:db8:1", 5000), 40);
    assert_eq!(spread(&mut limiter, "2001:db8:1", 6000), 20);
    assert_eq!(spread(&mut limiter, "2001:db8:2", 6000), 40);
    assert_eq!(failures(&mut limiter, address("192.0.2.1"), 6000, 50), 20);
}

#[test]
fn many_addresses_together_fail_no_oftener_than_the_worker_permits() {
    let mut limiter = limiter_of(FailureLimit::CHECKS, MAX_NETWORKS);
    let mut total = 0;
    for now in (0..10_000).step_by(10) {
        for number in 0..50 {
            total += failures(&mut limiter, numbered(number), now, 1);
        }
    }
    // 100 at once, then 25 a second: the other half is for addresses without a failure.
    assert!((50 + 240..=100 + 250).contains(&total), "{total}");
}

#[test]
fn half_of_the_worker_is_kept_for_addresses_without_a_failure() {
    let mut limiter = limiter_of(FailureLimit::CHECKS, MAX_NETWORKS);
    let flood = |limiter: &mut FailureLimiter, now| -> usize {
        let each = (0..50).map(|it| failures(limiter, numbered(it), now, 50));
        each.sum()
    };
    flood(&mut limiter, 0);
    for now in (10..5000).step_by(10) {
        flood(&mut limiter, now);
        let genuine = numbered(1_000_000 + u32::try_from(now).unwrap());
        assert!(limiter.admit(genuine, UnixMillis(now)), "{now}");
        limiter.succeeded(genuine, UnixMillis(now));
    }
    // A minute after its last failure an address is as good as any other.
    assert!(!limiter.is_suspect(
        &Network::all_of(numbered(0)),
        Micros::from(UnixMillis(100_000))
    ));
}

#[test]
fn another_64_of_a_48_with_a_failure_has_no_part_in_the_reserve() {
    let mut limiter = limiter_of(FailureLimit::CHECKS, MAX_NETWORKS);
    failures(&mut limiter, address("2001:db8:1:1::1"), 0, 1);
    for number in 0..10 {
        failures(&mut limiter, numbered(number), 0, 100);
    }
    assert!(!limiter.admit(address("2001:db8:1:2::1"), UnixMillis(1)));
}

#[test]
fn checks_under_way_close_the_worker_only_once_they_fail() {
    let mut limiter = limiter_of(FailureLimit::MISSES, MAX_NETWORKS);
    let now = UnixMillis(0);
    for number in 0..1000 {
        assert!(limiter.admit(numbered(number), now), "{number}");
    }
    for number in 0..1000 {
        limiter.failed(numbered(number), now);
    }
    assert!(!limiter.admit(numbered(0), UnixMillis(1000)));
    assert!(!limiter.admit(numbered(0), UnixMillis(8000)), "it owes");
    assert!(limiter.admit(numbered(0), UnixMillis(20_000)));
}

#[test]
fn a_token_that_is_given_back_makes_no_bucket_fuller_than_full() {
    let mut limiter = limiter(1, 3, 10);
    let client = address("192.0.2.1");
    for _ in 0..100 {
        assert!(limiter.admit(client, UnixMillis(0)));
        limiter.succeeded(client, UnixMillis(0));
    }
    for _ in 0..100 {
        limiter.succeeded(client, UnixMillis(0));
    }
    assert!(limiter.networks.is_empty(), "a full bucket takes no memory");
    assert_eq!(failures(&mut limiter, client, 0, 50), 3);
}

#[test]
fn a_success_gives_back_one_token_and_leaves_the_others_taken() {
    let mut limiter = limiter(1, 3, 10);
    let client = address("192.0.2.1");
    assert_eq!(failures(&mut limiter, client, 0, 50), 3);
    limiter.succeeded(client, UnixMillis(0));
    assert_eq!(failures(&mut limiter, client, 0, 50), 1);
}

#[test]
fn a_clock_that_is_set_back_locks_no_client_out() {
    let mut limiter = limiter(1, 3, 10);
    let client = address("192.0.2.1");
    assert_eq!(failures(&mut limiter, client, 1_000_000_000, 50), 3);
    assert!(!limiter.is_suspect(&Network::all_of(client), Micros::from(UnixMillis(5000))));
    assert_eq!(failures(&mut limiter, client, 5000, 50), 0);
    assert_eq!(failures(&mut limiter, client, 8001, 50), 3);
}

#[test]
fn many_addresses_do_not_displace_the_worst_offender() {
    let mut limiter = limiter(1, 10, 100);
    let worst = numbered(0);
    assert_eq!(failures(&mut limiter, worst, 0, 50), 10);
    limiter
        .networks
        .get_mut(&Network::Ipv4(0))
        .unwrap()
        .suspect_until = Micros::default();
    for number in 1..10_000 {
        assert!(limiter.admit(numbered(number), UnixMillis(0)));
        assert!(limiter.networks.len() <= 100);
    }
    assert!(!limiter.admit(worst, UnixMillis(0)));
}

/// A bucket of tokens in millionths, filled as time goes by.
struct Model {
    millionths: u64,
    at: u64,
}

proptest! {
    #[test]
    fn the_limiter_agrees_with_plain_buckets(
        per_second in prop::sample::select(vec![1_u32, 2, 5, 10, 1000]),
        burst in 1_u32..20,
        steps in prop::collection::vec((0_u32..6, any::<bool>(), 0_u64..700), 1..300),
    ) {
        let mut limiter = limiter(per_second, burst, 1000);
        let full = u64::from(burst) * 1_000_000;
        let mut models: Vec<Model> = (0..6)
            .map(|_| Model { millionths: full, at: 0 })
            .collect();
        let mut now = 0;
        for (client, succeeds, pause) in steps {
            now += pause;
            let model = &mut models[client as usize];
            let earned = (now - model.at) * 1000 * u64::from(per_second);
            model.millionths = full.min(model.millionths + earned);
            model.at = now;
            let passes = model.millionths >= 1_000_000;
            prop_assert_eq!(limiter.admit(numbered(client), UnixMillis(now)), passes);
            if passes && succeeds {
                limiter.succeeded(numbered(client), UnixMillis(now));
            } else if passes {
                limiter.failed(numbered(client), UnixMillis(now));
                model.millionths -= 1_000_000;
            }
        }
    }

    #[test]
    fn no_flood_takes_more_memory_than_allowed_or_more_than_a_burst_each(
        max_networks in 1_usize..50,
        steps in prop::collection::vec((0_u32..500, 0_u64..50), 1..500),
    ) {
        let mut limiter = limiter(1, 3, max_networks);
        let mut now = 0;
        for (client, pause) in steps {
            now += pause;
            prop_assert!(failures(&mut limiter, numbered(client), now, 5) <= 3);
            prop_assert!(limiter.networks.len() <= max_networks);
        }
    }

    #[test]
    fn no_addresses_fail_oftener_than_the_worker_permits(
        steps in prop::collection::vec((any::<u32>(), any::<bool>(), 0_u64..50), 1..500),
    ) {
        let mut limiter = limiter_of(FailureLimit::CHECKS, MAX_NETWORKS);
        let (mut now, mut total) = (0, 0);
        for (number, is_ipv6, pause) in steps {
            now += pause;
            let text = format!("2001:db8:{:x}:{:x}::1", number >> 16, number & 0xffff);
            let client = if is_ipv6 { address(&text) } else { numbered(number) };
            total += u64::try_from(failures(&mut limiter, client, now, 3)).unwrap();
            prop_assert!(total <= 100 + now * 50 / 1000, "{} in {} ms", total, now);
        }
    }
}
