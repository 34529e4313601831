//! What a worker remembers of keys: how much, and for how long.

use std::rc::Rc;

use keygate_core::keys::wire::Incarnation;
use keygate_core::keys::{CacheBounds, KeyHash, KeyLookup as _, Knowledge, KnownKey};
use keygate_core::{Millis, UnixMillis};
use keygate_edge::Seed;
use keygate_edge::parts::{KeyCache, LastKnown, Position};
use serde_json::{Value, json};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

const MAX_BYTES: usize = 1 << 20;

fn at(life: u8, epoch: u64) -> Position {
    let incarnation = Incarnation([life; 16]);
    Position { incarnation, epoch }
}

/// A cache that is bounded by its bytes alone, and follows the feed.
fn cache() -> KeyCache {
    let bounds = CacheBounds {
        max_known: usize::MAX,
        max_unknown: usize::MAX,
        max_bytes: MAX_BYTES,
    };
    let cache = KeyCache::new(bounds, Seed([1, 2]), Millis::from_secs(60));
    cache.follow(&[], at(1, 5), true, NOW);
    cache
}

fn hash(number: usize) -> KeyHash {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_le_bytes());
    KeyHash(hash)
}

fn key(changes: Value) -> Rc<KnownKey> {
    let mut record = json!({
        "hash": hash(0), "id": "id", "account": "alice", "status": "active",
        "scopes": ["a", "b"], "metadata": { "n": 1 }
    });
    let members = record.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    let record = serde_json::from_value(record).unwrap();
    Rc::new(KnownKey::try_from(&record).unwrap())
}

/// Keeps what was said of a key with one hash.
fn insert(cache: &KeyCache, number: usize, key: Option<Rc<KnownKey>>, at: Position) -> bool {
    let found = key.map(|key| (hash(number), key));
    cache.insert(&[hash(number)], found, at)
}

/// How many of so many are still remembered.
fn remembered(cache: &KeyCache, many: usize) -> usize {
    let is_there = |it: &usize| cache.find(&[hash(*it)], NOW) != Knowledge::NotAsked;
    (0..many).filter(is_there).count()
}

#[test]
fn known_keys_take_seven_eighths_of_the_memory_that_the_policy_grants_and_no_more() {
    let cache = cache();
    let large = key(json!({ "metadata": { "n": "x".repeat(4000) } }));
    for number in 0..500 {
        assert!(insert(&cache, number, Some(Rc::clone(&large)), at(1, 5)));
    }
    let bytes = remembered(&cache, 500) * large.bytes();
    let most = MAX_BYTES / 8 * 7;
    assert!((most / 10 * 9..=most).contains(&bytes), "{bytes}");
}

#[test]
fn unknown_keys_fill_at_most_a_sixteenth_of_the_cache() {
    let cache = cache();
    for number in 0..50_000 {
        assert!(insert(&cache, number, None, at(1, 5)));
    }
    let bytes = remembered(&cache, 50_000) * size_of::<KeyHash>();
    let most = MAX_BYTES / 16;
    assert!((most / 8..=most).contains(&bytes), "{bytes}");
}

#[test]
fn two_answers_as_of_the_same_change_both_count() {
    let cache = cache();
    for _ in 0..2 {
        assert!(insert(&cache, 1, Some(key(json!({}))), at(1, 6)));
    }
}

#[test]
fn entries_confirmed_long_before_a_restore_are_not_looked_up_again() {
    let cache = cache();
    assert!(insert(&cache, 1, Some(key(json!({}))), at(1, 5)));
    assert!(insert(&cache, 2, None, at(1, 5)));
    cache.follow(&[], at(1, 7), true, NOW);
    assert!(insert(&cache, 3, None, at(1, 7)));
    cache.follow(&[], at(2, 7), true, NOW);
    for number in 1..=3 {
        let found = cache.find(&[hash(number)], NOW);
        assert_ne!(found, Knowledge::NotAsked, "{number}");
    }
}

#[test]
fn a_key_that_was_asked_about_after_its_last_change_is_not_doubted_once_it_is_displaced() {
    let bounds = CacheBounds {
        max_known: 2,
        ..CacheBounds::default()
    };
    let cache = KeyCache::new(bounds, Seed([1, 2]), Millis::from_secs(60));
    cache.follow(&[], at(1, 5), true, NOW);
    assert!(insert(&cache, 1, Some(key(json!({}))), at(1, 7)));
    cache.follow(&[hash(1), hash(4)], at(1, 7), true, NOW);
    for number in 2..=3 {
        assert!(insert(&cache, number, Some(key(json!({}))), at(1, 7)));
    }
    let find = |number| LastKnown(&cache).find(&[hash(number)], NOW);
    assert_eq!(find(1), Knowledge::Outdated(None));
    assert!(matches!(find(4), Knowledge::Unavailable(_)));
}
