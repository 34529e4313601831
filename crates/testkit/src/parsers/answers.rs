//! An input is a template, the path and the id of a request, and its `accept`, each in a
//! line. Whatever a client sends, the answer has the form that the template has.

use keygate_core::answer::PLACEHOLDERS;
use keygate_core::keys::NothingKnown;
use keygate_core::signed_url::Checks;
use keygate_core::{Client, Facts, Header, NoClaims, Verdict};
use serde_json::{Value, json};

use super::{NOW, line, policy};

pub fn run(data: &[u8]) {
    let (template, rest) = line(data);
    let (path, rest) = line(rest);
    let (id, accept) = line(rest);
    let Ok(template) = std::str::from_utf8(template) else {
        return;
    };
    let bodies = json!({ "html": template, "text": template,
        "json": { "a": template, template: ["{status}", { "b": template }] } });
    for response in [
        bodies,
        json!({ "html": template }),
        json!({ "redirect": template }),
        json!({ "text": "-", "headers": { "x-a": template } }),
    ] {
        let text = json!({ "version": 1, "secrets": { "ring": [{ "id": "01", "env": "RING" }] },
            "providers": { "link": { "type": "signed_url", "format": "cloudflare",
                "secrets": "ring", "ttl": "3h" } },
            "rules": [{ "name": "r", "match": { "path": "/**" }, "require": "link",
                "deny": "it" }],
            "responses": { "it": response }, "unmatched": "deny" });
        let Ok(policy) = policy(&text.to_string()) else {
            continue;
        };
        let headers: Vec<Header> = [
            (":method", &b"GET"[..]),
            (":path", path),
            (":authority", b"example.com"),
            ("x-request-id", id),
            ("accept", accept),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
        let facts = Facts {
            checks: Checks::default(),
            client: Client::Known(None),
            keys: &NothingKnown,
            claims: &NoClaims,
            now: NOW,
        };
        let Verdict::Deny(denial) = policy.decide(&headers, &facts) else {
            panic!("there is no credential");
        };
        let of = |name: &str| {
            denial
                .headers
                .iter()
                .find(|it| it.0 == name)
                .map(|it| &*it.1)
        };
        for (name, value) in &denial.headers {
            let is_text = |it: u8| it.is_ascii_graphic() || it == b' ';
            assert!(value.bytes().all(is_text), "{name}: {value:?}");
        }
        if denial.reason.code() != "missing_credential" {
            continue;
        }
        match of("content-type") {
            Some("application/json") => is_of_form(&response["json"], &denial.body),
            Some("text/html; charset=utf-8") => is_escaped(template, &denial.body),
            Some("text/plain; charset=utf-8") => {}
            None => leads_where_it_should(template, of("location").unwrap()),
            kind => panic!("{kind:?}"),
        }
    }
}

/// No character that HTML heeds comes from a blank.
fn is_escaped(template: &str, body: &str) {
    for character in ['<', '>', '"', '\''] {
        let count = |text: &str| text.matches(character).count();
        assert_eq!(count(template), count(body), "{template:?} became {body:?}");
    }
}

/// The members and items of the template, with other texts.
fn is_of_form(template: &Value, body: &str) {
    let body: Value = serde_json::from_str(body).unwrap_or_else(|it| panic!("{it}: {body}"));
    assert!(is_alike(template, &body), "{template} became {body}");
}

fn is_alike(template: &Value, body: &Value) -> bool {
    match (template, body) {
        (Value::Object(of), Value::Object(is)) => {
            of.len() == is.len()
                && of
                    .iter()
                    .all(|(name, of)| is.get(name).is_some_and(|is| is_alike(of, is)))
        }
        (Value::Array(of), Value::Array(is)) => {
            of.len() == is.len() && of.iter().zip(is).all(|(of, is)| is_alike(of, is))
        }
        (Value::String(of), Value::Number(_)) => of == "{status}",
        (Value::String(of), Value::String(is)) => {
            let is_filled = PLACEHOLDERS
                .iter()
                .any(|it| of.contains(&format!("{{{it}}}")));
            is_filled || of == is
        }
        _ => false,
    }
}

/// Scheme and host are those that the operator wrote.
fn leads_where_it_should(template: &str, location: &str) {
    let fixed = template.split('{').next().unwrap();
    assert!(location.starts_with(fixed), "{location}");
    match template.starts_with('/') {
        true => assert!(!location.starts_with("//"), "{location}"),
        false => {
            let host = |text: &str| {
                let rest = text.strip_prefix("https://").unwrap().to_owned();
                rest.split(['/', '?', '#']).next().unwrap().to_owned()
            };
            assert_eq!(host(location), host(template));
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    super::texts(&[
        "<p title='{url}'>{message} {request_id}</p>\n/a?<script>'\"\n<b>\"'&\ntext/html",
        "{status} {rule} {reason} {{url}}\n/a/b?c=d&e=%22\nid-1\napplication/json, */*;q=0.1",
        "https://login.example.com/?to={url}\n//evil.test/\nid\n",
        "/{url}{request_id}\n/..;/\n\\\ntext/plain",
        "/login?to={url}\n/a?b=%0d%0a\n\r\n*/*",
        "style{a:b}\n/\n\n",
        "https://a.example{url}\n/\n\n",
    ])
}
