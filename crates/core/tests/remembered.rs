//! A link that held is recalled: no answer is another for it.

use keygate_core::signed_url::{Order, Scope};
use keygate_core::{Header, Policy, Reason, UnixMillis};
use keygate_testkit::judge::{get, judge_from, order, policy_with_ring, sign, signed_as};
use serde_json::{Value, json};

/// 2026-01-01T00:00:00Z.
const START: u64 = 1_767_225_600;
const END: u64 = START + 3600;
const ORIGIN: &str = "https://example.com";
const HERE: &str = "192.0.2.1";

/// An edge with a new secret and an old one, which ends before the links do.
fn edge(provider: &Value) -> Policy {
    policy_with_ring(
        provider,
        &json!([
            { "id": "new", "env": "SECRET_NEW" },
            { "id": "old", "env": "SECRET_OLD", "not_after": "2026-01-01T00:30:00Z" }
        ]),
    )
}

/// Who still signs with the old one.
fn late(provider: &Value) -> Policy {
    policy_with_ring(provider, &json!([{ "id": "old", "env": "SECRET_OLD" }]))
}

/// A link from START to END; of a provider whose links cover directories, for `/video/`.
fn link(signer: &Policy, provider: &Value, target: &str) -> String {
    signed_as(signer, 0, target, &|order| {
        order.now = UnixMillis::from_secs(START);
        order.expires = Some(UnixMillis::from_secs(END));
        if !provider["directory"].is_null() {
            order.scope = Scope::Prefix("/video/");
        }
    })
}

/// What a client may try, with a link that it has and one that it would like to have.
fn tries(target: &str, wanted: &str) -> Vec<(Vec<Header>, u64)> {
    let of = |target: &str, host: &str, method: &str| {
        let mut headers = get(target, &[]);
        for header in &mut headers {
            match &*header.0 {
                b":authority" => header.1 = host.as_bytes().into(),
                b":method" => header.1 = method.as_bytes().into(),
                _ => {}
            }
        }
        headers
    };
    let (path, token) = target.split_once('?').unwrap();
    let (other, _) = wanted.split_once('?').unwrap_or((wanted, ""));
    let (head, last) = token.split_at(token.len() - 1);
    let changed = if last == "A" { "B" } else { "A" };
    let mut all = Vec::new();
    for now in [START, START + 1799, START + 1800, END - 1, END, END + 1] {
        all.push((of(target, "example.com", "GET"), now));
        all.push((of(target, "example.com", "HEAD"), now));
        all.push((of(target, "example.com", "POST"), now));
        all.push((of(target, "example.org", "GET"), now));
        all.push((of(&format!("{other}?{token}"), "example.com", "GET"), now));
        all.push((
            of(&format!("{path}?{head}{changed}"), "example.com", "GET"),
            now,
        ));
        all.push((
            of(&format!("{path}?x=1&{token}"), "example.com", "GET"),
            now,
        ));
        all.push((of(&format!("{target}&x=1"), "example.com", "GET"), now));
    }
    all
}

#[test]
fn remembered_links_change_no_answer() {
    let native = json!({ "format": "keygate", "max_lifetime": "7d" });
    let cloudflare = |base64: &str| {
        json!({ "format": "cloudflare", "base64": base64,
            "stamp": "expires", "max_lifetime": "7d" })
    };
    let directory = json!({ "format": "cloudflare", "directory": true,
        "stamp": "expires", "max_lifetime": "7d" });
    let long = format!("/{}", "longer-part/".repeat(170));
    for (format, path) in [
        (&native, "/video/cat.mp4"),
        (&native, &long),
        (&cloudflare("standard"), "/video/cat.mp4"),
        (&cloudflare("url"), "/caf%c3%a9"),
        (&directory, "/video/1/cat.mp4"),
    ] {
        for (signer, end) in [(late(format), START + 1800), (edge(format), END)] {
            let target = link(&signer, format, path);
            let remembering = edge(format);
            let held = |now| judge_from(&remembering, &get(&target, &[]), HERE, now).is_ok();
            let mut passed = 0;
            for round in 0..2 {
                assert!(held(START), "{format} {path}");
                for (headers, now) in tries(&target, "/other.mp4") {
                    let alone = judge_from(&edge(format), &headers, HERE, now);
                    let after = judge_from(&remembering, &headers, HERE, now);
                    assert_eq!(after, alone, "{format} {headers:?} {now} {round}");
                    passed += usize::from(alone.is_ok());
                }
            }
            assert!(passed >= 4, "{format}: tries that pass are among them");
            assert!(held(end - 1) && !held(end), "{format} {path}");
        }
    }
}

#[test]
fn a_link_that_held_for_one_address_does_not_for_another() {
    let format = json!({ "format": "keygate", "max_lifetime": "7d" });
    let remembering = edge(&format);
    let here = ["192.0.2.1/32".parse().unwrap()];
    let order = Order {
        expires: Some(UnixMillis::from_secs(END)),
        origin: ORIGIN,
        addresses: &here,
        ..order("/a", UnixMillis::from_secs(START))
    };
    let url = sign(&remembering, 0, &order).unwrap().url;
    let target = url.strip_prefix(ORIGIN).unwrap();
    let from = |client| judge_from(&remembering, &get(target, &[]), client, START);
    for _ in 0..2 {
        assert_eq!(from(HERE).as_deref(), Ok("/a"));
        assert_eq!(from("192.0.2.2"), Err(Reason::AddressNotAllowed));
    }
}
