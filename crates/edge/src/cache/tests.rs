//! How the cache follows the feed, and what it says of a key.

use super::*;
use keygate_core::keys::wire::Incarnation;

fn hash(byte: u8) -> KeyHash {
    KeyHash([byte; 32])
}

fn at(epoch: u64) -> Position {
    Position {
        incarnation: Incarnation([1; 16]),
        epoch,
    }
}

/// A place in the life that follows that of [`at`].
fn later(epoch: u64) -> Position {
    Position {
        incarnation: Incarnation([2; 16]),
        epoch,
    }
}

fn known() -> Rc<KnownKey> {
    let record = serde_json::json!({
        "hash": hash(1), "id": "AbCdEfGhIj", "account": "alice", "status": "active",
        "metadata": {}
    });
    let record = serde_json::from_value(record).unwrap();
    Rc::new(KnownKey::try_from(&record).unwrap())
}

fn empty() -> KeyCache {
    let bounds = CacheBounds {
        max_known: 2,
        max_unknown: 2,
        ..CacheBounds::default()
    };
    KeyCache::new(bounds, Seed([1, 2]), Millis(60))
}

/// Keeps what was said of a key with one hash.
fn insert(cache: &KeyCache, byte: u8, key: Option<Rc<KnownKey>>, at: Position) -> bool {
    let found = key.map(|key| (hash(byte), key));
    cache.insert(&[hash(byte)], found, at)
}

fn cache() -> KeyCache {
    let cache = empty();
    cache.follow(&[], at(5), true, UnixMillis(100));
    cache
}

#[test]
fn a_cached_key_counts_only_while_the_lease_is_fresh() {
    let cache = cache();
    assert!(insert(&cache, 1, Some(known()), at(5)));
    let found = |now| cache.find(&[hash(1)], UnixMillis(now));
    assert_eq!(found(159), Knowledge::Known(known()));
    assert_eq!(found(160), Knowledge::NotAsked);
    cache.follow(&[], at(5), false, UnixMillis(150));
    assert_eq!(
        found(160),
        Knowledge::NotAsked,
        "a partial answer renews nothing"
    );
    cache.follow(&[], at(5), true, UnixMillis(150));
    assert_eq!(found(160), Knowledge::Known(known()));
}

#[test]
fn an_answer_older_than_the_feed_cannot_revive_a_key() {
    let cache = cache();
    cache.follow(&[hash(1)], at(6), true, UnixMillis(100));
    assert!(!insert(&cache, 1, Some(known()), at(5)));
    assert_eq!(cache.find(&[hash(1)], UnixMillis(100)), Knowledge::NotAsked);
}

#[test]
fn changed_keys_are_dropped_whether_known_or_unknown() {
    let cache = cache();
    assert!(insert(&cache, 1, Some(known()), at(5)));
    assert!(insert(&cache, 2, None, at(5)));
    assert_eq!(cache.find(&[hash(2)], UnixMillis(100)), Knowledge::Unknown);
    cache.follow(&[hash(1), hash(2)], at(7), true, UnixMillis(100));
    for byte in [1, 2] {
        assert_eq!(
            cache.find(&[hash(byte)], UnixMillis(100)),
            Knowledge::NotAsked
        );
    }
    assert!(insert(&cache, 1, Some(known()), at(7)));
    cache.reset(at(3), UnixMillis(100));
    assert_eq!(cache.position(), Some(at(3)));
    assert_eq!(cache.find(&[hash(1)], UnixMillis(100)), Knowledge::NotAsked);
}

#[test]
fn an_answer_after_a_change_survives_its_notification() {
    let cache = cache();
    assert!(insert(&cache, 1, Some(known()), at(7)));
    cache.follow(&[hash(1)], at(7), true, UnixMillis(100));
    assert_eq!(
        cache.find(&[hash(1)], UnixMillis(100)),
        Knowledge::Known(known())
    );
    cache.follow(&[hash(1)], at(8), true, UnixMillis(100));
    assert_eq!(cache.find(&[hash(1)], UnixMillis(100)), Knowledge::NotAsked);
}

#[test]
fn before_the_feed_is_followed_nothing_is_kept() {
    let cache = empty();
    assert!(insert(&cache, 1, Some(known()), at(5)));
    cache.follow(&[], at(6), true, UnixMillis(100));
    assert_eq!(cache.find(&[hash(1)], UnixMillis(100)), Knowledge::NotAsked);
}

#[test]
fn a_clock_that_is_set_back_neither_stretches_the_lease_nor_ends_it() {
    let cache = cache();
    assert!(insert(&cache, 1, Some(known()), at(5)));
    let is_known = |now| cache.find(&[hash(1)], UnixMillis(now)) == Knowledge::Known(known());
    // Fifty of the sixty have gone, then the clock is set back by seventy-five.
    assert!(is_known(150));
    assert!(is_known(75));
    assert!(is_known(84));
    assert!(!is_known(85));
    assert!(!is_known(155), "what has ended does not begin again");
    cache.follow(&[], at(5), true, UnixMillis(155));
    assert!(is_known(156));
}

#[test]
fn a_poll_from_before_the_clock_was_set_back_renews_nothing_for_good() {
    let cache = cache();
    assert!(insert(&cache, 1, Some(known()), at(5)));
    let is_known = |now| cache.find(&[hash(1)], UnixMillis(now)) == Knowledge::Known(known());
    assert!(!is_known(99));
    assert!(!is_known(100), "the clock is back where it was");
    cache.follow(&[], at(5), true, UnixMillis(101));
    assert!(is_known(102));
}

#[test]
fn a_clock_that_is_set_forward_ends_the_lease_until_the_next_poll() {
    let cache = cache();
    assert!(insert(&cache, 1, Some(known()), at(5)));
    let is_known = |now| cache.find(&[hash(1)], UnixMillis(now)) == Knowledge::Known(known());
    assert!(!is_known(9_000));
    cache.follow(&[], at(5), true, UnixMillis(9_000));
    assert!(is_known(9_001));
}

#[test]
fn an_answer_of_another_incarnation_is_used_but_not_cached() {
    let cache = cache();
    assert!(insert(&cache, 1, Some(known()), later(9)));
    assert!(insert(&cache, 2, None, later(9)));
    for byte in [1, 2] {
        let found = cache.find(&[hash(byte)], UnixMillis(100));
        assert_eq!(found, Knowledge::NotAsked);
    }
}

#[test]
fn a_continued_incarnation_keeps_only_confirmed_entries() {
    let cache = cache();
    assert!(insert(&cache, 1, Some(known()), at(5)));
    // Ahead of the feed: the old life may have ended before, and took this with it.
    assert!(insert(&cache, 2, Some(known()), at(9)));
    assert!(insert(&cache, 3, None, at(9)));
    let before = cache.generation();
    cache.follow(&[], later(7), true, UnixMillis(100));
    let find = |byte| cache.find(&[hash(byte)], UnixMillis(100));
    assert_eq!(find(1), Knowledge::Known(known()));
    assert_eq!(
        (find(2), find(3)),
        (Knowledge::NotAsked, Knowledge::NotAsked)
    );
    assert_ne!(
        cache.generation(),
        before,
        "what was asked for before is old"
    );
    assert!(insert(&cache, 2, Some(known()), later(7)));
    cache.follow(&[hash(1), hash(2)], later(8), true, UnixMillis(100));
    assert_eq!(
        (find(1), find(2)),
        (Knowledge::NotAsked, Knowledge::NotAsked)
    );
}

#[test]
fn a_reset_begins_a_generation() {
    let cache = cache();
    let before = cache.generation();
    assert!(insert(&cache, 2, None, at(5)));
    cache.reset(at(3), UnixMillis(100));
    assert_ne!(cache.generation(), before);
    assert_eq!(cache.find(&[hash(2)], UnixMillis(100)), Knowledge::NotAsked);
}

#[test]
fn a_late_answer_does_not_replace_a_newer_one() {
    let cache = cache();
    assert!(insert(&cache, 1, Some(known()), at(7)));
    assert!(!insert(&cache, 1, None, at(6)));
    assert_eq!(
        cache.find(&[hash(1)], UnixMillis(100)),
        Knowledge::Known(known())
    );
}

#[test]
fn in_an_outage_the_last_that_was_known_speaks() {
    let cache = cache();
    let away = LastKnown(&cache);
    let doubt = Knowledge::Unavailable(Reason::KeyServiceUnavailable);
    assert!(insert(&cache, 1, Some(known()), at(5)));
    assert!(insert(&cache, 2, None, at(5)));
    let find = |byte, now| away.find(&[hash(byte)], UnixMillis(now));
    assert_eq!(find(1, 159), Knowledge::Known(known()));
    assert_eq!(find(2, 159), Knowledge::Unknown);
    assert_eq!(find(3, 159), Knowledge::Outdated(None));
    assert_eq!(find(1, 160), Knowledge::Outdated(Some(known())));
    assert_eq!(find(2, 160), doubt, "unknown when it was last asked about");
    cache.follow(&[hash(1), hash(4)], at(6), true, UnixMillis(100));
    assert_eq!(find(1, 100), doubt, "it may have been revoked");
    assert_eq!(find(4, 100), doubt);
    assert!(insert(&cache, 1, Some(known()), at(6)));
    assert_eq!(find(1, 160), Knowledge::Outdated(Some(known())));
}

#[test]
fn a_flood_of_unknown_keys_pushes_out_no_known_one() {
    let cache = cache();
    assert!(insert(&cache, 1, Some(known()), at(5)));
    for byte in 2..200 {
        assert!(insert(&cache, byte, None, at(5)));
    }
    assert_eq!(
        cache.find(&[hash(1)], UnixMillis(100)),
        Knowledge::Known(known())
    );
    assert_eq!(cache.find(&[hash(2)], UnixMillis(100)), Knowledge::NotAsked);
    assert_eq!(
        cache.find(&[hash(199)], UnixMillis(100)),
        Knowledge::Unknown
    );
}

/// Keeps what was said of a key with these hashes; the second hash is the one that is stored.
fn insert_pair(cache: &KeyCache, bytes: [u8; 2], is_known: bool, at: Position) -> bool {
    let found = is_known.then(|| (hash(bytes[1]), known()));
    cache.insert(&bytes.map(hash), found, at)
}

fn find_pair(cache: &KeyCache, bytes: [u8; 2]) -> Knowledge {
    cache.find(&bytes.map(hash), UnixMillis(100))
}

#[test]
fn a_key_with_several_hashes_takes_one_entry() {
    // Room for two known keys and two unknown ones.
    let cache = cache();
    for (bytes, is_known) in [
        ([10, 11], true),
        ([12, 13], true),
        ([20, 21], false),
        ([22, 23], false),
    ] {
        assert!(insert_pair(&cache, bytes, is_known, at(5)));
    }
    assert_eq!(find_pair(&cache, [10, 11]), Knowledge::Known(known()));
    assert_eq!(find_pair(&cache, [12, 13]), Knowledge::Known(known()));
    assert_eq!(find_pair(&cache, [20, 21]), Knowledge::Unknown);
    assert_eq!(find_pair(&cache, [22, 23]), Knowledge::Unknown);
}

#[test]
fn a_change_of_any_hash_outdates_what_is_known_of_the_key() {
    for changed in [10, 11] {
        for is_known in [true, false] {
            let cache = cache();
            assert!(insert_pair(&cache, [10, 11], is_known, at(5)));
            cache.follow(&[hash(changed)], at(6), true, UnixMillis(100));
            assert_eq!(find_pair(&cache, [10, 11]), Knowledge::NotAsked);
            let away = LastKnown(&cache).find(&[10, 11].map(hash), UnixMillis(100));
            let doubt = Knowledge::Unavailable(Reason::KeyServiceUnavailable);
            assert_eq!(away, doubt, "the key may have been revoked");
            assert!(insert_pair(&cache, [10, 11], is_known, at(6)));
            assert_ne!(find_pair(&cache, [10, 11]), Knowledge::NotAsked);
        }
    }
}

#[test]
fn a_key_unknown_under_some_hashes_may_be_known_under_others() {
    let cache = cache();
    assert!(insert(&cache, 10, None, at(5)));
    assert_eq!(find_pair(&cache, [10, 11]), Knowledge::NotAsked);
    assert!(insert_pair(&cache, [10, 11], false, at(5)));
    assert_eq!(find_pair(&cache, [10, 12]), Knowledge::NotAsked);
    cache.follow(&[hash(10)], at(6), true, UnixMillis(100));
    // Asked again under one of its hashes alone, which says nothing of both.
    assert!(insert(&cache, 10, None, at(6)));
    assert_eq!(find_pair(&cache, [10, 11]), Knowledge::NotAsked);
}

#[test]
fn a_change_that_went_out_of_memory_outdates_what_was_asked_before_it() {
    let cache = cache();
    assert!(insert_pair(&cache, [10, 11], false, at(5)));
    // There is room for two changes.
    for (byte, epoch) in [(11, 6), (30, 7), (31, 8)] {
        cache.follow(&[hash(byte)], at(epoch), true, UnixMillis(100));
    }
    assert_eq!(find_pair(&cache, [10, 11]), Knowledge::NotAsked);
    assert!(insert_pair(&cache, [10, 11], false, at(8)));
    assert_eq!(find_pair(&cache, [10, 11]), Knowledge::Unknown);
}

#[test]
fn after_a_reset_answers_are_kept_although_epochs_restart() {
    let cache = cache();
    for (byte, epoch) in [(11, 6), (30, 7), (31, 8), (10, 9)] {
        cache.follow(&[hash(byte)], at(epoch), true, UnixMillis(100));
    }
    cache.reset(at(3), UnixMillis(100));
    for (bytes, is_known) in [([10, 11], false), ([12, 13], true)] {
        assert!(insert_pair(&cache, bytes, is_known, at(4)));
        assert_ne!(find_pair(&cache, bytes), Knowledge::NotAsked);
    }
}
