//! Turns known answers into requests, and tries each: it passes in its time, is refused
//! after it, and with any byte of it changed. Forgeries are refused.
//!
//! A file for each system says which provider and which request a vector stands for.

mod cloudflare;
mod keygate;

use std::net::IpAddr;
use std::ops::Range;

use keygate_core::policy::{Facts, Policy, Verdict};
use keygate_core::reason::Reason;
use keygate_core::record::NothingKnown;
use keygate_core::request::Header;
use keygate_core::session::NoClaims;
use keygate_core::time::UnixMillis;
use serde_json::{Value, json};

/// What came of a file.
#[derive(Default)]
pub struct Tally {
    /// How many vectors and attacks did all that they should.
    pub passed: usize,
    /// The others: id and what went wrong.
    pub failures: Vec<String>,
    /// Those of systems that no format of Keygate is for.
    pub foreign: Vec<String>,
}

/// The provider and the request that a vector stands for.
#[derive(Clone, Debug)]
pub struct Case {
    /// The provider, without `type` and `secrets`.
    pub provider: Value,
    /// The entries of its ring.
    pub ring: Value,
    /// The environment variables that they name.
    pub environment: Vec<(String, String)>,
    /// The request, with its pseudo-headers.
    pub headers: Vec<Header>,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// A time at which it holds, for vectors that do not say.
    pub now: u64,
    /// What no signature covers: the name of a header and a range of its value.
    pub free: Vec<(String, Range<usize>)>,
}

impl Case {
    /// A GET with one secret, the value of the variable `SECRET`.
    pub fn new(provider: Value, secret: &str, url: &str) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let slash = rest.find('/').unwrap_or(rest.len());
        let (host, target) = rest.split_at(slash);
        let host = if host.is_empty() { "example.com" } else { host };
        let target = if target.is_empty() { "/" } else { target };
        let mut case = Self {
            provider,
            ring: json!([{ "id": "vector", "env": "SECRET" }]),
            environment: vec![("SECRET".to_owned(), secret.to_owned())],
            headers: Vec::new(),
            client: Some(IpAddr::from([192, 0, 2, 1])),
            now: 1_700_000_000,
            free: Vec::new(),
        };
        for (name, value) in [(":method", "GET"), (":authority", host), (":path", target)] {
            case = case.with(name, value);
        }
        // No format but those that say so covers the host.
        case.free_all(":authority")
    }

    /// How the variable holds the secret: `hex`, `base64`, `base64url`.
    pub fn encoded(mut self, encoding: &str) -> Self {
        self.ring[0]["encoding"] = json!(encoding);
        self
    }

    /// A header more.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Nothing covers a header.
    pub fn free_all(mut self, name: &str) -> Self {
        self.free.push((name.to_owned(), 0..usize::MAX));
        self
    }

    /// What covers a header after all.
    pub fn covered(mut self, name: &str) -> Self {
        self.free.retain(|(free, _)| free != name);
        self
    }

    fn policy(&self) -> Result<Policy, String> {
        let mut provider = self.provider.clone();
        provider["type"] = json!("signed_url");
        provider["secrets"] = json!("ring");
        let policy = json!({
            "version": 1,
            "secrets": { "ring": self.ring },
            "providers": { "it": provider },
            "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
            "unmatched": "deny"
        });
        let environment = |name: &str| {
            let mut all = self.environment.iter();
            all.find(|(it, _)| it == name)
                .map(|(_, value)| value.clone().into_bytes())
        };
        Policy::parse(policy.to_string().as_bytes(), &environment).map_err(|problems| {
            let all: Vec<_> = problems.iter().map(ToString::to_string).collect();
            format!("its provider is not taken: {}", all.join("; "))
        })
    }

    fn judge(&self, policy: &Policy, headers: &[Header], now: u64) -> Result<(), Reason> {
        let facts = Facts {
            client: self.client,
            keys: &NothingKnown,
            claims: &NoClaims,
            now: UnixMillis::from_secs(now),
        };
        match policy.decide(headers, &facts) {
            Verdict::Allow(_) => Ok(()),
            Verdict::Deny(denial) => Err(denial.reason),
            // A link that works once: whether it did already, only the key service knows.
            Verdict::Ask(_) => Err(Reason::KeyServiceUnavailable),
            other => panic!("a signed URL is allowed or denied: {other:?}"),
        }
    }

    /// Every header in which one byte is another, but for what nothing covers.
    fn forgeries(&self) -> Vec<(String, Vec<Header>)> {
        let mut all = Vec::new();
        for (index, (name, value)) in self.headers.iter().enumerate() {
            let name = String::from_utf8_lossy(name);
            if name == ":method" {
                continue;
            }
            // The first byte of a path is its slash.
            let first = usize::from(name == ":path");
            for at in first..value.len() {
                let is_free =
                    |(free, range): &(String, Range<usize>)| *free == name && range.contains(&at);
                if self.free.iter().any(is_free) {
                    continue;
                }
                let mut headers = self.headers.clone();
                let byte = &mut headers[index].1[at];
                *byte = if byte.eq_ignore_ascii_case(&b'b') {
                    b'c'
                } else {
                    b'b'
                };
                all.push((format!("{name} with byte {at} changed"), headers));
            }
        }
        all
    }
}

/// What the files of systems say: a case, or why there is none.
type Told = Option<Result<Case, String>>;

fn case_of(vector: &Value) -> Told {
    match vector["system"].as_str()? {
        "cloudflare" => Some(cloudflare::case(vector)),
        "keygate" => Some(keygate::case(vector)),
        _ => None,
    }
}

/// The forged request, and the good one that it was made from where there is one.
fn attack_of(attack: &Value) -> Option<Result<Attack, String>> {
    match attack["system"].as_str()? {
        "cloudflare" | "cloudflare_worker" => Some(cloudflare::attack(attack)),
        "keygate" => Some(keygate::attack(attack)),
        _ => None,
    }
}

/// A forgery.
pub struct Attack {
    /// All of them are refused at the time of the first.
    pub forged: Vec<Case>,
    /// What they were made from: it passes.
    pub legit: Option<Case>,
}

/// Tries all vectors and attacks of a file.
pub fn run(known: &Value) -> Tally {
    let mut tally = Tally::default();
    let list = |name: &str| known[name].as_array().cloned().unwrap_or_default();
    for vector in list("vectors") {
        let tried = case_of(&vector).map(|case| try_vector(&vector, case));
        tally.note(&vector, tried);
    }
    for attack in list("attacks") {
        let tried = attack_of(&attack).map(try_attack);
        tally.note(&attack, tried);
    }
    tally
}

impl Tally {
    fn note(&mut self, entry: &Value, tried: Option<Result<(), String>>) {
        let id = entry["id"].as_str().unwrap_or("?").to_owned();
        match tried {
            Some(Ok(())) => self.passed += 1,
            Some(Err(why)) => self.failures.push(format!("{id}: {why}")),
            None => self.foreign.push(id),
        }
    }
}

fn try_vector(vector: &Value, case: Result<Case, String>) -> Result<(), String> {
    let case = case?;
    let policy = case.policy()?;
    if let Some(now) = vector["now_expired"].as_u64() {
        match case.judge(&policy, &case.headers, now) {
            Ok(()) => return Err(format!("passes at {now}, when it has expired")),
            Err(Reason::Expired) => {}
            Err(reason) => return Err(format!("is refused as {} at {now}", reason.code())),
        }
    }
    let expected = vector["expected"]["status"].as_u64().unwrap_or(200);
    if expected != 200 {
        return Ok(());
    }
    let now = vector["now_valid"].as_u64().unwrap_or(case.now);
    match case.judge(&policy, &case.headers, now) {
        Err(Reason::KeyServiceUnavailable) if vector["expected_ours"] == "KEY_SERVICE" => {}
        Err(reason) => return Err(format!("is refused as {} at {now}", reason.code())),
        Ok(()) if vector["expected_ours"] == "KEY_SERVICE" => {
            return Err("passes without the key service".to_owned());
        }
        Ok(()) => {}
    }
    for (what, headers) in case.forgeries() {
        if case.judge(&policy, &headers, now).is_ok() {
            return Err(format!("passes with {what}"));
        }
    }
    Ok(())
}

fn try_attack(attack: Result<Attack, String>) -> Result<(), String> {
    let attack = attack?;
    if let Some(legit) = &attack.legit {
        legit
            .judge(&legit.policy()?, &legit.headers, legit.now)
            .map_err(|reason| format!("what it forges is refused as {}", reason.code()))?;
    }
    for forged in &attack.forged {
        if forged
            .judge(&forged.policy()?, &forged.headers, forged.now)
            .is_ok()
        {
            return Err(format!("passes: {:?}", forged.headers));
        }
    }
    Ok(())
}
