//! Every bound that a description of the schema names, such as "at most 10m" or "1 to 64
//! characters", is the one that the configuration enforces: the bound is accepted, and the next
//! value beyond it is rejected.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keygate_core::Policy;
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../../../docs/policy.schema.json");
const RSA: &str = include_str!("keys/rsa2048.pub");

/// A valid policy that gives a value to every field whose description names a bound.
fn sample() -> Value {
    let link = |format: &str, more: Value| {
        let mut provider = json!({ "type": "signed_url", "format": format, "secrets": "ring" });
        let Value::Object(more) = more else {
            panic!("no object")
        };
        provider.as_object_mut().unwrap().extend(more);
        provider
    };
    let lives = json!({ "max_lifetime": "7d", "skew": "30s" });
    let with = |format: &str, more: Value| {
        let mut provider = link(format, lives.clone());
        let Value::Object(more) = more else {
            panic!("no object")
        };
        provider.as_object_mut().unwrap().extend(more);
        provider
    };
    json!({
        "version": 1,
        "realm": "demo",
        "secrets": {
            "a-ring": [{ "id": "a", "env": "BYTES_32" }],
            "b-ring": [{ "id": "01", "env": "BYTES_32" }],
            "ring": [{ "id": "01", "env": "BYTES_32" }],
            "rsa": [{ "id": "K1", "public_key": RSA }]
        },
        "key_service": {
            "cluster": "keys", "authority": "keys", "token_env": "TOKEN",
            "timeout": "300ms", "poll": "1s", "lease": "24h",
            "cache": { "max_bytes": 33_554_432, "max_known": 50_000, "max_unknown": 10_000 },
            "miss_limit": limit()
        },
        "signature_limit": limit(),
        "assertion": {
            "algorithm": "HS256", "secrets": "ring", "audience": "keys", "issuer": "keygate",
            "ttl": "60s"
        },
        "brand": { "name": "Demo", "logo": logo(100) },
        "providers": {
            "key": { "type": "app_key", "secrets": "ring", "prefix": "kg" },
            "akamai": with("akamai", json!({})),
            "azure": with("azure-sas", json!({ "account": "demo" })),
            "bunny": with("bunny", json!({})),
            "cloudflare-expires": with("cloudflare", json!({ "stamp": "expires" })),
            "cloudflare-directory": link("cloudflare", json!({ "secrets": "b-ring",
                "header": "x-token", "message": "path", "directory_length": 7, "skew": "30s",
                "ttl": "3h"
            })),
            "cloudfront": with("cloudfront", json!({ "secrets": "rsa" })),
            "fastly": with("fastly", json!({})),
            "google-cdn": with("google-cdn", json!({})),
            "google-media-cdn": with("google-media-cdn", json!({ "algorithm": "hmac-sha256" })),
            "http-signature": link("http-signature", json!({
                "algorithm": "hmac-sha256", "max_age": "5m", "skew": "30s",
                "components": ["@method", "@target-uri"]
            })),
            "imgproxy": with("imgproxy", json!({ "salts": "b-ring" })),
            "keycdn": with("keycdn", json!({ "allow_weak": true })),
            "keygate": with("keygate", json!({
                "exchange": { "secrets": "a-ring", "max_session": "6h" }
            })),
            "nginx": with("nginx", json!({
                "allow_weak": true, "template": "$secure_link_expires$uri $secret"
            })),
            "s3": with("s3", json!({ "region": "us-east-1" })),
            "uri-signing": with("uri-signing", json!({ "algorithm": "HS256" }))
        },
        "rules": [{
            "name": "work", "match": { "path": "/**" }, "require": "keygate", "mode": "challenge",
            "challenge": { "secrets": "ring", "difficulty": 16, "clearance": "30m" }
        }],
        "responses": { "page": { "status": 403 } },
        "unmatched": "deny"
    })
}

fn limit() -> Value {
    json!({ "burst": 100, "per_second": 5, "per_second_48": 20, "per_second_worker": 50 })
}

/// A PNG of so many bytes.
fn logo(bytes: usize) -> String {
    let mut image = b"\x89PNG\r\n\x1a\n".to_vec();
    image.resize(bytes, 0);
    format!("data:image/png;base64,{}", STANDARD.encode(image))
}

/// The problems of a policy. A variable `BYTES_n` has n bytes.
fn problems(policy: &Value) -> Vec<String> {
    let environment = |name: &str| match name.strip_prefix("BYTES_") {
        Some(bytes) => Some(b"0123456789abcdef".repeat(4)[..bytes.parse().unwrap()].to_vec()),
        None => Some(b"edge-token".to_vec()),
    };
    match Policy::parse(policy.to_string().as_bytes(), &environment) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// A bound of a description, such as `("1", "64", "letters")` or `("", "10m", "")`.
#[derive(Clone, Debug, PartialEq)]
struct Bound {
    least: Option<String>,
    most: Option<String>,
    unit: String,
}

/// Finds "at most X", "at least X" and "X to Y", where X and Y begin with a digit.
fn bounds(description: &str) -> Vec<Bound> {
    let words: Vec<&str> = description
        .split_whitespace()
        .map(|word| word.trim_end_matches(['.', ',', ':', ';']))
        .collect();
    let number = |at: usize| {
        let word = words.get(at)?;
        let is_number = word.starts_with(|it: char| it.is_ascii_digit());
        is_number.then(|| (*word).to_owned())
    };
    let unit = |at: usize| {
        words
            .get(at)
            .map_or_else(String::new, |it| (*it).to_owned())
    };
    let phrases = words.windows(3).enumerate().filter_map(|(at, phrase)| {
        let last = number(at + 2)?;
        let (least, most) = match (phrase[0].to_lowercase().as_str(), phrase[1]) {
            ("at", "most") => (None, Some(last)),
            ("at", "least") => (Some(last), None),
            (_, "to") => (Some(number(at)?), Some(last)),
            _ => return None,
        };
        let unit = unit(at + 3);
        Some(Bound { least, most, unit })
    });
    phrases.collect()
}

#[test]
fn bounds_are_found_in_every_form_that_descriptions_use() {
    let bound = |least: Option<&str>, most: Option<&str>, unit: &str| Bound {
        least: least.map(str::to_owned),
        most: most.map(str::to_owned),
        unit: unit.to_owned(),
    };
    for (text, found) in [
        (
            "Lifetime, such as 7d. At most\n367d.",
            vec![bound(None, Some("367d"), "")],
        ),
        (
            "SVG of at most 16 KiB.",
            vec![bound(None, Some("16"), "KiB")],
        ),
        (
            "1 to 64 letters",
            vec![bound(Some("1"), Some("64"), "letters")],
        ),
        (
            "has at least 32 bytes.",
            vec![bound(Some("32"), None, "bytes")],
        ),
        ("Default: 20, or 4 times as many", vec![]),
        ("How many to keep.", vec![]),
    ] {
        assert_eq!(bounds(text), found, "{text}");
    }
}

/// A field whose description names bounds.
#[derive(Debug)]
struct Field {
    /// Where it is in the sample.
    pointer: String,
    is_list: bool,
    is_number: bool,
    bounds: Vec<Bound>,
}

/// The schema, and what a policy reaches of it.
struct Walk {
    schema: Value,
    /// By the place in the schema.
    found: BTreeMap<String, Field>,
}

impl Walk {
    /// Follows references, and of several alternatives the one that has the constants of `value`.
    fn resolve(&self, at: &str, value: &Value) -> Option<String> {
        let node = self.schema.pointer(at)?;
        if let Some(reference) = node["$ref"].as_str() {
            return self.resolve(reference.trim_start_matches('#'), value);
        }
        for word in ["anyOf", "oneOf"] {
            let count = node[word].as_array().map_or(0, Vec::len);
            if count > 0 {
                let mut branches = (0..count).map(|branch| format!("{at}/{word}/{branch}"));
                return branches.find_map(|branch| self.resolve(&branch, value));
            }
        }
        let fits = match node["properties"].as_object() {
            None => node["type"] != "null",
            Some(properties) => properties
                .iter()
                .all(|(name, property)| property.get("const").is_none_or(|it| *it == value[name])),
        };
        fits.then(|| at.to_owned())
    }

    /// Notes each field of `value` whose description, or that of its type, names bounds.
    fn note(&mut self, at: &str, value: &Value, pointer: &str) {
        let Some(at) = self.resolve(at, value) else {
            return;
        };
        let of_type = bounds(text(&self.schema, &at));
        for (name, member) in value.as_object().into_iter().flatten() {
            let (place, pointer) = (
                format!("{at}/properties/{name}"),
                format!("{pointer}/{name}"),
            );
            if self.schema.pointer(&place).is_none() {
                self.note(&format!("{at}/additionalProperties"), member, &pointer);
                continue;
            }
            let mut bounds = bounds(text(&self.schema, &place));
            bounds.extend(of_type.clone());
            let field = Field {
                pointer: pointer.clone(),
                is_list: member.is_array(),
                is_number: member.is_number(),
                bounds,
            };
            self.found.entry(place.clone()).or_insert(field);
            self.note(&place, member, &pointer);
        }
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            self.note(&format!("{at}/items"), item, &format!("{pointer}/{index}"));
        }
    }
}

fn text<'a>(schema: &'a Value, at: &str) -> &'a str {
    let node = schema.pointer(at).unwrap_or(&Value::Null);
    node["description"].as_str().unwrap_or_default()
}

/// Every place of the schema whose description names a bound.
fn places(node: &Value, at: &str, places: &mut BTreeSet<String>) {
    let described = node["description"].as_str();
    if described.is_some_and(|text| !bounds(text).is_empty()) {
        places.insert(at.to_owned());
    }
    match node {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, member)| self::places(member, &format!("{at}/{name}"), places)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| self::places(item, &format!("{at}/{index}"), places)),
        _ => {}
    }
}

/// A value at the bound, and the next one beyond it.
fn at_and_beyond(field: &Field, bound: &Bound) -> Vec<(Value, Value)> {
    let number = |text: &str| text.parse::<u64>().ok();
    let size = |count: u64| usize::try_from(count).unwrap();
    let value = |count: u64| match bound.unit.as_str() {
        _ if field.is_number => json!(count),
        _ if field.is_list => {
            let names = (0..count).map(|name| json!(format!("x-{name}")));
            Value::Array(names.collect())
        }
        "bytes" => json!(format!("bytes-{count}")),
        _ => json!("a".repeat(size(count))),
    };
    let mut pairs = Vec::new();
    if let Some(most) = &bound.most {
        pairs.push(match (number(most), bound.unit.as_str()) {
            (Some(most), "KiB") => {
                let most = size(most * 1024);
                (json!(logo(most)), json!(logo(most + 1)))
            }
            (Some(most), _) => (value(most), value(most + 1)),
            (None, _) => (json!(most), json!(format!("{most} 1s"))),
        });
    }
    if let Some(least) = &bound.least {
        pairs.push(match number(least) {
            Some(least) => (value(least), value(least - 1)),
            None => (json!(least), json!("999ms")),
        });
    }
    pairs
}

/// `/rules/0/name` as messages have it: `rules[0].name`.
fn path(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        match part.parse::<usize>() {
            Ok(index) => path.push_str(&format!("[{index}]")),
            Err(_) if path.is_empty() => path.push_str(part),
            Err(_) => path.push_str(&format!(".{part}")),
        }
    }
    path
}

#[test]
fn the_bounds_that_descriptions_name_are_enforced() {
    let mut sample = sample();
    for bytes in [15, 16, 31, 32] {
        let ring = json!([{ "id": "01", "env": format!("BYTES_{bytes}") }]);
        sample["secrets"][format!("bytes-{bytes}")] = ring;
    }
    assert_eq!(problems(&sample), [""; 0]);
    let mut walk = Walk {
        schema: serde_json::from_str(SCHEMA).unwrap(),
        found: BTreeMap::new(),
    };
    walk.note("", &sample, "");

    let mut named = BTreeSet::new();
    places(&walk.schema, "", &mut named);
    for place in named {
        let inside = format!("{place}/properties/");
        let is_found = |found: &String| *found == place || found.starts_with(&inside);
        assert!(
            walk.found.keys().any(is_found),
            "the sample has no {place}, whose description names a bound"
        );
    }
    for field in walk.found.values() {
        for bound in &field.bounds {
            for (last, beyond) in at_and_beyond(field, bound) {
                let with = |value: &Value| {
                    let mut policy = sample.clone();
                    *policy.pointer_mut(&field.pointer).unwrap() = value.clone();
                    problems(&policy)
                };
                let (accepted, rejected) = (with(&last), with(&beyond));
                let said = format!("{} {bound:?}", field.pointer);
                assert_eq!(accepted, [""; 0], "{said}: {last} must be accepted");
                // A secret that is too short can be a problem of its ring, too.
                let ring = format!("secrets.{}: ", beyond.as_str().unwrap_or_default());
                let path = path(&field.pointer);
                let is_of = |it: &String| it.starts_with(&path) || it.starts_with(&ring);
                let is_named = rejected.iter().any(is_of);
                assert!(is_named, "{said}: {beyond} must be rejected: {rejected:?}");
            }
        }
    }
}
