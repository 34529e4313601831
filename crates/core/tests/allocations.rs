//! How often the check of a link asks for memory: a filter runs for every request.

use keygate_core::keys::{
    KeyRingId, MasterSecret, NoAnswer, Prefix, SealKey, Sealed, SealedHeaders,
};
use keygate_core::signed_url::Format;
use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256};
use keygate_core::{Header, Policy, Provider, Reason, Request, Secret, UnixMillis};
use keygate_testkit::judge::{facts, get, policy_of, signed};
use serde_json::json;

const SECRET: &str = "a secret of thirty-two bytes ...";
const NOW: u64 = 1_767_225_600;

fn format(policy: &Policy) -> &dyn Format {
    let Provider::SignedUrl(links) = policy.rules.all()[0].require.providers()[0] else {
        panic!("the rule requires a link");
    };
    links.format.as_ref()
}

/// How often a new valid link allocates memory, and how often a repeated one does after
/// another link, for which the policy allocates its memo.
fn count(policy: &Policy, first: &str, headers: &[Header]) -> [u64; 2] {
    let keys = NoAnswer(Reason::KeyServiceUnavailable);
    let facts = facts(&keys, None, UnixMillis::from_secs(NOW));
    let format = format(policy);
    let measured = |headers: &[Header]| {
        let request = Request::read(headers).unwrap();
        let mut holds = false;
        let counted = allocation_counter::measure(|| {
            holds = format.verify(&request, &facts.of_link()).is_ok()
        });
        assert!(holds, "the link must hold");
        counted.count_total
    };
    measured(&get(first, &[]));
    [measured(headers), measured(headers)]
}

fn native(terms: &Terms<'_>, target: &str) -> [u64; 2] {
    let provider = json!({
        "type": "signed_url", "format": "keygate", "secrets": "ring",
        "max_lifetime": "7d", "query_ignore": ["utm_*"], "query_allow": ["q"]
    });
    let policy = policy_of(&provider, SECRET);
    let (path, query) = target.split_once('?').unwrap();
    let place = Place {
        host: "example.com",
        path,
        query: Some(query),
    };
    let entry = keygate_core::secret::RingEntry {
        id: "01".to_owned(),
        key: keygate_core::secret::mac(SECRET.as_bytes()),
        not_before: None,
        not_after: None,
    };
    let token = hs256(terms, &place, &entry).unwrap();
    let first = Terms {
        expires_secs: NOW + 1,
        ..Terms::default()
    };
    let place = Place {
        path: "/first",
        query: None,
        ..place
    };
    let first = format!("/first?kg={}", hs256(&first, &place, &entry).unwrap());
    let more = [("x-device", "tv"), ("cookie", "sid=s1")];
    count(
        &policy,
        &first,
        &get(&format!("{target}&kg={token}"), &more),
    )
}

#[test]
fn a_native_link_is_checked_with_one_allocation() {
    let terms = Terms {
        expires_secs: NOW + 3600,
        ..Terms::default()
    };
    let all = Terms {
        not_before_secs: Some(NOW),
        method: Some("GET"),
        globs: &["/video/**", "/caf%C3%A9/*.jpg"],
        ignored: &["utm_*"],
        headers: &[("x-device", "tv")],
        cookies: &[("sid", "s1")],
        ..terms
    };
    let prefix = Terms {
        prefix: Some("/caf%C3%A9/"),
        ..terms
    };
    assert_eq!(native(&terms, "/video/cat.mp4?q=hd"), [1; 2], "plain");
    assert_eq!(
        native(&terms, "/caf%c3%a9/%40cat.mp4?q=%2b%20"),
        [1; 2],
        "another spelling"
    );
    assert_eq!(
        native(&all, "/caf%c3%a9/cat.jpg?q=hd&utm_source=mail"),
        [1; 2],
        "everything"
    );
    assert_eq!(native(&prefix, "/caf%c3%a9/cat.jpg?q=hd"), [1; 2], "prefix");
    // The account goes to the upstream, and so into an identity.
    let account = Terms {
        account: Some("alice"),
        ..terms
    };
    assert_eq!(native(&account, "/video/cat.mp4?q=hd"), [2; 2], "account");
}

#[test]
fn a_request_without_a_credential_is_searched_without_an_allocation() {
    let open = json!({
        "version": 1,
        "rules": [{ "name": "open", "match": { "path": "/**" }, "require": "nothing" }],
        "unmatched": "deny"
    });
    let mut guarded = open.clone();
    guarded["secrets"] = json!({ "ring": [{ "id": "01", "env": "SECRET" }] });
    guarded["key_service"] = json!({ "cluster": "k", "authority": "k", "token_env": "TOKEN" });
    guarded["providers"] = json!({
        "key": { "type": "app_key", "secrets": "ring", "query_referrers": ["example.com"],
                 "from": ["bearer", "basic", { "header": "x-api-key" }, { "cookie": "app_key" },
                          { "query": "key" }] },
        "link": { "type": "signed_url", "format": "keygate", "secrets": "ring",
                  "max_lifetime": "7d", "from": [{ "query": "kg" }, { "cookie": "link" }] },
        "session": { "type": "jwt", "strip": ["authorization", { "cookie": "session" }] }
    });
    let more = [
        ("cookie", "theme=dark; a=1"),
        ("authorization", "Digest username=\"a_b\""),
        ("accept", "text/html"),
    ];
    let headers = get("/a/b?c=d&e=f", &more);
    let counts = [open, guarded].map(|json| {
        let policy = keygate_testkit::judge::policy(&json, SECRET);
        let keys = NoAnswer(Reason::KeyServiceUnavailable);
        let facts = facts(&keys, None, UnixMillis::from_secs(NOW));
        let counted = allocation_counter::measure(|| drop(policy.decide(&headers, &facts)));
        counted.count_total
    });
    assert_eq!(counts[0], counts[1]);
}

#[test]
fn a_link_of_cloudflares_form_is_checked_with_one_allocation_at_most() {
    for (base64, most) in [("standard", 1), ("url", 0)] {
        let provider = json!({
            "type": "signed_url", "format": "cloudflare", "secrets": "ring",
            "ttl": "3h", "base64": base64
        });
        let policy = policy_of(&provider, SECRET);
        let link = |target| signed(&policy, 0, target, UnixMillis::from_secs(NOW));
        let target = link("/caf%C3%A9/cat.jpg?q=hd");
        let counted = count(&policy, &link("/first"), &get(&target, &[]));
        assert_eq!(counted, [most; 2], "{base64}");
    }
}

#[test]
fn sealed_headers_are_opened_with_five_allocations_whatever_their_size() {
    let key = MasterSecret::derive(&Secret::new(SECRET.into()))
        .unwrap()
        .generate(
            &Prefix::parse("kg").unwrap(),
            KeyRingId::parse("01").unwrap(),
            &mut |bytes| bytes.fill(7),
        );
    let key = SealKey::of_new(&key);
    for length in [1, 1992] {
        let mut headers = SealedHeaders::none();
        headers
            .add("x-token".to_owned(), vec![b'x'; length].into())
            .unwrap();
        let sealed = Sealed::seal(&headers, &key, &mut |bytes| bytes.fill(7)).unwrap();
        let counted = allocation_counter::measure(|| drop(sealed.open(&key).unwrap()));
        assert_eq!(counted.count_total, 5);
    }
}
