//! Reports of leaked keys, in the form of GitHub's secret scanning partner program
//! (<https://docs.github.com/code-security/secret-scanning/secret-scanning-partner-program>).
//!
//! Anyone can send one, so the signature is verified before the report is parsed. What an
//! unauthenticated client can cause is bounded: one verification at a time, few that wait, and one
//! call a minute for the keys of the reporter.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keygate_core::text::hex;
use keygate_core::{Millis, UnixMillis};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::DecodePublicKey as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::events::Leak;
use crate::outbound::{Bounds, Client, Endpoint};
use crate::problem::Problem;
use crate::words::words;

/// Where GitHub publishes its keys.
pub const GITHUB_KEYS: &str = "https://api.github.com/meta/public_keys/secret_scanning";

const IDENTIFIER: &str = "github-public-key-identifier";
const SIGNATURE: &str = "github-public-key-signature";

/// Most characters of an identifier; GitHub's have 64.
const MAX_IDENTIFIER: usize = 128;

/// Most characters of a signature in base64: 72 bytes of DER have 96.
const MAX_SIGNATURE: usize = 100;

/// Most keys of the reporter that are kept.
const MAX_KEYS: usize = 64;

/// Most reports that wait to be verified.
const MAX_WAITING: usize = 64;

/// The call for the keys.
const BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(5),
    body: 64 * 1024,
};

/// How long keys are used before they are read again.
const FRESH: Millis = Millis::from_secs(24 * 3600);

/// Time between two attempts to read them.
const PAUSE: Millis = Millis::from_secs(60);

/// Most bytes that are kept of each text of a report.
const MAX_TEXT: usize = 2048;

/// Where the public keys of the reporter are, in the form in which GitHub publishes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// At a URL.
    Url(Endpoint),
    /// In a file.
    File(PathBuf),
}

/// A leaked key as a scanner reports it.
// Other members are passed over: the form is not ours.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "LeakReport")]
pub(crate) struct Report {
    /// The text that was found.
    #[schemars(with = "String")]
    pub(crate) token: Zeroizing<String>,
    /// What the scanner calls this kind of key.
    #[serde(default)]
    r#type: Option<String>,
    /// Where it was found.
    #[serde(default)]
    url: Option<String>,
    /// The kind of place.
    #[serde(default)]
    source: Option<String>,
}

impl Report {
    /// Parses the body of a request.
    pub(crate) fn parse(body: &[u8]) -> Result<Vec<Self>, Problem> {
        // What serde says may quote the text.
        let wrong = |_| Problem::Body("must be a list of objects with a token".to_owned());
        serde_json::from_slice(body).map_err(wrong)
    }

    /// Where it was found.
    pub(crate) fn leak(&self) -> Leak {
        let text = |text: &Option<String>| {
            let mut text = text.clone().unwrap_or_default();
            let mut ends = (0..=MAX_TEXT.min(text.len())).rev();
            let end = ends.find(|at| text.is_char_boundary(*at));
            text.truncate(end.unwrap_or(0));
            text
        };
        Leak {
            url: text(&self.url),
            source: text(&self.source),
            r#type: text(&self.r#type),
        }
    }

    /// The answer about it. It does not repeat the token.
    pub(crate) fn verdict(&self, label: Label) -> Verdict {
        Verdict {
            token_hash: hex::encode(&Sha256::digest(self.token.as_bytes())),
            token_type: self.r#type.clone().unwrap_or_default(),
            label,
        }
    }
}

words! {
    /// What a reported text is.
    Label {
        /// A key of this service, whether or not it was revoked before.
        TruePositive = "true_positive",
        /// No key of this service.
        FalsePositive = "false_positive",
    }
}

/// What a reported text is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LeakVerdict")]
pub(crate) struct Verdict {
    /// The SHA-256 of the text, in hexadecimal digits.
    token_hash: String,
    /// The `type` of the report.
    token_type: String,
    /// Whether it is a key of this service.
    label: Label,
}

/// What verifies reports.
pub(crate) struct Leaks {
    source: KeySource,
    /// Made for the first call.
    client: OnceLock<Client>,
    room: Semaphore,
    one_at_a_time: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
    /// When the keys were last read, with or without success. Held meanwhile.
    tried: tokio::sync::Mutex<Option<UnixMillis>>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, VerifyingKey>,
    read_at: Option<UnixMillis>,
}

impl Leaks {
    pub(crate) fn new(source: KeySource) -> Self {
        Self {
            source,
            client: OnceLock::new(),
            room: Semaphore::new(MAX_WAITING),
            one_at_a_time: tokio::sync::Mutex::default(),
            known: Mutex::default(),
            tried: tokio::sync::Mutex::default(),
        }
    }

    /// Checks that a key of the reporter signed the body.
    ///
    /// # Errors
    /// [`Problem::Unsigned`], [`Problem::NoReportKeys`] or [`Problem::Overloaded`].
    pub(crate) async fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: UnixMillis,
    ) -> Result<(), Problem> {
        let identifier = only(headers, IDENTIFIER, MAX_IDENTIFIER)?;
        let signature = STANDARD.decode(only(headers, SIGNATURE, MAX_SIGNATURE)?);
        let signature = signature.map_err(|_| Problem::Unsigned)?;
        let signature = Signature::from_der(&signature).map_err(|_| Problem::Unsigned)?;
        let _room = self.room.try_acquire().map_err(|_| Problem::Overloaded)?;
        let key = self.key(identifier, now).await?;
        let _turn = self.one_at_a_time.lock().await;
        let verified = key.verify(body, &signature);
        verified.map_err(|_| Problem::Unsigned)
    }

    /// The key with this identifier. Keys that are old or do not have it are read again.
    async fn key(&self, identifier: &str, now: UnixMillis) -> Result<VerifyingKey, Problem> {
        let is_recent = |at: Option<UnixMillis>, span: Millis| {
            // Also where the clock was set back.
            at.is_some_and(|at| at.0.abs_diff(now.0) < span.0)
        };
        let fresh = {
            let known = lock(&self.known);
            let key = known.keys.get(identifier).copied();
            key.filter(|_| is_recent(known.read_at, FRESH))
        };
        if let Some(key) = fresh {
            return Ok(key);
        }
        let mut tried = self.tried.lock().await;
        if !is_recent(*tried, PAUSE) {
            *tried = Some(now);
            match self.read().await {
                Ok(keys) => {
                    *lock(&self.known) = Known {
                        keys,
                        read_at: Some(now),
                    };
                }
                Err(why) => tracing::warn!("cannot read the keys of leak reports: {why}"),
            }
        }
        let known = lock(&self.known);
        match known.keys.get(identifier) {
            Some(key) => Ok(*key),
            None if known.read_at.is_none() => Err(Problem::NoReportKeys),
            None => Err(Problem::Unsigned),
        }
    }

    async fn read(&self) -> Result<HashMap<String, VerifyingKey>, String> {
        let text = match &self.source {
            KeySource::Url(endpoint) => {
                let client = self.client.get_or_init(Client::new);
                let answer = client.get(endpoint, BOUNDS).await;
                let (status, body) = answer.map_err(|error| format!("{endpoint}: {error}"))?;
                match status.is_success() {
                    true => body.to_vec(),
                    false => return Err(format!("{endpoint} answered {status}")),
                }
            }
            KeySource::File(file) => {
                let read = tokio::task::spawn_blocking({
                    let file = file.clone();
                    move || std::fs::read(file)
                });
                let read = read.await.map_err(|error| error.to_string())?;
                read.map_err(|error| format!("{}: {error}", file.display()))?
            }
        };
        parse(&text)
    }
}

/// A header that is there once, of visible ASCII.
fn only<'h>(headers: &'h HeaderMap, name: &str, most: usize) -> Result<&'h str, Problem> {
    let mut values = headers.get_all(name).iter();
    let (value, more) = (values.next(), values.next());
    let text = value.filter(|_| more.is_none());
    let text = text.and_then(|it| it.to_str().ok());
    text.filter(|it| (1..=most).contains(&it.len()))
        .ok_or(Problem::Unsigned)
}

/// Reads the keys as GitHub publishes them. A key of another kind is passed over.
fn parse(text: &[u8]) -> Result<HashMap<String, VerifyingKey>, String> {
    #[derive(Deserialize)]
    struct Published {
        public_keys: Vec<PublishedKey>,
    }
    #[derive(Deserialize)]
    struct PublishedKey {
        key_identifier: String,
        key: String,
    }
    let published: Published =
        serde_json::from_slice(text).map_err(|error| format!("it has no public_keys: {error}"))?;
    let keys = published.public_keys.into_iter().take(MAX_KEYS);
    let keys = keys.filter_map(|it| {
        let key = VerifyingKey::from_public_key_pem(&it.key).ok()?;
        Some((it.key_identifier, key))
    });
    let keys: HashMap<_, _> = keys.collect();
    match keys.is_empty() {
        true => Err("none of its public_keys is a key of P-256 in PEM".to_owned()),
        false => Ok(keys),
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's documentation, with the key that GitHub publishes under that
    /// identifier.
    const KEYS: &[u8] = br#"{"public_keys":[{
        "key_identifier": "bcb53661c06b4728e59d897fb6165d5c9cda0fd9cdf9d09ead458168deb7518c",
        "key": "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYAGMWO8XgCamYKMJS6jc/qgvSlAd\nAjPuDPRcXU22YxgBrz+zoN19MzuRyW87qEt9/AmtoNP5GrobzUvQSyJFVw==\n-----END PUBLIC KEY-----\n",
        "is_current": true}]}"#;
    const BODY: &[u8] = br#"[{"source":"commit","token":"some_token","type":"some_type","url":"https://example.com/base-repo-url/"}]"#;
    const SIGNED: &str = "MEQCIQDaMKqrGnE27S0kgMrEK0eYBmyG0LeZismAEz/BgZyt7AIfXt9fErtRS4XaeSt/AO1RtBY66YcAdjxji410VQV4xg==";

    #[test]
    fn the_report_of_githubs_documentation_verifies() {
        let keys = parse(KEYS).unwrap();
        let key = keys.values().next().unwrap();
        let signature = Signature::from_der(&STANDARD.decode(SIGNED).unwrap()).unwrap();
        assert!(key.verify(BODY, &signature).is_ok());
        assert!(key.verify(&BODY[1..], &signature).is_err());
        let [report] = &Report::parse(BODY).unwrap()[..] else {
            panic!("one report");
        };
        assert_eq!(*report.token, "some_token");
        assert_eq!(report.leak().source, "commit");
    }

    #[test]
    fn keys_without_one_of_p256_are_an_error() {
        for text in [
            &b"{}"[..],
            b"[]",
            br#"{"public_keys":[]}"#,
            br#"{"public_keys":[{"key_identifier":"a","key":"-----BEGIN PUBLIC KEY-----\n"}]}"#,
        ] {
            assert!(parse(text).is_err());
        }
    }

    #[test]
    fn long_texts_of_a_report_are_cut_between_characters() {
        let url = "\u{e4}".repeat(2_000);
        let body = format!(r#"[{{"token":"a","url":"x{url}","source":null,"new":{{}}}}]"#);
        let [report] = &Report::parse(body.as_bytes()).unwrap()[..] else {
            panic!("one report");
        };
        assert_eq!(report.leak().url.len(), 2047);
    }
}
