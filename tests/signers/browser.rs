//! The JavaScript in a real browser: its WebCrypto signs as every other.

use keygate_tests::browser::Browser;
use keygate_tests::fake_service::{FakeService, http};
use keygate_tests::repository;
use serde_json::{Value, json};

use crate::known_answers::{cloudflare, keygate};
use crate::vectors;

/// Signs every link with a page's own WebCrypto, and writes what it gives.
const PAGE: &str = r#"<!doctype html><title>signing</title><body><script type="module">
import { sign, signCloudflare } from "./keygate-sign.mjs";
const camel = (key) => key.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const links = await (await fetch("links.json")).json();
const signed = [];
for (const [format, link] of links) {
  const { url, ...rest } = Object.fromEntries(Object.entries(link).map(([k, v]) => [camel(k), v]));
  const made = (format === "keygate" ? sign : signCloudflare)(url, rest);
  signed.push(await made.catch((error) => `${error}`));
}
document.body.innerText = [...signed, "that was all"].join("\n");
</script>"#;

#[test]
fn a_browser_gives_every_known_answer() {
    let native = vectors("keygate-links.json", "keygate");
    let native = native.iter().map(|vector| {
        let (mut link, token) = keygate(vector);
        link["carrier"] = json!("token");
        (json!(["keygate", link]), token)
    });
    let others = vectors("signed-urls.json", "cloudflare");
    let others = others.iter().map(|vector| {
        let (link, expected) = cloudflare(vector);
        (json!(["cloudflare", link]), expected)
    });
    let (links, expected): (Vec<Value>, Vec<String>) = native.chain(others).unzip();

    let module = repository().join("signers/node/keygate-sign.mjs");
    let server = FakeService::start();
    let file = |kind: &str, body: Vec<u8>| http(200, body).header("content-type", kind);
    server.set("/", file("text/html", PAGE.into()));
    let module = std::fs::read(module).unwrap();
    server.set("/keygate-sign.mjs", file("text/javascript", module));
    let links = json!(links).to_string().into_bytes();
    server.set("/links.json", file("application/json", links));

    let browser = Browser::start();
    // http://127.0.0.1 is a secure context, without which there is no WebCrypto.
    browser.open(&format!("http://127.0.0.1:{}/", server.port()));
    browser.wait_for_text("that was all");
    let text = browser.text();
    let signed: Vec<&str> = text.lines().collect();
    assert_eq!(signed.len(), expected.len() + 1, "{text}");
    for (signed, expected) in signed.iter().zip(&expected) {
        assert_eq!(signed, expected);
    }
}
