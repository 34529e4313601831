//! Service SAS of Azure Blob Storage, as a policy sees them.

mod tools;

use keygate_core::keys::NoAnswer;
use keygate_core::signed_url::{Covers, Order, Scope, SignError};
use keygate_core::{Header, Policy, Reason, Request, UnixMillis};
use keygate_testkit::judge::{format_of, get, judge_from, policy_in, sign};
use serde_json::{Value, json};

const KEY: &str =
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";

/// What azure-storage-blob 12.31.1 makes.
const LINK: &str = "/pictures/profile.jpg?st=2020-01-01T00%3A00%3A00Z&se=2030-01-01T00%3A00%3A00Z&sp=r&sip=168.1.5.60-168.1.5.70&spr=https&sv=2026-10-06&sr=b&sig=80JDTOTmRHHSLtOvPVKj84m2s7c7M4YLol0hkYFhK0Q%3D";
const END: u64 = 1_893_456_000;
const NOW: u64 = END - 3600;

const ANY: ipnet::IpNet = ipnet::IpNet::V4(ipnet::Ipv4Net::new_assert(
    std::net::Ipv4Addr::new(168, 1, 5, 64),
    30,
));

fn policy_with(ring: &Value, more: &Value) -> Result<Policy, String> {
    let mut provider = json!({
        "type": "signed_url", "format": "azure-sas", "secrets": "ring",
        "account": "myaccount", "max_lifetime": "7d"
    });
    let members = provider.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let environment = |name: &str| match name {
        "KEY" => Some(KEY.into()),
        _ => Some(b"AAAA".to_vec()),
    };
    policy_in(&provider, ring, &environment)
}

fn policy(more: &Value) -> Policy {
    let ring = json!([{ "id": "key1", "env": "KEY", "encoding": "base64" }]);
    policy_with(&ring, more).unwrap()
}

fn request(target: &str) -> Vec<Header> {
    get(target, &[(":scheme", "https")])
}

fn judged(target: &str, now: u64) -> Result<String, Reason> {
    judge_from(&policy(&json!({})), &request(target), "168.1.5.65", now)
}

fn signed(target: &str, change: impl FnOnce(&mut Order<'_>)) -> Result<String, SignError> {
    let mut order = Order {
        expires: Some(UnixMillis::from_secs(END)),
        ..keygate_testkit::judge::order(target, UnixMillis::from_secs(NOW))
    };
    change(&mut order);
    sign(&policy(&json!({})), 0, &order).map(|it| it.url)
}

#[test]
fn a_token_of_the_library_passes_until_the_second_of_its_expiry() {
    assert_eq!(judged(LINK, NOW).as_deref(), Ok("/pictures/profile.jpg"));
    assert!(judged(LINK, END - 1).is_ok());
    assert_eq!(judged(LINK, END), Err(Reason::Expired));
    let week = 7 * 24 * 3600;
    assert!(judged(LINK, END - week - 30).is_ok());
    assert_eq!(judged(LINK, END - week - 31), Err(Reason::LifetimeTooLong));
    // st is 2020-01-01.
    assert_eq!(judged(LINK, 1_577_836_800 - 31), Err(Reason::NotYetValid));
}

#[test]
fn the_address_must_be_in_the_range_and_known() {
    let policy = policy(&json!({}));
    for (client, fits) in [
        ("168.1.5.60", true),
        ("168.1.5.70", true),
        ("::ffff:168.1.5.61", true),
        ("168.1.5.59", false),
        ("168.1.5.71", false),
        ("::1", false),
        ("", false),
    ] {
        let judged = judge_from(&policy, &request(LINK), client, NOW).map(drop);
        let expected = if fits {
            Ok(())
        } else {
            Err(Reason::AddressNotAllowed)
        };
        assert_eq!(judged, expected, "{client:?}");
    }
}

#[test]
fn a_link_for_https_and_to_read_is_for_nothing_else() {
    let scoped = Err(Reason::InsufficientScope);
    let tried = |headers: &[Header]| judge_from(&policy(&json!({})), headers, "168.1.5.65", NOW);
    assert_eq!(tried(&get(LINK, &[(":scheme", "http")])), scoped);
    assert_eq!(tried(&get(LINK, &[])), scoped);
    for (method, expected) in [("HEAD", true), ("PUT", false), ("DELETE", false)] {
        let mut headers = request(LINK);
        headers[0].1 = method.into();
        assert_eq!(tried(&headers).is_ok(), expected, "{method}");
    }
}

#[test]
fn every_field_is_signed() {
    for (from, to) in [
        ("/profile.jpg", "/profile.jpf"),
        ("/pictures/", "/picture/"),
        ("/pictures/", "/pictures/a/"),
        ("profile.jpg?", "profile.jpg/?"),
        ("se=2030", "se=2031"),
        ("st=2020-01-01T00%3A00%3A00Z&", ""),
        ("&sip=168.1.5.60-168.1.5.70", ""),
        (".70", ".71"),
        ("&spr=https", ""),
        ("&spr=https", "&spr=https,http"),
        ("sp=r", "sp=rw"),
        ("2026-10-06", "2020-12-06"),
        ("sr=b", "sr=c"),
        ("&sig", "&rscd=attachment&sig"),
        ("&sig", "&rsct=text%2Fhtml&sig"),
        ("&sig", "&ses=scope&sig"),
        ("80JD", "80JE"),
    ] {
        let target = LINK.replacen(from, to, 1);
        assert_ne!(target, LINK, "{from}");
        assert_eq!(
            judged(&target, NOW),
            Err(Reason::WrongSignature),
            "{from} as {to}"
        );
    }
    let elsewhere = policy(&json!({ "account": "other" }));
    let rejected = judge_from(&elsewhere, &request(LINK), "168.1.5.65", NOW);
    assert_eq!(rejected, Err(Reason::WrongSignature));
    let other = policy(&json!({ "container": "others" }));
    let rejected = judge_from(&other, &request(LINK), "168.1.5.65", NOW);
    assert_eq!(rejected, Err(Reason::WrongSignature));
}

#[test]
fn every_field_is_unique_and_in_canonical_form() {
    let malformed = Reason::MalformedCredential;
    for (from, to, reason) in [
        ("&sig", "&sig=00&sig", Reason::DuplicateCredential),
        ("&sig", "&se=2031-01-01&sig", Reason::DuplicateCredential),
        ("&sig", "&%73p=w&sig", Reason::DuplicateCredential),
        ("&sig", "&SE=2031-01-01&sig", malformed),
        ("&sig", "&comp=list&restype=container&sig", malformed),
        ("&sig", "&si=policy&sig", malformed),
        ("&sig", "&skoid=x&sig", malformed),
        ("&sig", "&ss=b&srt=o&sig", malformed),
        ("&sig", "&&sig", malformed),
        ("&sig", "&rscd=a%0Ab&sig", malformed),
        ("&sig", "&rscd=a+b&sig", malformed),
        ("&sig", "&rscd&sig", malformed),
        ("sr=b", "sr=bs", malformed),
        ("sr=b", "sr=d", malformed),
        ("sp=r&", "", malformed),
        ("sp=r&", "sp=&", malformed),
        ("sp=r", "sp=rr", malformed),
        ("sp=r", "sp=r%20", malformed),
        ("sv=2026-10-06", "sv=2015-04-05", malformed),
        ("sv=2026-10-06", "sv=2026-1-006", malformed),
        ("&sv=2026-10-06", "", malformed),
        ("spr=https", "spr=http", malformed),
        ("spr=https", "spr=http,https", malformed),
        ("sip=168", "sip=0168", malformed),
        (".60-", ".80-", malformed),
        ("se=2030-01-01T00%3A00%3A00Z", "se=1893456000", malformed),
        (
            "se=2030-01-01T00%3A00%3A00Z",
            "se=2030-01-01T00%3A00%3A00%2B00%3A00",
            malformed,
        ),
        (
            "se=2030-01-01T00%3A00%3A00Z",
            "se=2030-01-01 00%3A00%3A00Z",
            Reason::AmbiguousPath,
        ),
        ("se=2030-01-01T00%3A00%3A00Z&", "", malformed),
        ("0Q%3D", "0Q", malformed),
        ("0Q%3D", "0R%3D", malformed),
        ("0Q%3D", "0Q%3D%3D", malformed),
        ("80JD", "80J_", malformed),
        ("80JD", "%2180JD", malformed),
    ] {
        let target = LINK.replacen(from, to, 1);
        assert_ne!(target, LINK, "{from}");
        assert_eq!(judged(&target, NOW), Err(reason), "{from} as {to}");
    }
    let missing = Err(Reason::MissingCredential);
    assert_eq!(judged("/pictures/profile.jpg", NOW), missing);
}

#[test]
fn a_link_of_a_container_opens_its_blobs_and_no_other_container() {
    let prefix = Scope::Prefix("/pictures/");
    let link = signed("/pictures/a.jpg", |it| it.scope = prefix).unwrap();
    assert_eq!(judged(&link, NOW).as_deref(), Ok("/pictures/a.jpg"));
    let other = link.replace("/a.jpg", "/b/c%20d.jpg");
    assert_eq!(judged(&other, NOW).as_deref(), Ok("/pictures/b/c%20d.jpg"));
    for path in ["/picturesnew/", "/picture/", "/other/"] {
        let rejected = judged(&link.replace("/pictures/", path), NOW);
        assert_eq!(rejected, Err(Reason::WrongSignature), "{path}");
    }
    let policy = policy(&json!({}));
    let headers = request(&other);
    let request = Request::read(&headers).unwrap();
    let unknown = NoAnswer(Reason::KeyServiceUnavailable);
    let facts = keygate_testkit::judge::facts(&unknown, None, UnixMillis::from_secs(NOW));
    let link = format_of(&policy, 0).verify(&request, &facts.of_link());
    let link = link.unwrap();
    assert_eq!(link.covers, Covers::Prefix("/pictures/"));
    assert_eq!(link.expires, Some(UnixMillis::from_secs(END)));
}

#[test]
fn a_network_is_signed_as_its_range() {
    let link = signed("/pictures/a.jpg", |it| it.addresses = &[ANY]).unwrap();
    assert!(link.contains("&sip=168.1.5.64-168.1.5.67&"), "{link}");
    let policy = policy(&json!({}));
    for (client, fits) in [("168.1.5.67", true), ("168.1.5.68", false)] {
        let judged = judge_from(&policy, &request(&link), client, NOW);
        assert_eq!(judged.is_ok(), fits, "{client}");
    }
}

#[test]
fn headers_of_the_answer_are_signed_and_forwarded_as_they_came() {
    let link = signed("/pictures/a%20b.jpg", |it| {
        it.options = &[("rscd", "attachment; filename=\"\u{e4}\"")];
    });
    let link = link.unwrap();
    let expected = "/pictures/a%20b.jpg?rscd=attachment%3B%20filename%3D%22%C3%A4%22";
    assert_eq!(judged(&link, NOW).as_deref(), Ok(expected));
    let rejected = judged(&link.replace("attachment", "inline"), NOW);
    assert_eq!(rejected, Err(Reason::WrongSignature));
}

#[test]
fn both_keys_of_an_account_verify_in_their_time() {
    let ring = |not_after: &str| {
        json!([
            { "id": "key2", "env": "OTHER", "encoding": "base64" },
            { "id": "key1", "env": "KEY", "encoding": "base64", "not_after": not_after },
        ])
    };
    for (not_after, expected) in [
        ("2030-01-01T00:00:00Z", true),
        ("2029-12-31T23:00:00Z", false),
    ] {
        let policy = policy_with(&ring(not_after), &json!({})).unwrap();
        let judged = judge_from(&policy, &request(LINK), "168.1.5.65", NOW);
        assert_eq!(judged.is_ok(), expected, "{not_after}");
    }
}

proptest::proptest! {
    #[test]
    fn untrusted_bytes_never_panic(path in "[ -~]{0,40}", value in "[ -~]{0,80}") {
        for name in ["st", "se", "sp", "sip", "spr", "sv", "sr", "sig"] {
            let start = LINK.find(&format!("{name}=")).unwrap() + name.len() + 1;
            let end = LINK[start..].find('&').map_or(LINK.len(), |at| start + at);
            let target = format!("/{path}{}{value}{}", &LINK[21..start], &LINK[end..]);
            let _ = judged(&target, NOW);
        }
    }
}
