use super::*;
use crate::identity::limits::MAX_NAME;

fn hash(byte: u8) -> KeyHash {
    KeyHash([byte; 32])
}

fn record() -> Record {
    serde_json::from_value(serde_json::json!({
        "hash": hash(1).to_string(), "id": "AbCdEfGhIj", "account": "alice",
        "status": "active", "expires_at": 1000, "scopes": ["files:read", "files:write"],
        "allowed_ips": ["10.0.0.0/8", "2001:db8::/32"], "metadata": {"plan": "pro"}
    }))
    .unwrap()
}

fn known() -> Rc<KnownKey> {
    Rc::new(KnownKey::try_from(&record()).unwrap())
}

#[test]
fn an_ipv4_mapped_range_of_a_key_admits_the_ipv4_client() {
    let mut record = record();
    record.allowed_ips = vec!["::ffff:10.0.0.0/104".parse().unwrap()];
    let known = KnownKey::try_from(&record).unwrap();
    for (client, expected) in [
        ("10.1.2.3", Ok(())),
        ("::ffff:10.1.2.3", Ok(())),
        ("11.1.2.3", Err(Reason::AddressNotAllowed)),
    ] {
        let client = Client::Known(client.parse().ok());
        assert_eq!(known.check(None, client, UnixMillis(0)), expected);
    }
}

#[test]
fn a_record_becomes_header_values() {
    let key = known();
    assert_eq!(key.identity.scopes, "files:read files:write");
    assert_eq!(
        key.identity.metadata.as_deref(),
        Some("eyJwbGFuIjoicHJvIn0")
    );
}

#[test]
fn a_key_is_found_under_any_of_its_hashes_and_a_dead_record_decides() {
    let record = |byte: u8, status| Record {
        hash: hash(byte),
        status,
        ..record()
    };
    let active = |byte| record(byte, Status::Active);
    let revoked = |byte| record(byte, Status::Revoked);
    for (records, found) in [
        (vec![], None),
        (vec![active(3)], None),
        (vec![active(1)], Some(1)),
        (vec![active(3), active(2)], Some(2)),
        (vec![active(2), active(1)], Some(1)),
        (vec![active(1), revoked(2)], Some(2)),
        (vec![active(2), revoked(1)], Some(1)),
    ] {
        let among = KnownKey::among(&records, &[hash(1), hash(2)]).unwrap();
        assert_eq!(among.map(|(it, _)| it), found.map(hash), "{records:?}");
    }
}

#[test]
fn a_record_that_could_break_a_header_is_unusable() {
    let spoil: [fn(&mut Record); 9] = [
        |it| it.allowed_referrers = vec!["https://*.com".into()],
        |it| it.allowed_referrers = vec!["https://a.example".into(); 17],
        |it| it.account = "a\r\nb".into(),
        |it| it.account = "caf\u{e9}".into(),
        |it| it.account = String::new(),
        |it| it.id = "x".repeat(MAX_NAME + 1),
        |it| it.scopes = vec!["a b".into()],
        |it| it.metadata = serde_json::value::to_raw_value(&[1]).unwrap(),
        |it| it.metadata = serde_json::value::to_raw_value(&"x".repeat(5000)).unwrap(),
    ];
    for spoil in spoil {
        let mut spoiled = record();
        spoil(&mut spoiled);
        assert!(KnownKey::try_from(&spoiled).is_err(), "{spoiled:?}");
    }
}

#[test]
fn a_stored_referrer_without_scheme_and_dot_stays_usable() {
    let mut stored = record();
    stored.allowed_referrers = vec!["localhost".to_owned()];
    assert!(KnownKey::try_from(&stored).is_ok());
}

#[test]
fn the_largest_record_is_usable_and_none_that_is_larger_by_one() {
    fn metadata(length: usize) -> Box<serde_json::value::RawValue> {
        let text = format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        serde_json::value::RawValue::from_string(text).unwrap()
    }
    let largest = || Record {
        id: "x".repeat(128),
        account: "x".repeat(128),
        scopes: vec!["x".repeat(128); 64],
        allowed_ips: vec!["10.0.0.0/8".parse().unwrap(); 64],
        allowed_referrers: vec!["https://a.example".to_owned(); 16],
        metadata: metadata(4096),
        ..record()
    };
    assert!(KnownKey::try_from(&largest()).is_ok());
    let enlarge: [fn(&mut Record); 7] = [
        |it| it.id.push('x'),
        |it| it.account.push('x'),
        |it| it.scopes[63].push('x'),
        |it| it.scopes.push("x".to_owned()),
        |it| it.allowed_ips.push("10.0.0.0/8".parse().unwrap()),
        |it| it.allowed_referrers.push("https://a.example".to_owned()),
        |it| it.metadata = metadata(4097),
    ];
    for enlarge in enlarge {
        let mut larger = largest();
        enlarge(&mut larger);
        assert!(KnownKey::try_from(&larger).is_err(), "{larger:?}");
    }
}

#[test]
fn status_expiry_address_and_user_are_checked_on_every_use() {
    let inside = Some("10.1.2.3".parse().unwrap());
    let mapped = Some("::ffff:10.1.2.3".parse().unwrap());
    let outside = Some("11.0.0.1".parse().unwrap());
    let now = UnixMillis(999);
    let key = known();
    assert_eq!(key.check(None, Client::Known(inside), now), Ok(()));
    assert_eq!(
        key.check(Some(b"alice"), Client::Known(mapped), now),
        Ok(())
    );
    assert_eq!(
        key.check(Some(b"bob"), Client::Known(inside), now),
        Err(Reason::WrongAccount)
    );
    assert_eq!(
        key.check(None, Client::Known(outside), now),
        Err(Reason::AddressNotAllowed)
    );
    assert_eq!(
        key.check(None, Client::Known(None), now),
        Err(Reason::AddressNotAllowed)
    );
    assert_eq!(
        key.check(None, Client::Known(inside), UnixMillis(1000)),
        Err(Reason::Expired)
    );
    for (status, reason) in [
        (Status::Revoked, Reason::RevokedKey),
        (Status::Disabled, Reason::DisabledKey),
    ] {
        let record = Record { status, ..record() };
        let key = KnownKey::try_from(&record).unwrap();
        assert_eq!(key.check(None, Client::Known(inside), now), Err(reason));
    }
}
