//! What is counted: each case is a name, and everything made ready but for the decision.

use std::hint::black_box;
use std::rc::Rc;

use keygate_core::keys::wire::Incarnation;
use keygate_core::keys::{
    CacheBounds, KeyHash, KeyLookup, KeyRingId, KnownKey, MasterSecret, NoAnswer, Prefix, SealKey,
    Sealed, SealedHeaders,
};
use keygate_core::secret::{RingEntry, mac};
use keygate_core::signed_url::Checks;
use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256};
use keygate_core::{
    Facts, Header, Millis, NoClaims, Outcome, Policy, Reason, Secret, UnixMillis, Verdict,
};
use keygate_edge::Seed;
use keygate_edge::parts::{KeyCache, Position};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{TIMES, costly};

const SECRET: &str = "a secret of thirty-two bytes ...";
pub(crate) const NOW: UnixMillis = UnixMillis(1_767_225_600_000);
const HOST: &str = "example.com";

/// A case that is ready to be counted.
pub(crate) type Case = Box<dyn FnMut()>;

/// The cases whose counts stand in the baseline.
pub(crate) const GUARDED: [&str; 12] = [
    "native_link",
    "native_link_again",
    "cloudflare_link",
    "cloudflare_link_again",
    "warm_key",
    "sealed_key",
    "forged_key",
    "rejected",
    "expired_public_link",
    "unknown_public_key",
    "rules/10000",
    "configuration/100",
];

/// What grows: the name before the slash, the sizes after it, and how fast it may grow.
pub(crate) const GROWING: [Growing; 11] = [
    logarithmic("rules", &[1, 100, 10_000]),
    constant("keys", &[1, 1_000, 50_000]),
    linear("headers", &[8, 16, 32, 64]),
    linear("path", &[50, 500, 1_000, 2_000, 4_000]),
    linear("junk_link", &[50, 500, 1_000, 2_000, 4_000]),
    linear("junk_cloudflare", &[50, 500, 1_000, 2_000, 4_000]),
    linear("junk_key", &[50, 500, 1_000, 2_000, 4_000]),
    linear("sealed", &[200, 456, 968, 1_992]),
    linear("components", &[4, 8, 16, 30]),
    linear("labels", &[4, 8, 16, 32, 1_000]),
    linear("configuration", &[100, 300, 1_000]),
];

/// A family of cases.
pub(crate) struct Growing {
    pub name: &'static str,
    pub sizes: &'static [usize],
    pub class: Class,
}

/// How cost may grow with size.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Class {
    /// Not at all.
    Constant,
    /// As the number of steps in a search by halves.
    Logarithmic,
    /// As the size does.
    Linear,
}

const fn constant(name: &'static str, sizes: &'static [usize]) -> Growing {
    let class = Class::Constant;
    Growing { name, sizes, class }
}

const fn logarithmic(name: &'static str, sizes: &'static [usize]) -> Growing {
    let class = Class::Logarithmic;
    Growing { name, sizes, class }
}

const fn linear(name: &'static str, sizes: &'static [usize]) -> Growing {
    let class = Class::Linear;
    Growing { name, sizes, class }
}

/// Makes a case ready.
pub(crate) fn named(name: &str) -> Case {
    let (family, size) = name.split_once('/').unwrap_or((name, "0"));
    let size: usize = size.parse().unwrap();
    match family {
        "native_link" => links(native_link, "/native/2026/11/", 0),
        "native_link_again" => link(native_link, "/native/2026/11/", 0),
        "cloudflare_link" => links(cloudflare_link, "/cloudflare/", 0),
        "cloudflare_link_again" => link(cloudflare_link, "/cloudflare/", 0),
        "headers" => links(native_link, "/native/2026/11/", size),
        "path" => {
            // At most 200 segments: a path may have 256.
            let directory = format!("/native/{}", "directory-directory/".repeat(size / 20));
            links(native_link, &directory, 0)
        }
        "junk_link" => denied(&format!("/native/a?kg={}", "A".repeat(size)), None),
        "junk_cloudflare" => denied(&format!("/cloudflare/a?verify={}", "9".repeat(size)), None),
        "junk_key" => denied("/api/a", Some(&format!("kg_{}", "A".repeat(size)))),
        "warm_key" => warm_key(1_000, None),
        "keys" => warm_key(size, None),
        "sealed_key" => warm_key(1_000, Some(1_000)),
        "sealed" => warm_key(1, Some(size)),
        "forged_key" => denied("/api/a", Some(&key("another secret of thirty-two bytes"))),
        "rejected" => denied("/api/a", None),
        "expired_public_link" => costly::cloudfront("K1", NOW.0 / 1000 - 1, Reason::Expired),
        "unknown_public_key" => costly::cloudfront("K2", NOW.0 / 1000 + 60, Reason::WrongSignature),
        "components" => costly::components(size),
        "labels" => costly::labels(size),
        "rules" => rules(size),
        "configuration" => configuration(size),
        _ => panic!("no case {name}"),
    }
}

fn policy() -> Policy {
    parse(&written())
}

fn written() -> Value {
    let rule = |name: &str| json!({ "name": name, "match": { "path": format!("/{name}/**") }, "require": name });
    json!({
        "version": 1,
        "secrets": { "ring": [{ "id": "01", "env": "SECRET" }] },
        "key_service": { "cluster": "keys", "authority": "keys", "token_env": "TOKEN" },
        "providers": {
            "native": { "type": "signed_url", "format": "keygate", "secrets": "ring", "max_lifetime": "7d" },
            "cloudflare": { "type": "signed_url", "format": "cloudflare", "secrets": "ring", "ttl": "3h" },
            "api": { "type": "app_key", "secrets": "ring", "prefix": "kg", "from": ["bearer"] }
        },
        "rules": [rule("native"), rule("cloudflare"), rule("api")],
        "unmatched": "deny"
    })
}

pub(crate) fn parse(json: &Value) -> Policy {
    Policy::parse(json.to_string().as_bytes(), &secret).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "the policy asks so")]
fn secret(name: &str) -> Option<Vec<u8>> {
    let is_token = name == "TOKEN";
    Some(
        if is_token {
            "a-token-that-may-stand-in-a-header"
        } else {
            SECRET
        }
        .into(),
    )
}

/// What a browser sends.
pub(crate) fn headers(target: &str) -> Vec<Header> {
    [
        (":method", "GET"),
        (":authority", HOST),
        (":path", target),
        (":scheme", "https"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        ),
        ("accept", "*/*"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("x-request-id", "4ff14c3f-2f0c-4a9b-8a3a-6f0d3e0a7c11"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .to_vec()
}

/// Decides the same again and again.
pub(crate) fn decide(
    policy: Policy,
    headers: Vec<Header>,
    keys: Box<dyn KeyLookup>,
    is_right: impl Fn(&Verdict) -> bool,
) -> Case {
    decide_each(policy, vec![headers], keys, is_right)
}

/// Decides one after the other; what must come out is checked for the first, before anything
/// is counted.
fn decide_each(
    policy: Policy,
    requests: Vec<Vec<Header>>,
    keys: Box<dyn KeyLookup>,
    is_right: impl Fn(&Verdict) -> bool,
) -> Case {
    let mut next = 0;
    let mut decide = move || {
        let headers = &requests[next % requests.len()];
        next += 1;
        let facts = Facts {
            checks: Checks::default(),
            client: keygate_core::Client::Known(None),
            keys: &*keys,
            claims: &NoClaims,
            now: NOW,
        };
        black_box(&policy).decide(black_box(headers), &facts)
    };
    let verdict = decide();
    assert!(is_right(&verdict), "{verdict:?}");
    Box::new(move || drop(black_box(decide())))
}

pub(crate) fn no_keys() -> Box<dyn KeyLookup> {
    Box::new(NoAnswer(Reason::KeyServiceUnavailable))
}

fn is_verified(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Allow(grant) if grant.outcome == Outcome::Verified)
}

/// A link that holds and is known to, in a request of at least so many headers.
fn link(sign: fn(&str) -> String, directory: &str, least: usize) -> Case {
    let one = requests(sign, directory, least).swap_remove(0);
    decide(policy(), one, no_keys(), is_verified)
}

/// Links that hold and were not seen before.
fn links(sign: fn(&str) -> String, directory: &str, least: usize) -> Case {
    let all = requests(sign, directory, least);
    decide_each(policy(), all, no_keys(), is_verified)
}

/// As many as are decided in all, so that none comes twice.
fn requests(sign: fn(&str) -> String, directory: &str, least: usize) -> Vec<Vec<Header>> {
    let request = |number| {
        let mut headers = headers(&sign(&format!("{directory}a-film-{number:02}.ts")));
        for number in headers.len()..least {
            let name = format!("x-of-the-application-{number}");
            headers.push((name.into(), b"a value of some length".into()));
        }
        headers
    };
    (0..TIMES + 2).map(request).collect()
}

fn native_link(path: &str) -> String {
    let terms = Terms {
        expires_secs: NOW.0 / 1000 + 3600,
        ..Terms::default()
    };
    let entry = RingEntry {
        id: "01".to_owned(),
        key: mac(SECRET.as_bytes()),
        not_before: None,
        not_after: None,
    };
    let query = Some("quality=hd");
    let place = Place {
        host: HOST,
        path,
        query,
    };
    let token = hs256(&terms, &place, &entry).unwrap();
    format!("{path}?quality=hd&kg={token}")
}

fn cloudflare_link(path: &str) -> String {
    use base64::Engine as _;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let seconds = NOW.0 / 1000;
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{path}{seconds}").as_bytes());
    let mac = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    let mac = mac
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    format!("{path}?verify={seconds}-{mac}")
}

/// A request that is rejected, with this key if there is one.
fn denied(target: &str, key: Option<&str>) -> Case {
    let mut headers = headers(target);
    if let Some(key) = key {
        headers.push((b"authorization".into(), format!("Bearer {key}").into()));
    }
    let is_denied = |verdict: &Verdict| matches!(verdict, Verdict::Deny(_));
    decide(policy(), headers, no_keys(), is_denied)
}

fn key(secret: &str) -> String {
    let (kid, prefix) = (KeyRingId::parse("01"), Prefix::parse("kg"));
    let master = MasterSecret::derive(&Secret::new(secret.into())).unwrap();
    let fill = &mut |bytes: &mut [u8]| bytes.fill(7);
    let key = master.generate(&prefix.unwrap(), kid.unwrap(), fill);
    key.text.to_string()
}

/// A key that the cache knows, among so many. So many bytes may be sealed with it, which its rule
/// opens then.
fn warm_key(count: usize, sealed: Option<usize>) -> Case {
    let cache = KeyCache::new(CacheBounds::default(), Seed([1, 2]), Millis(60_000));
    let begin = Position {
        incarnation: Incarnation::default(),
        epoch: 1,
    };
    cache.follow(&[], begin, true, NOW);
    let text = key(SECRET);
    let kid = KeyRingId::parse("01").unwrap();
    let master = MasterSecret::derive(&Secret::new(SECRET.into())).unwrap();
    let generated = master.generate(&Prefix::parse("kg").unwrap(), kid, &mut |it| it.fill(7));
    assert_eq!(*generated.text, text);
    let seal = |length: usize| {
        let mut headers = SealedHeaders::none();
        headers
            .add("x-token".to_owned(), vec![b'x'; length].into())
            .unwrap();
        let key = SealKey::of_new(&generated);
        let sealed = Sealed::seal(&headers, &key, &mut |bytes| bytes.fill(7)).unwrap();
        sealed.to_string()
    };
    let mut policy = written();
    if sealed.is_some() {
        policy["rules"][2]["sealed"] = json!({ "headers": ["x-token"] });
    }
    let known = |hash: KeyHash| {
        let record = json!({
            "hash": hash, "id": "AbCdEfGhIj", "account": "alice", "status": "active",
            "metadata": {}, "sealed": sealed.map(seal)
        });
        let record = serde_json::from_value(record).unwrap();
        Rc::new(KnownKey::try_from(&record).unwrap())
    };
    let one = known(generated.hash);
    let insert = |hash| cache.insert(&[hash], Some((hash, Rc::clone(&one))), begin);
    assert!(insert(generated.hash));
    for number in 1..count {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_le_bytes());
        assert!(insert(KeyHash(hash)));
    }
    let mut headers = headers("/api/a");
    headers.push((b"authorization".into(), format!("Bearer {text}").into()));
    decide(parse(&policy), headers, Box::new(cache), is_verified)
}

/// A policy of so many rules, each for a path of its own.
fn rules_json(count: usize) -> Value {
    let rule = |number: usize| {
        json!({
            "name": format!("rule-{number}"), "require": "nothing",
            "match": { "path": format!("/tenant-{number}/files/**"), "methods": ["GET"] }
        })
    };
    json!({ "version": 1, "rules": (0..count).map(rule).collect::<Vec<_>>(), "unmatched": "deny" })
}

/// The last of so many rules decides.
fn rules(count: usize) -> Case {
    let policy = parse(&rules_json(count));
    let headers = headers(&format!("/tenant-{}/files/a/b.txt", count - 1));
    let is_allowed = |verdict: &Verdict| matches!(verdict, Verdict::Allow(_));
    decide(policy, headers, no_keys(), is_allowed)
}

/// Reads a policy of so many rules.
fn configuration(count: usize) -> Case {
    let text = rules_json(count).to_string();
    Box::new(move || {
        let policy = Policy::parse(black_box(text.as_bytes()), &secret);
        assert!(black_box(policy).is_ok());
    })
}
