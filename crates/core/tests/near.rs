//! A link that does not hold: what was signed instead is found where it can be.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::Mac as _;
use keygate_core::keys::NothingKnown;
use keygate_core::secret::{KeyRing, RingEntry, mac};
use keygate_core::signed_url::cloudflare::{
    Alphabet, Cloudflare, Directory, LinkCarrier, NearMiss, Signs, Stamp,
};
use keygate_core::signed_url::{Format as _, MacKey};
use keygate_core::{Millis, Reason, Request, UnixMillis};
use keygate_testkit::judge::{facts, get};

const NOW: UnixMillis = UnixMillis(1_700_000_100_000);

fn links(directory: Option<Directory>) -> Cloudflare {
    let entry = |id: &str, not_after| RingEntry {
        id: id.to_owned(),
        key: MacKey::new(id.as_bytes(), &Rc::default()),
        not_before: None,
        not_after,
    };
    Cloudflare {
        ring: KeyRing(vec![
            entry("new", None),
            entry("old", Some(UnixMillis::from_secs(1_600_000_000))),
        ]),
        carriers: vec![LinkCarrier::Parameter("verify".to_owned())],
        alphabet: Alphabet::Standard,
        stamp: Stamp::Issued {
            ttl: Millis::from_secs(3 * 3600),
        },
        skew: Millis::from_secs(30),
        directory,
        signs: Signs::Uri,
    }
}

fn signature(secret: &str, message: &str) -> Vec<u8> {
    let mut mac = mac(secret.as_bytes());
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn escaped(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    text.replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D")
}

/// What is found of this token behind a target.
fn near(links: &Cloudflare, target: &str, mac: &str) -> Option<NearMiss> {
    let separator = if target.contains('?') { '&' } else { '?' };
    let headers = get(&format!("{target}{separator}verify=1700000000-{mac}"), &[]);
    let request = Request::read(&headers).unwrap();
    let rejected = links
        .verify(&request, &facts(&NothingKnown, None, NOW).of_link())
        .unwrap_err();
    assert!([Reason::WrongSignature, Reason::MalformedCredential].contains(&rejected));
    links.near_miss(&request, NOW)
}

#[test]
fn explain_names_what_was_signed_instead() {
    let target = "/media/a%2Cb/c.jpg?q=1";
    for (message, expected) in [
        (
            "/media/a%2Cb/c.jpg/?q=11700000000",
            "the path with a slash at its end",
        ),
        ("/media/a%2Cb/c.jpg1700000000", "the path without the query"),
        (
            "media/a%2Cb/c.jpg?q=11700000000",
            "the path without its first slash",
        ),
        (
            "/media/a,b/c.jpg?q=11700000000",
            "the path without percent encoding",
        ),
        (
            "/media/a%2cb/c.jpg?q=11700000000",
            "the path with percent encoding in lower case",
        ),
        (
            "example.com/media/a%2Cb/c.jpg?q=11700000000",
            "the host and the path",
        ),
        (
            "https://example.com/media/a%2Cb/c.jpg?q=11700000000",
            "the whole URL",
        ),
        ("/media/1700000000", "the directory /media/ (see directory)"),
        (
            "/media/a%2Cb/c.jpg?q=1&verify=1700000000",
            "the ? or & and the name",
        ),
        (
            "/media/a%2Cb/c.jpg?q=11700000001",
            "the time 1700000001 instead of the time in the link",
        ),
        (
            "/media/a%2Cb/c.jpg?q=11700010800",
            "the time 1700010800 instead of the time in the link: the expiry",
        ),
        (
            "/media/a%2Cb/c.jpg?q=11700000000000",
            "the time 1700000000000 instead of the time in the link: milli",
        ),
        (
            "/media/a%2Cb/c.jpg?q=1",
            "the time  instead of the time in the link: no time",
        ),
    ] {
        let found = near(&links(None), target, &escaped(&signature("new", message)));
        let found = found.unwrap_or_else(|| panic!("{expected}"));
        assert_eq!((found.secret.as_str(), found.is_current), ("new", true));
        let signed = found.signed.unwrap();
        assert!(signed.starts_with(expected), "{signed} is not {expected}");
    }
}

#[test]
fn a_retired_secret_is_named() {
    let found = near(
        &links(None),
        "/a",
        &escaped(&signature("old", "/a1700000000")),
    );
    let expected = NearMiss {
        secret: "old".to_owned(),
        is_current: false,
        written: None,
        signed: None,
    };
    assert_eq!(found, Some(expected));
}

#[test]
fn a_mac_that_is_written_otherwise_is_recognised() {
    let bytes = signature("new", "/a1700000000");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    for (text, expected) in [
        (URL_SAFE_NO_PAD.encode(&bytes), "in base64url"),
        (
            escaped(&bytes).replace("%3D", ""),
            "in base64 without padding",
        ),
        (hex, "in hexadecimal digits"),
    ] {
        let found = near(&links(None), "/a", &text).unwrap();
        assert_eq!((found.written, found.signed), (Some(expected), None));
    }
}

#[test]
fn a_whole_path_in_place_of_its_directory_is_named() {
    let mac = escaped(&signature("new", "/media/a1700000000"));
    let found = near(&links(Some(Directory::Length(7))), "/media/a", &mac).unwrap();
    assert_eq!(found.signed.unwrap(), "the whole path, not its directory");
}

#[test]
fn explain_says_nothing_about_unsigned_data() {
    for mac in [escaped(&signature("other", "/a1700000000")), "x".to_owned()] {
        assert_eq!(near(&links(None), "/a", &mac), None);
    }
}

proptest::proptest! {
    #[test]
    fn no_link_can_panic(target in "/[a-c/%2]{0,20}(\\?[a-z&=]{0,9})?", mac in "[a-f0-9+/_=-]{0,70}", length: Option<usize>) {
        let headers = get(&format!("{target}?verify=1700000000-{mac}"), &[]);
        if let Ok(request) = Request::read(&headers) {
            let _ = links(length.map(Directory::Length)).near_miss(&request, NOW);
        }
    }
}
