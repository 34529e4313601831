//! An input is a byte that chooses a carrier, a byte that says what is done to a genuine key,
//! the random bytes that it is made of, and after a line break the text that replaces or
//! surrounds it. A key that was not issued never causes a lookup.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keygate_core::keys::{AppKey, MasterSecret, NewAppKey, NothingKnown, Prefix};
use keygate_core::secret::KeyRing;
use keygate_core::signed_url::Checks;
use keygate_core::{Client, Facts, Header, NoClaims, Policy, Verdict};

use super::{NOW, policy};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

struct Edge {
    policies: Vec<Policy>,
    ring: KeyRing<MasterSecret>,
    prefix: Prefix,
}

thread_local! {
    static EDGE: Edge = Edge::new();
}

pub fn run(data: &[u8]) {
    let [carrier, change, rest @ ..] = data else {
        return;
    };
    EDGE.with(|it| it.run(usize::from(*carrier), *change, rest));
}

impl Edge {
    fn new() -> Self {
        let from = [
            r#""from": ["bearer"]"#,
            r#""from": ["basic"]"#,
            r#""from": [{ "header": "x-api-key" }]"#,
            r#""from": [{ "cookie": "app_key" }]"#,
            r#""from": [{ "query": "key" }], "query_referrers": ["https://a.example"]"#,
            r#""from": ["bearer", "basic", { "header": "x-api-key" }, { "cookie": "app_key" }]"#,
        ];
        let policies = from.map(|from| {
            let text = format!(
                r#"{{ "version": 1, "secrets": {{ "ring": [{{ "id": "01", "env": "RING" }}] }},
                  "key_service": {{ "cluster": "k", "authority": "k", "token_env": "TOKEN" }},
                  "providers": {{ "key": {{ "type": "app_key", "secrets": "ring", {from} }} }},
                  "rules": [{{ "name": "all", "match": {{ "path": "/**" }}, "require": "key" }}],
                  "unmatched": "deny" }}"#
            );
            policy(&text).unwrap()
        });
        Self {
            policies: policies.into(),
            ring: super::ring(),
            prefix: Prefix::parse("kg").unwrap(),
        }
    }

    fn run(&self, carrier: usize, change: u8, rest: &[u8]) {
        let (random, text) = super::line(rest);
        let genuine = super::key(random);
        let issued = genuine.text.as_bytes();
        let mut key = issued.to_vec();
        let at = usize::from(change) % key.len();
        match change {
            // As it is.
            0..64 => {}
            64..128 => key[at] ^= text.first().copied().unwrap_or(1),
            128..160 => drop(key.remove(at)),
            160..192 => key.insert(at, text.first().copied().unwrap_or(b'0')),
            192..224 => key = [&key, text].concat(),
            224.. => key = text.to_vec(),
        }
        let parsed = AppKey::parse(&key, &self.prefix).ok();
        assert_eq!(parsed.is_some(), is_key(&key), "{}", key.escape_ascii());
        let hash = parsed.and_then(|it| self.ring.authenticate(&it, NOW));
        // A fuzzer that has seen the key of another input may put that in its place.
        assert!(made_of(issued).is_some());
        let is_issued = made_of(&key).is_some();
        assert_eq!(hash.is_some(), is_issued, "{}", key.escape_ascii());
        let carrier = carrier % self.policies.len();
        let headers = headers(carrier, &key);
        let facts = Facts {
            checks: Checks::default(),
            client: Client::Known(None),
            keys: &NothingKnown,
            claims: &NoClaims,
            now: NOW,
        };
        match self.policies[carrier].decide(&headers, &facts) {
            Verdict::Ask(asked) => {
                let mut others = key.windows(issued.len()).filter_map(made_of);
                let is_its =
                    asked.hashes == [genuine.hash] || others.any(|it| asked.hashes == [it.hash]);
                assert!(is_its, "a key that was never issued is looked up");
            }
            Verdict::Deny(denial) => {
                let shown = format!("{denial:?}");
                assert!(
                    !shown.contains(&*genuine.text),
                    "a rejection repeats the key"
                );
                assert_ne!(key, issued, "an issued key is rejected: {shown}");
            }
            verdict => panic!("it has no assertion: {verdict:?}"),
        }
    }
}

/// The key that is issued when chance brings the characters of this one.
fn made_of(key: &[u8]) -> Option<NewAppKey> {
    let index = |it: &u8| DIGITS.iter().position(|digit| digit == it);
    let drawn = [key.get(5..15)?, key.get(16..48)?].concat();
    let drawn: Option<Vec<usize>> = drawn.iter().map(index).collect();
    let drawn: Vec<u8> = drawn?.into_iter().map(|it| it as u8).collect();
    Some(super::key(&drawn)).filter(|it| it.text.as_bytes() == key)
}

/// The form of a key, by the page that describes it.
fn is_key(key: &[u8]) -> bool {
    let fits = |(at, byte): (usize, &u8)| match at {
        0..3 => *byte == b"kg_"[at],
        15 => *byte == b'_',
        _ => byte.is_ascii_alphanumeric(),
    };
    if key.len() != 62 || !key.iter().enumerate().all(fits) {
        return false;
    }
    let (before, crc) = key.split_at(56);
    let expected = u64::from(crc32fast::hash(before));
    let digit = |it: &u8| DIGITS.iter().position(|digit| digit == it).unwrap() as u64;
    crc.iter().fold(0, |sum, it| sum * 62 + digit(it)) == expected
}

fn headers(carrier: usize, key: &[u8]) -> Vec<Header> {
    let mut path = b"/a".to_vec();
    let mut headers: Vec<(&str, Vec<u8>)> = Vec::new();
    match carrier {
        0 => headers.push(("authorization", [b"Bearer ", key].concat())),
        1 => {
            let pair = STANDARD.encode([b"alice:", key].concat());
            headers.push(("authorization", format!("Basic {pair}").into_bytes()));
        }
        2 => headers.push(("x-api-key", key.to_vec())),
        4 => {
            path = [b"/a?b=1&key=", key].concat();
            headers.push(("referer", b"https://a.example/".to_vec()));
        }
        _ => headers.push(("cookie", [b"a=1; app_key=", key, b"; b=2"].concat())),
    }
    let pseudo = [
        (":method", b"GET".to_vec()),
        (":path", path),
        (":authority", b"example.com".to_vec()),
    ];
    let all = pseudo.into_iter().chain(headers);
    all.map(|(name, value)| (name.into(), value.into()))
        .collect()
}

pub fn seeds() -> Vec<Vec<u8>> {
    let changes = [0, 70, 130, 170, 200, 230];
    let seed = |carrier: u8, change: u8| [&[carrier, change], &b"seed\n,x"[..]].concat();
    let all = (0..6).flat_map(|carrier| changes.map(|change| seed(carrier, change)));
    // The key of another input.
    let other = super::key(b"other").text;
    let others = [&b"\0\xe6seed\n"[..], b"\x03\xe6seed\n\t"];
    all.chain(others.map(|it| [it, other.as_bytes(), b"\r\n"].concat()))
        .collect()
}
