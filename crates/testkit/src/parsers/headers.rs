//! An input is the headers of a request, one in each line. A policy knows every genuine key
//! in every place; what passes holds no key, has no identity but the one that was found,
//! and what is rejected can be put into headers.

use std::cell::RefCell;
use std::rc::Rc;

use keygate_core::answer::{Rejection, Scheme, Voice};
use keygate_core::keys::wire::{LookupResponse, Record};
use keygate_core::keys::{KeyHash, KeyLookup, Knowledge, KnownKey};
use keygate_core::signed_url::Checks;
use keygate_core::{Client, Denial, Edit, Facts, Header, NoClaims, Policy, UnixMillis, Verdict};

use super::{NOW, policy};

/// Knows every hash, and which was asked for.
struct Known {
    key: Rc<KnownKey>,
    asked: RefCell<Vec<KeyHash>>,
}

impl KeyLookup for Known {
    fn find(&self, hashes: &[KeyHash], _: UnixMillis) -> Knowledge {
        self.asked.borrow_mut().extend(hashes);
        Knowledge::Known(Rc::clone(&self.key))
    }
}

thread_local! {
    static POLICY: Policy = policy(TEXT).unwrap();
    static KNOWN: Rc<KnownKey> = known();
    static KEY: String = super::key(b"seed").text.to_string();
}

const TEXT: &str = r#"{ "version": 1,
  "secrets": { "ring": [{ "id": "01", "env": "RING" }] },
  "key_service": { "cluster": "k", "authority": "k", "token_env": "TOKEN" },
  "providers": { "key": { "type": "app_key", "secrets": "ring",
      "from": ["bearer", "basic", { "header": "x-api-key" }, { "cookie": "app_key" }] },
    "url": { "type": "app_key", "secrets": "ring", "from": [{ "query": "key" }],
      "query_referrers": ["https://*.example.com/app/**"] } },
  "rules": [
    { "name": "page", "match": { "path": "/page/**", "methods": ["GET", "PUT"] }, "require": "key",
      "allowed_referrers": ["https://*.example.com/app/**", "http://[::1]:8080"],
      "preflight": "allow" },
    { "name": "url", "match": { "path": "/url/**" }, "require": "url" },
    { "name": "try", "match": { "path": "/try/**" }, "require": "key", "mode": "simulate" },
    { "name": "all", "match": { "path": "/**", "hosts": ["example.com", "*.example.com"] },
      "require": "key" }
  ],
  "unmatched": "deny" }"#;

fn known() -> Rc<KnownKey> {
    let hash = KeyHash([1; 32]);
    let answer = format!(
        r#"{{"epoch":1,"records":[{{"hash":"{hash}","id":"AbC","account":"alice","status":"active","metadata":{{}}}}]}}"#
    );
    let read: LookupResponse = LookupResponse::read(answer.as_bytes()).unwrap();
    let record: &Record = &read.records[0];
    Rc::new(KnownKey::try_from(record).unwrap())
}

pub fn run(data: &[u8]) {
    let headers = headers(data);
    let known = Known {
        key: KNOWN.with(Rc::clone),
        asked: RefCell::default(),
    };
    let facts = Facts {
        checks: Checks::default(),
        client: Client::Known(Some([192, 0, 2, 1].into())),
        keys: &known,
        claims: &NoClaims,
        now: NOW,
    };
    match POLICY.with(|it| it.decide(&headers, &facts)) {
        Verdict::Allow(grant) => {
            let after = applied(headers.clone(), &grant.edits);
            let is_known = !known.asked.borrow().is_empty();
            let names = |name: &str| values(&after, name);
            let accounts = names("x-keygate-account");
            let is_found = accounts == [b"alice"];
            assert!(is_found || accounts.is_empty(), "{accounts:?}");
            assert!(!is_found || is_known, "an identity from nowhere");
            let path = values(&headers, ":path")[0];
            // Of other methods the last rule decides, which asks for no page.
            let is_page = [&b"GET"[..], b"PUT"].contains(&values(&headers, ":method")[0]);
            if is_page && path.starts_with(b"/page/") && is_found {
                assert!(is_from_page(&headers), "a page that may not ask");
            }
            if is_found {
                assert!(!holds_key(&after), "the upstream sees the key: {after:?}");
            }
            for name in [":path", ":method", ":authority"] {
                assert_eq!(names(name).len(), 1, "{name}");
            }
        }
        Verdict::Deny(denial) => check(&denial, &headers),
        verdict => panic!("every key is known: {verdict:?}"),
    }
}

fn headers(data: &[u8]) -> Vec<Header> {
    let lines = data.split(|it| *it == b'\n').filter(|it| !it.is_empty());
    let headers = lines.map(|line| {
        let at = line.iter().skip(1).position(|it| *it == b':');
        let at = at.map_or(line.len(), |it| it + 1);
        let value = line.get(at + 1..).unwrap_or_default().trim_ascii();
        (line[..at].to_ascii_lowercase().into(), value.into())
    });
    headers.collect()
}

fn values<'a>(headers: &'a [Header], name: &str) -> Vec<&'a [u8]> {
    let of_name = headers.iter().filter(|it| it.0 == name.as_bytes());
    of_name.map(|it| &*it.1).collect()
}

fn applied(mut headers: Vec<Header>, edits: &[Edit]) -> Vec<Header> {
    for edit in edits {
        match edit {
            Edit::Remove(name) => headers.retain(|it| it.0 != name.as_bytes()),
            Edit::Set(name, value) => {
                headers.retain(|it| it.0 != name.as_bytes());
                headers.push(((**name).into(), (**value).into()));
            }
            Edit::Add(name, value) => headers.push(((**name).into(), (**value).into())),
            Edit::SetSecret(name, value) => {
                headers.retain(|it| it.0 != name.as_bytes());
                headers.push(((**name).into(), value.expose().into()));
            }
        }
    }
    headers
}

/// Whether a genuine key is in a carrier of keys.
fn holds_key(headers: &[Header]) -> bool {
    let key = KEY.with(String::clone).into_bytes();
    let holds = |value: &[u8]| value.windows(key.len()).any(|it| it == &key[..]);
    let bearer = |value: &&[u8]| value.to_ascii_lowercase().starts_with(b"bearer ");
    let mut authorization = values(headers, "authorization").into_iter().filter(bearer);
    let cookies = values(headers, "cookie");
    let mut pairs = cookies.iter().flat_map(|it| it.split(|it| *it == b';'));
    authorization.any(holds)
        || values(headers, "x-api-key").into_iter().any(holds)
        || pairs.any(|it| it.trim_ascii() == [b"app_key=", &key[..]].concat())
}

/// `https://*.example.com/app/**` or `http://[::1]:8080`, by the text alone.
fn is_from_page(headers: &[Header]) -> bool {
    let page = match values(headers, "referer").as_slice() {
        [] => values(headers, "origin"),
        pages => pages.to_vec(),
    };
    let [page] = page.as_slice() else {
        return false;
    };
    let page = String::from_utf8_lossy(page).to_ascii_lowercase();
    let Some((scheme, rest)) = page.split_once("://") else {
        return false;
    };
    let end = rest.find(['/', '?', '#', '\\', '@']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    match scheme {
        "https" => {
            let host = host.strip_suffix(":443").unwrap_or(host);
            // `/**` includes the bare prefix.
            host.ends_with(".example.com") && path.starts_with("/")
        }
        "http" => host.starts_with('[') && host.ends_with("]:8080"),
        _ => false,
    }
}

/// The page of the same rejection, for a request of which it shows nothing.
fn plain_page(denial: &Denial) -> String {
    let accept: [Header; 1] = [("accept".into(), "text/html".into())];
    let (reason, scheme) = (denial.reason, Scheme::None);
    let answer = Rejection { reason, scheme }.answer(&accept, &Voice::default());
    answer.body
}

/// The output can be sent, is not cacheable, and contains no key.
fn check(denial: &Denial, request: &[Header]) {
    for (name, value) in &denial.headers {
        let is_text = |it: u8| it.is_ascii_graphic() || it == b' ';
        assert!(value.bytes().all(is_text), "{name}: {value:?}");
    }
    let of = |name: &str| denial.headers.iter().find(|it| it.0 == name);
    assert_eq!(of("cache-control").unwrap().1, "no-store");
    assert!(matches!(denial.status, 400 | 401 | 403 | 503));
    assert!(denial.details.bytes().all(|it| it.is_ascii_graphic()));
    let content_type = values(request, "content-type");
    let grpc = content_type
        .first()
        .and_then(|it| it.strip_prefix(b"application/grpc"));
    let is_grpc = grpc.is_some_and(|it| matches!(it, [] | [b'+' | b';', ..]));
    assert_eq!(denial.grpc_status.is_some(), is_grpc);
    let kind = &of("content-type").unwrap().1;
    match &**kind {
        "text/plain" => assert!(is_grpc),
        "application/problem+json" => {
            let _: serde_json::Value = serde_json::from_str(&denial.body).unwrap();
        }
        "text/html; charset=utf-8" => {
            let tags = |page: &str| page.matches('<').count();
            assert_eq!(
                tags(&denial.body),
                tags(&plain_page(denial)),
                "{}",
                denial.body
            );
        }
        kind => panic!("{kind}"),
    }
    // The id of the request is the client's own, whatever it has put there.
    let id = values(request, "x-request-id").concat();
    let is_id = |key: &str| String::from_utf8_lossy(&id).contains(key);
    assert!(!KEY.with(|key| denial.body.contains(key) && !is_id(key)));
}

pub fn seeds() -> Vec<Vec<u8>> {
    let pseudo = |path: &str| format!(":method: GET\n:path: {path}\n:authority: example.com\n");
    let key = KEY.with(String::clone);
    let bearer = format!("authorization: Bearer {key}\n");
    let rows = [
        (
            "/a",
            format!("{bearer}x-keygate-account: root\nx_keygate_account: root"),
        ),
        (
            "/a",
            format!("cookie: a=1; app_key={key}; b=2\ncookie: c=3"),
        ),
        ("/a", format!("x-api-key: {key}")),
        ("/a", format!("{bearer}authorization: Digest x")),
        (
            "/a",
            "accept: text/html;q=0.5, */*;q=0.1\nx-request-id: <b>".to_owned(),
        ),
        (
            "/a",
            "content-type: application/grpc+proto\nte: trailers".to_owned(),
        ),
        (
            "/page/x",
            format!("{bearer}referer: https://a.example.com/app/b?c#d"),
        ),
        (
            "/page/x",
            format!("{bearer}origin: https://evil.test@a.example.com"),
        ),
        ("/page/x", format!("{bearer}origin: http://[0::1]:8080")),
        (
            "/page/x",
            "origin: null\naccess-control-request-method: PUT".to_owned(),
        ),
        ("/try/x", "authorization: Bearer x".to_owned()),
        (
            &format!("/url/x?a=1&key={key}"),
            "referer: https://a.example.com/app".to_owned(),
        ),
        ("/a;b/%2e", "accept: application/json".to_owned()),
        ("/a", format!("x-request-id: {key}")),
    ];
    let all = rows
        .iter()
        .map(|(path, more)| (pseudo(path) + more).into_bytes());
    all.collect()
}
