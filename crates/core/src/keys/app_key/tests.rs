use super::*;
use crate::secret::RingEntry;

fn ring(ids: &[&str]) -> KeyRing<MasterSecret> {
    let entry = |id: &&str| RingEntry {
        id: (*id).to_owned(),
        key: master(id.as_bytes()[1]),
        not_before: None,
        not_after: None,
    };
    KeyRing(ids.iter().map(entry).collect())
}

fn master(byte: u8) -> MasterSecret {
    MasterSecret::derive(&Secret::new(vec![byte; 32])).unwrap()
}

fn prefix() -> Prefix {
    Prefix::parse("kg").unwrap()
}

fn generate(kid: &str) -> NewAppKey {
    let mut next = 0_u8;
    let mut fill = |bytes: &mut [u8]| {
        bytes[0] = next;
        next = next.wrapping_add(7) % 248;
    };
    let kid = KeyRingId::parse(kid).unwrap();
    master(kid.0[1]).generate(&prefix(), kid, &mut fill)
}

#[test]
fn prefixes_and_ids_have_one_form() {
    for prefix in ["k", "kg", "0123456789abcdef"] {
        assert!(Prefix::parse(prefix).is_ok(), "{prefix}");
    }
    for wrong in ["", "KG", "k_", "kG", "0123456789abcdefg"] {
        assert_eq!(Prefix::parse(wrong), Err(AppKeyError::Prefix), "{wrong}");
    }
    assert!(KeyRingId::parse("aZ").is_ok());
    for wrong in ["", "a", "a-", "_1", "abc"] {
        assert_eq!(KeyRingId::parse(wrong), Err(AppKeyError::Kid), "{wrong}");
    }
}

#[test]
fn a_generated_key_authenticates_to_the_hash_that_was_stored() {
    let new = generate("01");
    assert_eq!(new.text.len(), 62);
    assert_eq!(&new.text[3..5], "01");
    assert_eq!(new.text[5..15], new.id);
    let key = AppKey::parse(new.text.as_bytes(), &prefix()).unwrap();
    let hash = ring(&["00", "01"]).authenticate(&key, UnixMillis(0));
    assert_eq!(hash, Some(new.hash));
}

/// Computed with Python's hmac, hashlib and zlib from the words of the design:
/// tests/vectors/app-keys.json says how.
#[test]
fn the_known_answers_hold() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../../../../tests/vectors/app-keys.json")).unwrap();
    for vector in vectors["vectors"].as_array().unwrap() {
        let field = |name: &str| vector[name].as_str().unwrap();
        let secret = Secret::decode(field("secret").as_bytes(), Default::default()).unwrap();
        let ring = KeyRing(vec![RingEntry {
            id: field("kid").to_owned(),
            key: MasterSecret::derive(&secret).unwrap(),
            not_before: None,
            not_after: None,
        }]);
        let prefix = Prefix::parse(field("prefix")).unwrap();
        let key = AppKey::parse(field("key").as_bytes(), &prefix).unwrap();
        let hash = ring.authenticate(&key, UnixMillis(0)).unwrap();
        assert_eq!(hash.to_string(), field("hash"));
    }
}

/// Computed by the same independent program from the words of docs/app-keys.md.
#[test]
fn the_known_answers_for_imported_keys_match() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../../../../tests/vectors/app-keys.json")).unwrap();
    let vectors = vectors["imported"].as_array().unwrap();
    assert!(!vectors.is_empty());
    for vector in vectors {
        let field = |name: &str| vector[name].as_str().unwrap();
        let master = MasterSecret::derive(&Secret::new(field("secret").into())).unwrap();
        let key = OpaqueKey::parse(field("key").as_bytes()).unwrap();
        let digest = KeyDigest::of(&key);
        for text in [field("sha256"), field("sha256_base64")] {
            assert_eq!(KeyDigest::parse(text.as_bytes()), Ok(digest));
        }
        assert_eq!(master.hash_digest(&digest).to_string(), field("hash"));
        let earlier = master.hash_text(&key).to_string();
        assert_eq!(earlier, field("hash_of_earlier_versions"));
    }
}

#[test]
fn every_changed_byte_is_noticed_locally() {
    let genuine = generate("01").text.to_string();
    let ring = ring(&["01"]);
    for at in 0..genuine.len() {
        let mut bytes = genuine.clone().into_bytes();
        bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
        // Also with a checksum that fits, as a forger would make it.
        let mut repaired = bytes.clone();
        let end = repaired.len() - CRC;
        let crc = checksum(&repaired[..end]);
        repaired[end..].copy_from_slice(&crc);
        for forged in [bytes, repaired] {
            if forged == genuine.as_bytes() {
                continue;
            }
            let hash = AppKey::parse(&forged, &prefix())
                .ok()
                .and_then(|key| ring.authenticate(&key, UnixMillis(0)));
            assert_eq!(hash, None, "byte {at}");
        }
    }
}

#[test]
fn a_retired_master_secret_authenticates_nothing() {
    let new = generate("01");
    let key = AppKey::parse(new.text.as_bytes(), &prefix()).unwrap();
    let mut ring = ring(&["01"]);
    ring.0[0].not_after = Some(UnixMillis(100));
    assert!(ring.authenticate(&key, UnixMillis(99)).is_some());
    assert!(ring.authenticate(&key, UnixMillis(100)).is_none());
}

#[test]
fn nothing_prints_a_key() {
    let new = generate("01");
    let key = AppKey::parse(new.text.as_bytes(), &prefix()).unwrap();
    let printed = format!("{key:?} {:?} {:?}", new.hash, master(1));
    assert_eq!(printed, "AppKey(..) KeyHash(..) MasterSecret(..)");
}

proptest::proptest! {
    #[test]
    fn untrusted_bytes_never_panic(text: Vec<u8>) {
        let _ = AppKey::parse(&text, &prefix());
    }

    #[test]
    fn no_text_of_the_right_shape_authenticates(tail in "[0-9A-Za-z]{12}_[0-9A-Za-z]{40}") {
        let body = format!("kg_{tail}");
        let crc = ascii(&checksum(body.as_bytes()));
        let text = body + &crc;
        let key = AppKey::parse(text.as_bytes(), &prefix()).unwrap();
        proptest::prop_assert!(ring(&["01"]).authenticate(&key, UnixMillis(0)).is_none());
    }
}
