//! Every known answer of both formats, byte for byte.

use keygate_tests::signers::Signer;
use serde_json::{Map, Value, json};

use crate::{pem, vectors};

/// The fields of a vector that are for the signer, and under these names.
const FIELDS: [&str; 14] = [
    "key_id",
    "expires",
    "not_before",
    "method",
    "any_host",
    "prefix",
    "globs",
    "any_query",
    "ignore",
    "addresses",
    "headers",
    "cookies",
    "account",
    "once",
];

#[test]
fn php_gives_every_known_answer() {
    gives_every_known_answer(Signer::Php);
}

#[test]
fn python_gives_every_known_answer() {
    gives_every_known_answer(Signer::Python);
}

#[test]
fn javascript_gives_every_known_answer() {
    gives_every_known_answer(Signer::JavaScript);
}

#[test]
fn go_gives_every_known_answer() {
    gives_every_known_answer(Signer::Go);
}

#[test]
fn the_shell_gives_every_known_answer() {
    gives_every_known_answer(Signer::Shell);
}

fn gives_every_known_answer(signer: Signer) {
    for vector in vectors("signed-urls.json", "cloudflare") {
        let (link, expected) = cloudflare(&vector);
        let signed = signer.sign("cloudflare", &link);
        assert_eq!(signed, Ok(expected), "{signer}: {}", vector["id"]);
    }
    for vector in vectors("keygate-links.json", "keygate") {
        let id = &vector["id"];
        let (mut link, token) = keygate(&vector);
        if link.get("private_key").is_some() && !signer.has_ed25519() {
            continue;
        }
        link["carrier"] = json!("token");
        let signed = signer.sign("keygate", &link);
        assert_eq!(signed.as_ref(), Ok(&token), "{signer}: {id}");
        let (carrier, name) = (&vector["inputs"]["carrier"], &vector["inputs"]["name"]);
        let expected = vector["expected"].as_str().unwrap();
        // A parameter may stand anywhere, as in some vectors; signers put it at the end.
        let is_at_the_end = carrier == "query" && expected.ends_with(&token);
        if carrier == "path" || is_at_the_end {
            link["carrier"] = carrier.clone();
            link["name"] = name.clone();
            let signed = signer.sign("keygate", &link);
            assert_eq!(signed.as_deref(), Ok(expected), "{signer}: {id}");
        }
    }
}

/// A vector as the command lines take it, and the token.
pub fn keygate(vector: &Value) -> (Value, String) {
    let inputs = vector["inputs"].as_object().unwrap();
    let text = |name: &str| inputs[name].as_str();
    let (host, path) = (text("host").unwrap(), text("path").unwrap());
    let query = text("query").map(|it| format!("?{it}"));
    let mut link: Map<String, Value> = FIELDS
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), inputs.get(*name)?.clone())))
        .filter(|(_, value)| !value.is_null())
        .collect();
    let url = format!("https://{host}{path}{}", query.unwrap_or_default());
    link.insert("url".to_owned(), json!(url));
    let (name, key) = match vector["secret"].as_str() {
        Some(secret) => ("secret", secret.to_owned()),
        None => ("private_key", seed(&vector["secret"])),
    };
    link.insert(name.to_owned(), json!(key));
    (Value::Object(link), text("token").unwrap().to_owned())
}

fn seed(key: &Value) -> String {
    let digits = key["ed25519_seed_hex"].as_str().unwrap().as_bytes();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair));
    let bytes = pairs.map(|pair| u8::from_str_radix(pair.unwrap(), 16).unwrap());
    pem(&bytes.collect::<Vec<_>>())
}

/// A vector as the command lines take it, and what they give.
pub fn cloudflare(vector: &Value) -> (Value, String) {
    let inputs = &vector["inputs"];
    let text = |name: &str| inputs[name].as_str();
    let message = text("path").or(text("message")).unwrap();
    let mut link = json!({
        "url": text("request").unwrap_or(message),
        "secret": vector["secret"],
        "stamp": inputs["timestamp"],
        "alphabet": if inputs["flags"] == "s" { "url" } else { "standard" },
    });
    if let Some(name) = text("param") {
        link["name"] = json!(name);
    }
    if text("request").is_some() {
        let (directory, _) = message.rsplit_once('?').unwrap();
        link["directory"] = json!(directory);
    }
    match vector["expected"].as_str() {
        Some(url) => (link, url.to_owned()),
        None => {
            link["carrier"] = json!("token");
            let mac = vector["expected"]["mac_header"].as_str().unwrap();
            (link, format!("{}-{mac}", inputs["timestamp"]))
        }
    }
}
