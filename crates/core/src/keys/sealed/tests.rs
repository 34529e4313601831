use super::*;
use crate::keys::app_key::{KeyRingId, MasterSecret, NewAppKey, Prefix};

/// An app key that was made of these bytes.
fn new_key(seed: u8) -> NewAppKey {
    let master = MasterSecret::derive(&Secret::new(vec![7; 32])).unwrap();
    let mut next = seed;
    let mut fill = |bytes: &mut [u8]| {
        bytes.fill_with(|| {
            next = next.wrapping_add(7) % 248;
            next
        });
    };
    let kid = KeyRingId::parse("01").unwrap();
    master.generate(&Prefix::parse("kg").unwrap(), kid, &mut fill)
}

fn seal_key(text: &str) -> SealKey {
    let prefix = Prefix::parse(text.split('_').next().unwrap()).unwrap();
    SealKey::of(&AppKey::parse(text.as_bytes(), &prefix).unwrap())
}

fn headers(given: &[(&str, &str)]) -> Result<SealedHeaders, NotSealable> {
    let mut headers = SealedHeaders::none();
    for (name, value) in given {
        headers.add(
            (*name).to_owned(),
            Zeroizing::new(value.as_bytes().to_vec()),
        )?;
    }
    Ok(headers)
}

fn told(headers: &SealedHeaders) -> Vec<(String, String)> {
    let text = |value: &crate::http::edit::SecretValue| {
        String::from_utf8(value.expose().to_vec()).unwrap()
    };
    let all = headers.iter();
    all.map(|(name, value)| (name.to_owned(), text(value)))
        .collect()
}

fn seal(given: &[(&str, &str)], key: &SealKey) -> Result<Sealed, NotSealable> {
    let mut next = 0_u8;
    let mut fill = |bytes: &mut [u8]| {
        bytes.fill_with(|| {
            next = next.wrapping_add(1);
            next
        });
    };
    Sealed::seal(&headers(given)?, key, &mut fill)
}

fn vectors(part: &str) -> Vec<serde_json::Value> {
    let all: serde_json::Value =
        serde_json::from_str(include_str!("../../../../../tests/vectors/sealed.json")).unwrap();
    let part = all[part].as_array().unwrap();
    assert!(part.len() > 5);
    part.clone()
}

#[test]
fn data_that_another_implementation_sealed_opens() {
    for vector in vectors("opened") {
        let key = seal_key(vector["key"].as_str().unwrap());
        let sealed = Sealed::parse(vector["sealed"].as_str().unwrap()).unwrap();
        let mut opened = told(&sealed.open(&key).unwrap());
        opened.sort();
        let expected = vector["headers"].as_object().unwrap();
        let expected = expected.iter();
        let expected = expected.map(|(name, value)| (name.clone(), value.as_str().unwrap().into()));
        assert_eq!(opened, expected.collect::<Vec<_>>(), "{}", vector["id"]);
        assert_eq!(sealed.to_string(), vector["sealed"]);
    }
}

#[test]
fn no_key_opens_data_that_was_forged_or_holds_anything_but_headers() {
    for vector in vectors("rejected") {
        let key = seal_key(vector["key"].as_str().unwrap());
        let sealed = Sealed::parse(vector["sealed"].as_str().unwrap()).unwrap();
        assert_eq!(
            sealed.open(&key).map(|_| ()),
            Err(BrokenSeal),
            "{}",
            vector["id"]
        );
    }
}

#[test]
fn a_text_of_another_form_is_malformed_and_opens_with_no_key() {
    let key = seal_key(&new_key(1).text);
    for vector in vectors("malformed") {
        let text = vector.as_str().unwrap();
        assert_eq!(Sealed::parse(text), Err(MalformedSealed), "{text}");
        assert!(Sealed::stored(text).open(&key).is_err());
    }
}

#[test]
fn no_bit_of_sealed_data_can_be_changed() {
    let key = seal_key(&new_key(1).text);
    let sealed = seal(&[("authorization", "Bearer token")], &key).unwrap();
    assert!(sealed.open(&key).is_ok());
    for bit in 0..sealed.0.len() * 8 {
        let mut changed = sealed.clone();
        changed.0[bit / 8] ^= 1 << (bit % 8);
        assert!(changed.open(&key).is_err(), "bit {bit}");
    }
}

#[test]
fn data_opens_with_its_own_key_alone_and_its_length_tells_little() {
    let (one, other) = (seal_key(&new_key(1).text), seal_key(&new_key(2).text));
    let given = [("authorization", "Bearer a\"b\\c"), ("x-tenant", "acme 7")];
    let sealed = seal(&given, &one).unwrap();
    let opened = told(&sealed.open(&one).unwrap());
    let opened: Vec<_> = opened.iter().map(|(name, it)| (&**name, &**it)).collect();
    assert_eq!(opened, given);
    assert!(sealed.open(&other).is_err());
    let short = seal(&[("x-tenant", "a")], &one).unwrap();
    assert_eq!(sealed.to_string().len(), short.to_string().len());
}

#[test]
fn what_a_header_cannot_carry_is_not_sealed() {
    let key = seal_key(&new_key(1).text);
    let long = "x".repeat(2048);
    let most = "x".repeat(2048 - r#"{"headers":{"x-token":""}}"#.len());
    let quotes = "\"".repeat(2048 - 24);
    for (given, expected) in [
        (&[][..], Some(NotSealable::Empty)),
        (&[("x-token", &*most)], None),
        (&[("x-token", &long)], Some(NotSealable::TooLong)),
        (&[("x-token", &quotes)], Some(NotSealable::TooLong)),
        (&[("host", "a")], Some(NotSealable::Name)),
        (&[("X-Token", "a")], Some(NotSealable::Name)),
        (
            &[("x-token", "a"), ("x-token", "a")],
            Some(NotSealable::Duplicate),
        ),
        (&[("x-token", "")], Some(NotSealable::Value)),
        (&[("x-token", "a\r\nb")], Some(NotSealable::Value)),
        (&[("x-token", "é")], Some(NotSealable::Value)),
        (&[("x-token", "a ")], Some(NotSealable::Value)),
    ] {
        assert_eq!(seal(given, &key).err(), expected, "{given:?}");
    }
}

#[test]
fn neither_keys_nor_headers_are_printed() {
    let key = seal_key(&new_key(1).text);
    let sealed = seal(&[("authorization", "Bearer token")], &key).unwrap();
    let opened = sealed.open(&key).unwrap();
    assert_eq!(format!("{opened:?}"), "[\"authorization\"]");
    let locked = Locked {
        data: Rc::new(sealed),
        key,
    };
    let all = format!("{locked:?} {:?} {:?}", locked.key, locked.data);
    assert_eq!(all, "Locked(..) SealKey(..) Sealed(..)");
}
