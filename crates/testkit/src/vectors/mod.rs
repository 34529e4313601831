//! Turns known answers into requests, and tries each: it passes in its time, is rejected
//! after it, and with any byte of it changed. Forgeries are rejected.
//!
//! A file for each system defines the provider and the request of a vector.

mod akamai;
mod azure_sas;
mod bunny;
mod cloudflare;
mod cloudfront;
mod fastly;
mod google_cdn;
mod google_media_cdn;
mod http_signature;
mod images;
mod keycdn;
mod keygate;
mod nginx;
mod s3;
mod uri_signing;

use std::net::IpAddr;
use std::ops::Range;

use keygate_core::keys::NothingKnown;
use keygate_core::signed_url::Checks;
use keygate_core::{Client, Facts, Header, NoClaims, Policy, Reason, UnixMillis, Verdict};
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

/// The provider and the request of a vector.
#[derive(Clone, Debug)]
pub struct Case {
    /// The provider, without `type` and `secrets`.
    pub provider: Value,
    /// The entries of its ring.
    pub ring: Value,
    /// Other rings, by name.
    pub rings: Vec<(String, Value)>,
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
    /// Other requests of the same vector.
    pub also: Vec<Case>,
}

impl Case {
    /// A GET with one secret, the value of the variable `SECRET`.
    pub fn new(provider: Value, secret: &str, url: &str) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let slash = rest.find('/').unwrap_or(rest.len());
        let (host, target) = rest.split_at(slash);
        let host = if host.is_empty() { "example.com" } else { host };
        let target = if target.is_empty() { "/" } else { target };
        let target = &normalized(target);
        let mut case = Self {
            provider,
            ring: json!([{ "id": "vector", "env": "SECRET" }]),
            rings: Vec::new(),
            environment: vec![("SECRET".to_owned(), secret.to_owned())],
            headers: Vec::new(),
            client: Some(IpAddr::from([192, 0, 2, 1])),
            now: 1_700_000_000,
            free: Vec::new(),
            also: Vec::new(),
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

    /// The policy that holds nothing but this provider.
    pub fn policy(&self) -> Result<Policy, String> {
        let mut provider = self.provider.clone();
        provider["type"] = json!("signed_url");
        provider["secrets"] = json!("ring");
        let mut secrets = json!({ "ring": self.ring });
        for (name, ring) in &self.rings {
            secrets[name] = ring.clone();
        }
        let policy = json!({
            "version": 1,
            "secrets": secrets,
            "providers": { "it": provider },
            "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
            "allow_path_parameters": true,
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

    /// What else a decision draws on, at a time in Unix seconds.
    pub fn facts(&self, now: u64) -> Facts<'_> {
        Facts {
            checks: Checks::default(),
            client: Client::Known(self.client),
            keys: &NothingKnown,
            claims: &NoClaims,
            now: UnixMillis::from_secs(now),
        }
    }

    fn judge(&self, policy: &Policy, headers: &[Header], now: u64) -> Result<(), Reason> {
        match policy.decide(headers, &self.facts(now)) {
            Verdict::Allow(_) => Ok(()),
            Verdict::Deny(denial) => Err(denial.reason),
            // A link that works once: whether it did already, only the key service knows.
            Verdict::Redeem(_) => Err(Reason::KeyServiceUnavailable),
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
                let mut value = headers[index].1.to_vec();
                value[at] = if value[at].eq_ignore_ascii_case(&b'b') {
                    b'c'
                } else {
                    b'b'
                };
                headers[index].1 = value.into();
                all.push((format!("{name} with byte {at} changed"), headers));
            }
        }
        all
    }
}

/// A target as an Envoy that normalizes paths hands it on: no unreserved character of its path
/// is percent-encoded.
fn normalized(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut pieces = path.split('%');
    let mut normal = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let octet = piece
            .get(..2)
            .and_then(|it| u8::from_str_radix(it, 16).ok());
        match octet.map(char::from) {
            Some(it) if it.is_ascii_alphanumeric() || "-._~".contains(it) => {
                normal.push(it);
                normal.push_str(&piece[2..]);
            }
            _ => normal.push_str(&format!("%{piece}")),
        }
    }
    normal + query
}

/// The known answers in the tree.
#[allow(dead_code, reason = "the program is given a file")]
pub const KNOWN: &[&str] = &[
    include_str!("../../../../tests/vectors/signed-urls.json"),
    include_str!("../../../../tests/vectors/keygate-links.json"),
];

/// Makes a request of a vector, or says why there is none.
type MakeCase = fn(&Value) -> Result<Case, String>;

/// Makes a forgery of an attack, or says why there is none.
type MakeAttack = fn(&Value) -> Result<Attack, String>;

/// A format, and how its known answers become requests.
struct Row {
    format: &'static str,
    case: MakeCase,
    attack: Option<MakeAttack>,
}

const fn row(format: &'static str, case: MakeCase, attack: Option<MakeAttack>) -> Row {
    Row {
        format,
        case,
        attack,
    }
}

/// One row for each format.
const ROWS: &[Row] = &[
    row("akamai", akamai::case, Some(akamai::attack)),
    row("azure-sas", azure_sas::case, None),
    row("bunny", bunny::case, Some(bunny::attack)),
    row("cloudflare", cloudflare::case, Some(cloudflare::attack)),
    row("cloudfront", cloudfront::case, None),
    row("fastly", fastly::case, Some(fastly::attack)),
    row("google-cdn", google_cdn::case, None),
    row("google-maps", images::google_maps, None),
    row("google-media-cdn", google_media_cdn::case, None),
    row("http-signature", http_signature::case, None),
    row("imgproxy", images::imgproxy, None),
    row("keycdn", keycdn::case, None),
    row("keygate", keygate::case, Some(keygate::attack)),
    row("nginx", nginx::case, Some(nginx::attack)),
    row("s3", s3::case, None),
    row("thumbor", images::thumbor, None),
    row("uri-signing", uri_signing::case, None),
];

/// Other systems of the known answers whose links a format takes.
const SYSTEMS: [(&str, &str); 2] = [
    ("cloudflare_worker", "cloudflare"),
    ("envoy_wasm_secure_link", "nginx"),
];

/// The formats that have known answers, in the order of the alphabet.
pub fn formats() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.format)
}

/// The format that takes the links of a vector or an attack, if one does.
pub fn format_of(entry: &Value) -> Option<&str> {
    let system = entry["system"].as_str()?;
    let alias = SYSTEMS.iter().find(|(other, _)| *other == system);
    let name = alias.map_or(system, |(_, format)| format);
    ROWS.iter().map(|row| row.format).find(|it| *it == name)
}

fn row_of(entry: &Value) -> Option<&'static Row> {
    let format = format_of(entry)?;
    ROWS.iter().find(|row| row.format == format)
}

/// What a row says of a vector: a case, or why there is none.
pub type Told = Option<Result<Case, String>>;

/// The case of a vector; `None` when no format of Keygate takes its links.
pub fn case_of(vector: &Value) -> Told {
    row_of(vector).map(|row| (row.case)(vector))
}

/// The forged request, and the good one that it was made from where there is one.
fn attack_of(attack: &Value) -> Option<Result<Attack, String>> {
    let make = row_of(attack)?.attack?;
    Some(make(attack))
}

/// A forgery.
pub struct Attack {
    /// All of them are rejected at the time of the first.
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
    let mut case = case?;
    for other in std::mem::take(&mut case.also) {
        try_vector(vector, Ok(other))?;
    }
    let policy = case.policy()?;
    if let Some(now) = vector["now_expired"].as_u64() {
        match case.judge(&policy, &case.headers, now) {
            Ok(()) => return Err(format!("passes at {now}, when it has expired")),
            Err(Reason::Expired) => {}
            Err(reason) => return Err(format!("is rejected as {} at {now}", reason.code())),
        }
    }
    let expected = vector["expected"]["status"].as_u64().unwrap_or(200);
    if expected != 200 {
        return Ok(());
    }
    let now = vector["now_valid"].as_u64().unwrap_or(case.now);
    match case.judge(&policy, &case.headers, now) {
        Err(Reason::KeyServiceUnavailable) if vector["expected_ours"] == "KEY_SERVICE" => {}
        Err(reason) => return Err(format!("is rejected as {} at {now}", reason.code())),
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
            .map_err(|reason| format!("what it forges is rejected as {}", reason.code()))?;
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
