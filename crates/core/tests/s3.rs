//! Presigned URLs of S3, as a policy sees them.

mod tools;

use hmac::Mac as _;
use keygate_core::signed_url::{Order, SignError, Signed};
use keygate_core::{Header, Policy, Reason, Request, UnixMillis};
use keygate_testkit::judge::{format_of, get, judge, policy_in, sign};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const HOST: &str = "examplebucket.s3.amazonaws.com";
const NOW: u64 = 1_369_353_600;

/// The example of AWS's documents.
const LINK: &str = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

fn policy_with(ring: &Value, more: &Value) -> Result<Policy, String> {
    let mut provider =
        json!({ "type": "signed_url", "format": "s3", "secrets": "ring", "region": "us-east-1" });
    let members = provider.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let environment = |name: &str| match name {
        "SECRET" => Some(SECRET.into()),
        _ => Some(b"another secret access key".to_vec()),
    };
    policy_in(&provider, ring, &environment)
}

fn policy(more: &Value) -> Policy {
    policy_with(&json!([{ "id": KEY, "env": "SECRET" }]), more).unwrap()
}

fn request(target: &str, more: &[(&str, &str)]) -> Vec<Header> {
    let mut headers = get(target, more);
    headers[2].1 = HOST.into();
    headers
}

fn judged(target: &str, now: u64) -> Result<String, Reason> {
    judge(&policy(&json!({})), &request(target, &[]), now)
}

/// A link as this format signs it.
fn signed(url: &str, change: impl FnOnce(&mut Order<'_>)) -> Result<Signed, SignError> {
    let (origin, target) = url.split_at(url.find(HOST).map_or(0, |at| at + HOST.len()));
    let mut order = Order {
        origin,
        expires: Some(UnixMillis::from_secs(NOW + 86400)),
        ..keygate_testkit::judge::order(target, UnixMillis::from_secs(NOW))
    };
    change(&mut order);
    let policy = policy(&json!({ "methods": ["GET", "HEAD", "PUT"] }));
    sign(&policy, 0, &order)
}

fn target_of(signed: &Signed) -> &str {
    signed.url.split_once(HOST).unwrap().1
}

#[test]
fn the_example_of_the_documents_passes_through_its_last_second_and_no_longer() {
    let end = NOW + 86400;
    assert_eq!(judged(LINK, NOW + 1).as_deref(), Ok("/test.txt"));
    assert_eq!(judged(LINK, end).as_deref(), Ok("/test.txt"));
    assert_eq!(judged(LINK, end + 1), Err(Reason::Expired));
    assert_eq!(judged(LINK, NOW - 30).as_deref(), Ok("/test.txt"));
    assert_eq!(judged(LINK, NOW - 31), Err(Reason::NotYetValid));
}

#[test]
fn what_is_signed_here_is_the_example_of_the_documents() {
    let made = signed(&format!("https://{HOST}/test.txt"), |_| {}).unwrap();
    assert_eq!(target_of(&made), LINK);
}

#[test]
fn the_token_is_taken_out_and_all_else_stays_as_it_came() {
    let url = format!("https://{HOST}/a%20b?x-id=GetObject&versionId=%2f&b");
    let made = signed(&url, |_| {}).unwrap();
    let expected = "/a%20b?x-id=GetObject&versionId=%2f&b";
    assert_eq!(judged(target_of(&made), NOW).as_deref(), Ok(expected));
}

#[test]
fn an_equivalent_spelling_is_the_same_link_and_a_plus_is_no_blank() {
    let url = format!("https://{HOST}/a(b)/c~d?v=%20%2B");
    let made = signed(&url, |_| {}).unwrap();
    let target = target_of(&made);
    for (from, to, holds) in [
        ("a(b)", "a%28b%29", true),
        ("%2B", "%2b", true),
        ("%2B", "+", false),
        ("%20", "+", false),
        ("c~d", "c%257ed", false),
    ] {
        let judged = judged(&target.replacen(from, to, 1), NOW);
        assert_eq!(judged.is_ok(), holds, "{from} as {to}: {judged:?}");
    }
}

#[test]
fn a_broken_triplet_cannot_replace_a_signed_one() {
    let url = format!("https://{HOST}/a?v=%2F&w=%A1");
    let made = signed(&url, |_| {}).unwrap();
    let target = target_of(&made);
    assert!(judged(target, NOW).is_ok());
    for (from, to) in [
        ("v=%2F", "v=%%32F"),
        ("v=%2F", "v=%2%46"),
        ("w=%A1", "w=%%411"),
        ("w=%A1", "w=%%41%31"),
    ] {
        let judged = judged(&target.replacen(from, to, 1), NOW);
        assert_eq!(judged, Err(Reason::MalformedCredential), "{to}");
    }
}

#[test]
fn another_method_host_path_query_or_header_is_a_wrong_signature() {
    let policy = policy(&json!({ "methods": ["GET", "HEAD", "PUT"] }));
    let wrong = Err(Reason::WrongSignature);
    let mut head = request(LINK, &[]);
    head[0].1 = b"HEAD".into();
    assert_eq!(judge(&policy, &head, NOW), wrong);
    let mut elsewhere = request(LINK, &[]);
    elsewhere[2].1 = b"otherbucket.s3.amazonaws.com".into();
    assert_eq!(judge(&policy, &elsewhere, NOW), wrong);
    for target in [
        LINK.replace("/test.txt", "/test.txs"),
        LINK.replace("/test.txt", "/Test.txt"),
        format!("{LINK}&versionId=1"),
        LINK.replace("?", "?response-content-type=text/html&"),
        LINK.replace("86400", "86401"),
        LINK.replace("20130524T000000Z", "20130524T000001Z"),
    ] {
        assert_eq!(judged(&target, NOW), wrong, "{target}");
    }
}

#[test]
fn the_host_may_be_spelled_in_upper_case_and_with_its_default_port() {
    let policy = policy(&json!({}));
    for host in [
        "ExampleBucket.s3.amazonaws.com",
        "examplebucket.s3.amazonaws.com:443",
    ] {
        let mut headers = request(LINK, &[]);
        headers[2].1 = host.into();
        assert!(judge(&policy, &headers, NOW).is_ok(), "{host}");
    }
}

#[test]
fn an_unknown_or_retired_access_key_is_a_wrong_signature() {
    let wrong = Err(Reason::WrongSignature);
    let ring = |id: &str, not_after: &str| {
        json!([
            { "id": "other", "env": "OTHER" },
            { "id": id, "env": "SECRET", "not_after": not_after },
        ])
    };
    for (id, not_after, expected) in [
        (KEY, "2013-05-25T00:00:00Z", Ok("/test.txt".to_owned())),
        (KEY, "2013-05-24T00:00:00Z", wrong.clone()),
        ("AKIANOTHER", "2013-05-25T00:00:00Z", wrong),
    ] {
        let policy = policy_with(&ring(id, not_after), &json!({})).unwrap();
        let judged = judge(&policy, &request(LINK, &[]), NOW);
        assert_eq!(judged, expected, "{id} {not_after}");
    }
}

/// The first entry of the ring stands in for a key that is not there: it must not count.
#[test]
fn the_secret_of_another_access_key_does_not_count() {
    for (entry, reason) in [
        (
            json!({ "id": "AKIAOTHER", "env": "SECRET" }),
            Reason::WrongSignature,
        ),
        (
            json!({ "id": KEY, "env": "SECRET", "not_after": "2013-05-24T00:00:00Z" }),
            Reason::NoCurrentSecret,
        ),
    ] {
        let policy = policy_with(&json!([entry]), &json!({})).unwrap();
        let judged = judge(&policy, &request(LINK, &[]), NOW);
        assert_eq!(judged, Err(reason), "{entry}");
    }
}

/// Signed for the region of the provider, under the name of another.
#[test]
fn a_credential_with_another_scope_than_was_signed_is_a_wrong_signature() {
    let (link, _) = LINK.rsplit_once('&').unwrap();
    let signs = |link: &str| {
        let (path, query) = link.split_once('?').unwrap();
        let digest = |text: &str| hex(&Sha256::digest(text.as_bytes()));
        let request = format!("GET\n{path}\n{query}\nhost:{HOST}\n\nhost\nUNSIGNED-PAYLOAD");
        let scope = "20130524/us-east-1/s3/aws4_request";
        let text = format!(
            "AWS4-HMAC-SHA256\n20130524T000000Z\n{scope}\n{}",
            digest(&request)
        );
        let first = format!("AWS4{SECRET}").into_bytes();
        let key = scope.split('/').fold(first, |key, part| mac(&key, part));
        format!("{link}&X-Amz-Signature={}", hex(&mac(&key, &text)))
    };
    assert_eq!(signs(link), LINK);
    for (from, to) in [("us-east-1", "eu-west-1"), ("%2Fs3%2F", "%2Fsts%2F")] {
        let judged = judged(&signs(&link.replace(from, to)), NOW);
        assert_eq!(judged, Err(Reason::WrongSignature), "{to}");
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = keygate_core::secret::mac(key);
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

#[test]
fn a_link_of_another_region_or_service_is_a_wrong_signature() {
    for more in [
        json!({ "region": "eu-west-1" }),
        json!({ "service": "s3-outposts" }),
    ] {
        let judged = judge(&policy(&more), &request(LINK, &[]), NOW);
        assert_eq!(judged, Err(Reason::WrongSignature), "{more}");
    }
}

#[test]
fn every_part_of_the_token_is_there_once_and_of_its_one_form() {
    let malformed = Reason::MalformedCredential;
    for (from, to, reason) in [
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", malformed),
        ("AWS4-HMAC-SHA256", "none", malformed),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256&", "", malformed),
        ("X-Amz-Expires=86400&", "", malformed),
        ("X-Amz-Date=20130524T000000Z&", "", malformed),
        ("X-Amz-SignedHeaders=host&", "", malformed),
        ("=86400", "=086400", malformed),
        ("=86400", "=+86400", malformed),
        ("=86400", "=-1", malformed),
        ("=86400", "=0", malformed),
        ("=86400", "=8.6e4", malformed),
        ("=86400", "=99999999999999999999", malformed),
        ("20130524T000000Z", "20130524T000000", malformed),
        ("20130524T000000Z", "2013-05-24T00:00:00Z", malformed),
        ("20130524T000000Z", "20130532T000000Z", malformed),
        ("20130524T000000Z", "20130525T000000Z", malformed),
        ("%2Faws4_request", "%2Faws4_request%2F", malformed),
        ("%2Faws4_request", "", malformed),
        ("SignedHeaders=host", "SignedHeaders=", malformed),
        ("SignedHeaders=host", "SignedHeaders=Host", malformed),
        ("SignedHeaders=host", "SignedHeaders=x-a", malformed),
        ("SignedHeaders=host", "SignedHeaders=host%3Bhost", malformed),
        ("SignedHeaders=host", "SignedHeaders=host%3Ba", malformed),
        ("SignedHeaders=host", "SignedHeaders=host%3B", malformed),
        (
            "SignedHeaders=host",
            "SignedHeaders=:path%3Bhost",
            malformed,
        ),
        ("d404", "D404", malformed),
        ("d404", "d40", malformed),
        ("d404", "d4040", malformed),
        ("d404", "d40%34x", malformed),
        ("X-Amz-Date", "x-amz-date", malformed),
        ("X-Amz-Date", "%58-Amz-Date", malformed),
        ("?", "?x-amz-signature=00&", malformed),
        ("?", "?X-Amz-Content-Sha256=00&", malformed),
        (
            "?",
            "?X-Amz-Date=20130524T000000Z&",
            Reason::DuplicateCredential,
        ),
        ("?", "?X-Amz-Signature=00&", Reason::DuplicateCredential),
        ("?", "?a=1&a=2&", Reason::DuplicateCredential),
        ("?", "?a=1&%61=2&", Reason::DuplicateCredential),
    ] {
        let target = LINK.replacen(from, to, 1);
        assert_ne!(target, LINK, "{from}");
        assert_eq!(judged(&target, NOW), Err(reason), "{from} as {to}");
    }
    assert_eq!(judged("/test.txt", NOW), Err(Reason::MissingCredential));
}

#[test]
fn a_signed_header_must_be_there_once_with_its_value() {
    let made = signed(&format!("https://{HOST}/a"), |order| {
        order.headers = &[("x-amz-acl", "private")];
        order.method = "PUT";
    });
    let made = made.unwrap();
    let policy = policy(&json!({ "methods": ["PUT"] }));
    let tried = |headers: &[(&str, &str)]| {
        let mut request = request(target_of(&made), headers);
        request[0].1 = b"PUT".into();
        judge(&policy, &request, NOW).map(drop)
    };
    assert_eq!(tried(&[("x-amz-acl", "private")]), Ok(()));
    assert_eq!(tried(&[("x-amz-acl", " private ")]), Ok(()));
    assert_eq!(
        tried(&[("x-amz-acl", "public-read")]),
        Err(Reason::WrongSignature)
    );
    assert_eq!(tried(&[]), Err(Reason::WrongSignature));
    let twice = [("x-amz-acl", "private"), ("x-amz-acl", "private")];
    assert_eq!(tried(&twice), Err(Reason::DuplicateCredential));
    let more = [("x-amz-acl", "private"), ("x-amz-tagging", "a=b")];
    assert_eq!(tried(&more), Err(Reason::WrongSignature), "not signed");
}

#[test]
fn only_the_methods_of_the_provider_pass_and_only_for_its_time() {
    let url = format!("https://{HOST}/a");
    let put = signed(&url, |order| order.method = "PUT").unwrap();
    let mut headers = request(target_of(&put), &[]);
    headers[0].1 = b"PUT".into();
    let rejected = judge(&policy(&json!({})), &headers, NOW);
    assert_eq!(rejected, Err(Reason::InsufficientScope));
    let short = policy(&json!({ "max_lifetime": "1h" }));
    let rejected = judge(&short, &request(LINK, &[]), NOW);
    assert_eq!(rejected, Err(Reason::LifetimeTooLong));
}

proptest::proptest! {
    #[test]
    fn untrusted_bytes_never_panic(path in "[ -~]{0,40}", value in "[ -~]{0,80}") {
        for name in ["Credential", "Date", "Expires", "SignedHeaders", "Signature"] {
            let start = LINK.find(&format!("X-Amz-{name}=")).unwrap() + name.len() + 7;
            let end = LINK[start..].find('&').map_or(LINK.len(), |at| start + at);
            let target = format!("/{path}{}{value}{}", &LINK[9..start], &LINK[end..]);
            let _ = judged(&target, NOW);
        }
    }
}
