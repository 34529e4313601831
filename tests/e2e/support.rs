//! What several scenarios need.

use std::process::Command;

use keygate_core::Secret;
use keygate_core::keys::{KeyRingId, MasterSecret, Prefix};
use keygate_core::secret::{RingEntry, mac};
use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256};
use keygate_tests::browser::Browser;
use keygate_tests::client::Response;
use keygate_tests::envoy::Envoy;
use keygate_tests::service::{APP_KEYS, CreatedKey, MEDIA, Service, keygate};
use keygate_tests::{Stack, leaks, wait};
use serde_json::{Value, json};

/// Signs a path as a user would, with the command line. Options with a `--format` stand alone.
/// Without one it is a link of the demo: native, for every host, and for three hours.
pub fn sign(path: &str, more: &[&str]) -> String {
    let native = [
        "--key-id",
        "demo",
        "--option",
        "host=*",
        "--expires-in",
        "3h",
    ];
    match more.contains(&"--format") {
        true => signed(path, more),
        false => signed(path, &[&native, more].concat()),
    }
}

/// Signs a path in Cloudflare's format, for a demo with [`cloudflare_links`].
pub fn sign_cloudflare(path: &str, more: &[&str]) -> String {
    signed(path, &[&["--format", "cloudflare"], more].concat())
}

/// Makes the demo take links in Cloudflare's format.
pub fn cloudflare_links(policy: &mut Value) {
    policy["providers"]["media-link"] = json!({ "type": "signed_url", "format": "cloudflare",
        "secrets": "media", "parameter": "verify", "ttl": "3h" });
}

fn signed(path: &str, options: &[&str]) -> String {
    let signed = Command::new(keygate())
        .args(["sign", path])
        .args(options)
        .env("KEYGATE_MEDIA", MEDIA)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&signed.stderr);
    assert!(signed.status.success(), "{error}");
    leaks::command(&signed);
    let link = String::from_utf8(signed.stdout).unwrap().trim().to_owned();
    leaks::credential("link", link.as_bytes());
    link
}

/// Checks that a browser shows something. `KEYGATE_SCREENSHOTS` names a directory that keeps
/// the picture.
pub fn keep_picture(browser: &Browser, name: &str) {
    let picture = browser.screenshot();
    assert!(picture.starts_with(b"\x89PNG"));
    if let Some(directory) = std::env::var_os("KEYGATE_SCREENSHOTS") {
        let path = std::path::Path::new(&directory).join(format!("{name}.png"));
        std::fs::write(path, picture).unwrap();
    }
}

/// The token of a native link, for a target on this host.
pub fn native(terms: &Terms<'_>, host: &str, target: &str) -> String {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let entry = RingEntry {
        id: "demo".to_owned(),
        key: mac(MEDIA.as_bytes()),
        not_before: None,
        not_after: None,
    };
    let token = hs256(terms, &Place { host, path, query }, &entry).unwrap();
    leaks::credential("link", token.as_bytes());
    token
}

/// Unix seconds.
pub fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// A new key of this account, without limits.
pub fn key_of(stack: &Stack, account: &str) -> CreatedKey {
    stack.service().create_key(&json!({ "account": account }))
}

/// A key that our own secret made and that no key service knows; each number gives another.
pub fn genuine_key(number: u8) -> String {
    let secret = Secret::new(APP_KEYS.into());
    let (kid, prefix) = (
        KeyRingId::parse("01").unwrap(),
        Prefix::parse("kg").unwrap(),
    );
    let master = MasterSecret::derive(&secret).unwrap();
    let key = master.generate(&prefix, kid, &mut |bytes| bytes.fill(number));
    key.text.to_string()
}

/// `GET` with a key as Bearer.
pub fn call(stack: &Stack, path: &str, key: &str) -> Response {
    stack
        .get(path)
        .header("authorization", format!("Bearer {key}"))
        .send()
}

/// The public reason in a body of the demo policy's `api` response.
pub fn code(response: &Response) -> String {
    let json = response.json();
    let code = json["error"]["code"].as_str().or(json["reason"].as_str());
    code.unwrap_or_else(|| panic!("no reason in {json}"))
        .to_owned()
}

/// How often the filter has counted this.
pub fn counted(stack: &Stack, name: &str) -> u64 {
    stack.envoy.stat(&format!("wasmcustom.{name}")).unwrap_or(0)
}

/// Waits until every worker (and Envoy's main thread) follows the change feed: before
/// that no key is kept.
pub fn followed(stack: &Stack, workers: u64) {
    wait::until("the change feed to be followed", wait::STARTUP, || {
        (counted(stack, "keygate_feed.begun") > workers).then_some(())
    });
}

/// The value of a header that the upstream received, as in its JSON.
pub fn upstream_header(response: &Response, name: &str) -> Vec<String> {
    let json = response.json();
    let headers = json["headers"].as_array().unwrap().iter();
    headers
        .filter(|pair| pair[0] == name)
        .map(|pair| match &pair[1] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect()
}

/// The rules of the demo decide, behind whatever configuration.
#[track_caller]
pub fn assert_decides_as_the_demo(stack: &Stack, service: &Service) {
    assert_eq!(stack.get("/healthz").send().status, 200);
    assert_eq!(stack.get(sign("/media/cat.jpg", &[])).send().status, 200);
    assert_eq!(stack.get("/media/cat.jpg").send().status, 403);
    assert_eq!(stack.get("/api/x").send().status, 401);
    let key = service.create_key(&json!({ "account": "alice" })).key;
    let passed = stack.get("/api/x").header("x-api-key", &key).send();
    assert_eq!(passed.status, 200, "{}", passed.text());
    assert_eq!(upstream_header(&passed, "x-keygate-account"), ["alice"]);
}

/// No virtual machine of the filter has failed.
pub fn assert_never_trapped(stack: &Stack) {
    assert_envoy_never_trapped(&stack.envoy);
}

/// The same for an Envoy on its own.
pub fn assert_envoy_never_trapped(envoy: &Envoy) {
    for (name, value) in envoy.stats("vm_reload") {
        assert_eq!(value, 0, "{name}");
    }
    let log = envoy.log();
    for sign in ["internal error at", "Function: proxy_on", "panicked"] {
        assert!(!log.contains(sign), "{log}");
    }
}
