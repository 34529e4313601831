//! What holds of every link.

use std::collections::HashMap;

use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256, with};
use keygate_core::signed_url::keygate::{Algorithm, Fields};
use proptest::prelude::*;

use crate::keygate::kit::*;

/// Everything that is signed; small, so that two of them are often nearly equal.
#[derive(Clone, Debug, PartialEq)]
struct Tuple {
    algorithm: bool,
    key: String,
    expires: u64,
    not_before: Option<u64>,
    method: Option<String>,
    any_host: bool,
    host: String,
    scope: Option<Result<String, Vec<String>>>,
    path: String,
    any_query: bool,
    query: Option<String>,
    headers: Vec<(String, String)>,
    cookies: Vec<(String, String)>,
    account: Option<String>,
    once: Option<String>,
}

fn tuples() -> impl Strategy<Value = Tuple> {
    let pair = || prop::collection::vec(("[ab]{1,2}", "[1:Ra]{0,3}"), 0..3);
    let scope = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Ok("/".to_owned()))),
        1 => prop::collection::vec(prop_oneof!["/\\*\\*", "/\\*\\*/\\*\\*"], 1..3).prop_map(|it| Some(Err(it))),
    ];
    (
        (
            any::<bool>(),
            "[k1]{1,2}",
            8_u64..12,
            prop::option::of(1_u64..3),
        ),
        (
            prop::option::of("[AP]{1,2}"),
            any::<bool>(),
            "[hP1:]{1,3}",
            scope,
        ),
        (
            "(/[aQ1:]{1,2}){1,2}",
            any::<bool>(),
            prop::option::of("[a=&1:R]{0,4}"),
        ),
        (pair(), pair(), prop::option::of("[u1:o]{1,3}")),
        prop::option::of("[a_]{16}"),
    )
        .prop_map(|(a, b, c, d, once)| Tuple {
            algorithm: a.0,
            key: a.1,
            expires: a.2,
            not_before: a.3,
            method: b.0,
            any_host: b.1,
            host: b.2,
            scope: b.3,
            path: c.0,
            any_query: c.1,
            query: c.2,
            headers: d.0,
            cookies: d.1,
            account: d.2,
            once,
        })
}

impl Tuple {
    /// What of it means something: what is not signed is left out.
    fn meaning(&self) -> Self {
        let mut tuple = self.clone();
        if tuple.any_host {
            tuple.host.clear();
        }
        tuple.host.make_ascii_lowercase();
        if tuple.scope.is_some() {
            tuple.path.clear();
        }
        let query = tuple.query.take().filter(|_| !tuple.any_query);
        tuple.query = Some(query.unwrap_or_default());
        tuple
    }

    fn with_terms<R>(&self, then: impl FnOnce(&Terms<'_>, &Place<'_>) -> R) -> R {
        fn borrow(all: &[(String, String)]) -> Vec<(&str, &str)> {
            all.iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect()
        }
        let (headers, cookies) = (borrow(&self.headers), borrow(&self.cookies));
        let globs: Vec<&str> = match &self.scope {
            Some(Err(globs)) => globs.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let terms = Terms {
            expires_secs: self.expires,
            not_before_secs: self.not_before,
            method: self.method.as_deref(),
            any_host: self.any_host,
            prefix: match &self.scope {
                Some(Ok(prefix)) => Some(prefix),
                _ => None,
            },
            globs: &globs,
            any_query: self.any_query,
            headers: &headers,
            cookies: &cookies,
            account: self.account.as_deref(),
            once: self.once.as_deref(),
            ..Terms::default()
        };
        let place = Place {
            host: &self.host,
            path: &self.path,
            query: self.query.as_deref(),
        };
        then(&terms, &place)
    }

    fn text(&self) -> Vec<u8> {
        let algorithm = if self.algorithm {
            Algorithm::Hs256
        } else {
            Algorithm::EdDsa
        };
        let mut text = Vec::new();
        let keep = |it: &[u8]| {
            text = it.to_vec();
            vec![0; 32]
        };
        self.with_terms(|terms, place| with(terms, place, algorithm, &self.key, keep))
            .unwrap();
        text
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Of many small tuples, those with one text mean one thing.
    #[test]
    fn distinct_links_never_have_one_signed_text(all in prop::collection::vec(tuples(), 200)) {
        let mut seen: HashMap<Vec<u8>, Tuple> = HashMap::new();
        for tuple in all {
            let meaning = tuple.meaning();
            if let Some(other) = seen.insert(tuple.text(), meaning.clone()) {
                prop_assert_eq!(other, meaning);
            }
        }
    }
}

proptest! {
    /// Moving a byte from one part to its neighbour gives another text.
    #[test]
    fn a_byte_that_is_shifted_to_a_neighbour_changes_the_signed_text(tuple in tuples()) {
        let text = tuple.text();
        let mut shifted = tuple.clone();
        if let Some(byte) = shifted.host.pop() {
            shifted.path.insert(1, byte);
        }
        if !shifted.host.is_empty() && shifted.meaning() != tuple.meaning() {
            prop_assert_ne!(&shifted.text(), &text);
        }
        let mut shifted = tuple.clone();
        if let Some(byte) = shifted.path.pop() {
            let query = shifted.query.take().unwrap_or_default();
            shifted.query = Some(format!("{byte}{query}"));
        }
        if shifted.path.len() > 1 && shifted.meaning() != tuple.meaning() {
            prop_assert_ne!(&shifted.text(), &text);
        }
    }

    #[test]
    fn what_is_signed_verifies_and_with_any_other_byte_does_not(
        path in "(/[a-z0-9._~-]{1,8}){1,3}",
        // `kg` would be a second token.
        query in prop::option::of("[a-j]{1,4}=[a-z0-9+]{0,6}"),
        lifetime in 1_u64..604_800,
        method in prop::option::of("(PUT|POST|DELETE)"),
        account in prop::option::of("[!-~]{1,40}"),
        prefix: bool,
        cookie in prop::option::of("[a-z0-9]{1,8}"),
        at: prop::sample::Index,
        byte in b'!'..=b'~',
    ) {
        let cookies: Vec<(&str, &str)> = cookie.iter().map(|it| ("sid", it.as_str())).collect();
        let terms = Terms {
            expires_secs: NOW + lifetime,
            method: method.as_deref(),
            account: account.as_deref(),
            prefix: prefix.then_some("/"),
            cookies: &cookies,
            ..Terms::default()
        };
        let target = match &query {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        prop_assume!(keygate_core::Target::parse(target.as_bytes()).is_ok());
        let good = link(&terms, &target);
        let method = method.unwrap_or_else(|| "HEAD".to_owned());
        let cookie = cookies.first().map(|(name, value)| format!("{name}={value}"));
        let more: Vec<(&str, &str)> = cookie.iter().map(|it| ("cookie", it.as_str())).collect();
        let judge_it = |link: &str| judge(&policy(), &request(&method, "example.com", link, &more));
        prop_assert_eq!(judge_it(&good), Ok(target.clone()));
        // With a prefix the path is free.
        let first = if prefix { good.find('?').unwrap() } else { 1 };
        let at = first + at.index(good.len() - first);
        let mut bytes = good.clone().into_bytes();
        if bytes[at] != byte {
            bytes[at] = byte;
            let changed = String::from_utf8(bytes).unwrap();
            prop_assert!(judge_it(&changed).is_err(), "{} passes", changed);
        }
    }

    #[test]
    fn untrusted_bytes_never_panic(fields in "\\PC{0,60}", signature in "\\PC{0,60}", token: Vec<u8>) {
        let _ = Fields::parse(&fields);
        let signed = raw(&fields, &signature);
        let _ = judge(&policy(), &get(&format!("/a?kg={signed}"), &[]));
        let mut headers = get("/a", &[("x-l", "")]);
        headers[3].1 = token.into();
        let provider = provider_with(serde_json::json!({ "from": [{ "header": "x-l" }] }));
        let _ = judge(&policy_of(&provider, SECRET), &headers);
    }

    #[test]
    fn untrusted_fields_never_panic(
        fields in "([kenmhpgqiarcuoA]([0-9]{1,3}):[0-9a-z/*.]{0,12}){0,6}",
    ) {
        if let Ok(read) = Fields::parse(&fields) {
            prop_assert_eq!(read.text, fields.as_str());
        }
        let _ = judge(&policy(), &get(&forged(&fields), &[]));
    }

    #[test]
    fn fields_that_were_written_are_read_again(tuple in tuples()) {
        let token = tuple.with_terms(|terms, place| hs256(terms, place, &entry(&tuple.key, SECRET)));
        let token = token.unwrap();
        let (_, fields) = token.split_once('.').unwrap();
        let (fields, _) = fields.split_once('.').unwrap();
        use base64::Engine as _;
        let fields = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(fields).unwrap();
        let fields = String::from_utf8(fields).unwrap();
        let read = Fields::parse(&fields).unwrap();
        prop_assert_eq!(read.key_id, tuple.key.as_str());
        prop_assert_eq!(read.expires.as_secs(), tuple.expires);
        prop_assert_eq!(read.method, tuple.method.as_deref());
        prop_assert_eq!(read.account, tuple.account.as_deref());
        prop_assert_eq!(read.once, tuple.once.as_deref());
        prop_assert_eq!(read.values('r').count(), tuple.headers.len());
    }

    /// Wherever the token stands, and whether or not something is ignored beside it, the
    /// same parameters are signed.
    #[test]
    fn the_place_of_the_token_does_not_matter(
        parameters in prop::collection::vec("(a=1|b|=|%2b=%41|x=y=z|)", 0..4),
        at: prop::sample::Index,
        ignored: bool,
    ) {
        let terms = Terms {
            ignored: if ignored { &["utm_*"] } else { &[] },
            ..terms()
        };
        let query = parameters.join("&");
        let target = if parameters.is_empty() { "/a".to_owned() } else { format!("/a?{query}") };
        let token = token(&terms, &target);
        let mut with = parameters.clone();
        with.insert(at.index(parameters.len() + 1), format!("kg={token}"));
        let found = judge(&policy(), &get(&format!("/a?{}", with.join("&")), &[]));
        prop_assert!(found.is_ok(), "{:?}", found);
        with.push("c=1".to_owned());
        let found = judge(&policy(), &get(&format!("/a?{}", with.join("&")), &[]));
        prop_assert!(found.is_err());
    }
}
