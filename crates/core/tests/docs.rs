//! The examples of docs/policy.md and of docs/guides do what the pages say.

use std::rc::Rc;

use keygate_core::identity::Claims;
use keygate_core::keys::{
    Answer, KeyRingId, Knowledge, KnownKey, MasterSecret, NewAppKey, NothingKnown, Prefix,
};
use keygate_core::signed_url::{Checks, PrivateKey};
use keygate_core::{Facts, Outcome, Policy, Secret, UnixMillis, Verdict};
use keygate_testkit::judge::{facts, get, policy};
use serde_json::Value;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: UnixMillis = UnixMillis(1_700_000_001_000);

#[test]
fn every_example_of_the_policy_page_is_valid() {
    let requests = hold(include_str!("../../../docs/policy.md"));
    assert!(requests > 30, "only {requests} requests were read");
}

#[test]
fn every_policy_of_a_guide_decides_as_the_guide_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides");
    let mut requests = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let guide = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        // What a guide writes in place of a public key.
        let public = include_str!("keys/rsa2048.pub");
        let body = public.lines().filter(|line| !line.starts_with('-'));
        let guide = guide.replace("MIIB…", &body.collect::<String>());
        requests += hold(&format!("```json base\n{{}}\n```\n{guide}"));
    }
    assert!(requests > 30, "only {requests} requests were read");
}

/// Judges every request of a page by the policy before it, and counts them. The first block
/// is the base of all policies.
fn hold(page: &str) -> usize {
    let mut blocks = blocks(page).into_iter();
    let (info, base) = blocks.next().unwrap();
    assert_eq!(info, "json base");
    let base: Value = serde_json::from_str(&base).unwrap();
    let mut policy_of = None;
    let mut requests = 0;
    for (info, text) in blocks {
        match info.as_str() {
            "json" => {
                let changes: Value = serde_json::from_str(&text)
                    .unwrap_or_else(|error| panic!("{error} in\n{text}"));
                policy_of = Some(merged(&base, &changes));
            }
            "requests" => {
                let json = policy_of
                    .take()
                    .expect("a policy stands before its requests");
                let policy = policy(&json, SECRET);
                for line in text.lines() {
                    assert_eq!(outcome(&policy, &json, line), expected(line), "{line}");
                    requests += 1;
                }
            }
            // Run with a real Envoy: tests/e2e/guides.rs.
            "sh" | "text" => {}
            other => panic!("what is a block of {other:?}?"),
        }
    }
    requests
}

/// The fenced blocks of a page: what stands behind the fence, and the text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let parts: Vec<&str> = page.split("```").collect();
    let fenced = parts.iter().skip(1).step_by(2);
    fenced
        .map(|block| {
            let (info, text) = block.split_once('\n').unwrap();
            (info.to_owned(), text.to_owned())
        })
        .collect()
}

/// The base with the members of an example in place of its own; secrets and providers
/// of the base stay beside those of the example.
fn merged(base: &Value, changes: &Value) -> Value {
    let mut merged = base.clone();
    for (name, value) in changes.as_object().unwrap() {
        match (&mut merged[name], value, name.as_str()) {
            (Value::Object(have), Value::Object(more), "secrets" | "providers") => {
                have.extend(more.clone());
            }
            (place, value, _) => *place = value.clone(),
        }
    }
    merged
}

fn expected(line: &str) -> &str {
    line.split_once("=>").unwrap().1.trim()
}

/// What the policy says of `METHOD [SIGNED|EXPIRED|OUTAGE] TARGET | header: value … => …`. The
/// first provider of links signs, or the one in `SIGNED(name)`.
fn outcome(policy: &Policy, json: &Value, line: &str) -> String {
    let key = new_key();
    let request = line.split_once("=>").unwrap().0.replace("KEY", &key.text);
    let mut parts = request.split('|').map(str::trim);
    let words: Vec<&str> = parts.next().unwrap().split(' ').collect();
    let (method, target) = match words[..] {
        [method, "EXPIRED", path] => (method, signed(json, None, path, 1_600_000_000)),
        [method, how, path] if how.starts_with("SIGNED") => {
            let provider = how.split(['(', ')']).nth(1);
            (method, signed(json, provider, path, NOW.as_secs()))
        }
        [method, "OUTAGE", target] | [method, target] => (method, target.to_owned()),
        _ => panic!("not a request: {line}"),
    };
    let more: Vec<(&str, &str)> = parts.map(|it| it.split_once(": ").unwrap()).collect();
    let mut headers = get(&target, &[]);
    headers[0].1 = method.into();
    let mut session = Session(None);
    for (name, value) in more {
        match name {
            "session" => session.0 = Some(value.to_owned()),
            "host" => headers[2].1 = value.into(),
            name => headers.push((name.into(), value.into())),
        }
    }
    let record = serde_json::json!({ "hash": key.hash, "id": key.id, "account": "alice",
        "status": "active", "scopes": ["files:read", "reports:*"], "metadata": {} });
    let record = serde_json::from_value(record).unwrap();
    let knowledge = match words[..] {
        [_, "OUTAGE", _] => Knowledge::Outdated(None),
        _ => Knowledge::Known(Rc::new(KnownKey::try_from(&record).unwrap())),
    };
    let answer = Answer {
        hashes: &[key.hash],
        knowledge,
        others: &NothingKnown,
    };
    let facts = Facts {
        checks: Checks::default(),
        claims: &session,
        ..facts(&answer, Some([127, 0, 0, 1].into()), NOW)
    };
    match policy.decide(&headers, &facts) {
        Verdict::Allow(grant) if grant.outcome == Outcome::Unchecked => {
            "allow unchecked".to_owned()
        }
        Verdict::Allow(_) => "allow".to_owned(),
        Verdict::Deny(denial) => format!("{} {}", denial.status, denial.reason.code()),
        Verdict::Reply(reply) => reply.status.to_string(),
        Verdict::Ask(_) | Verdict::Redeem(_) => panic!("{line}: another key"),
    }
}

/// A token that `jwt_authn` has verified, of this account.
struct Session(Option<String>);

impl Claims for Session {
    fn text(&self, path: &[&str]) -> Option<Vec<u8>> {
        let account = self.0.as_ref().filter(|_| path.last() == Some(&"sub"));
        account.map(|account| account.clone().into_bytes())
    }
}

fn new_key() -> NewAppKey {
    let master = MasterSecret::derive(&Secret::new(SECRET.into())).unwrap();
    let (kid, prefix) = (
        KeyRingId::parse("01").unwrap(),
        Prefix::parse("kg").unwrap(),
    );
    master.generate(&prefix, kid, &mut |bytes| bytes.fill(5))
}

/// The path, signed at this second for three hours by a provider of the policy.
fn signed(json: &Value, provider: Option<&str>, path: &str, at: u64) -> String {
    let providers = json["providers"].as_object().unwrap();
    let first = || {
        let mut links = providers.iter().filter(|it| it.1["type"] == "signed_url");
        links.next().map(|it| it.0.as_str())
    };
    let provider = provider.or_else(first).expect("a provider of links");
    let mut json = json.clone();
    json["rules"] =
        serde_json::json!([{ "name": "all", "match": { "path": "/**" }, "require": provider }]);
    let format = &providers[provider]["format"];
    let is_rsa = format == "cloudfront";
    // Its links have the time at which they were made.
    let has_expiry = format != "cloudflare";
    let key = PrivateKey::parse(include_str!("keys/rsa2048.pem")).unwrap();
    // An order borrows for any time.
    let key: &'static PrivateKey = Box::leak(Box::new(key));
    keygate_testkit::judge::signed_as(&policy(&json, SECRET), 0, path, &|order| {
        order.now = UnixMillis::from_secs(at);
        order.expires = Some(UnixMillis::from_secs(at + 3 * 3600)).filter(|_| has_expiry);
        order.private_key = Some(key).filter(|_| is_rsa);
    })
}

#[test]
fn every_test_that_the_page_of_attacks_names_is_there() {
    let page = include_str!("../../../docs/attacks.md");
    let names = tests_in_tables(page);
    assert!(names.len() >= 40, "only {} are named", names.len());
    assert_are_tests(
        &names,
        &["crates/core/tests", "crates/edge/tests", "tests/e2e"],
    );
}

#[test]
fn every_test_that_the_page_of_security_names_is_there() {
    let page = include_str!("../../../docs/security.md");
    let names = tests_in_tables(page);
    assert!(names.len() >= 60, "only {} are named", names.len());
    let guide = include_str!("../../../docs/guides/rotate-secrets.md");
    let quoted = [page, guide].map(|it| it.split('`').skip(1).step_by(2));
    let quoted = quoted.into_iter().flatten();
    let beside = quoted.filter(|it| it.matches('_').count() > 4 && is_name(it));
    let all: Vec<&str> = names.into_iter().chain(beside).collect();
    assert_are_tests(&all, &["crates", "tests"]);
    for number in 1..=23 {
        let row = format!("| S{number} |");
        assert_eq!(page.matches(&row).count(), 1, "{row}");
    }
}

/// What the last cell of each row of a table names.
fn tests_in_tables(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    let quoted = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    quoted
        .filter(|it| it.matches('_').count() > 1 && is_name(it))
        .collect()
}

fn is_name(text: &str) -> bool {
    text.bytes()
        .all(|it| it == b'_' || it.is_ascii_lowercase() || it.is_ascii_digit())
}

fn assert_are_tests(names: &[&str], folders: &[&str]) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut sources = String::new();
    let mut folders: Vec<_> = folders.iter().map(|it| root.join(it)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    for name in names {
        let is_test = sources.contains(&format!("#[test]\nfn {name}()"))
            || sources.contains(&format!("#[test]\n    fn {name}()"));
        assert!(is_test, "{name} is no test");
    }
}
