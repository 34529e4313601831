//! What people sign with the files of `signers/`, Envoy lets pass; and nothing else.

use std::time::SystemTime;

use keygate_tests::Stack;
use keygate_tests::client::Request;
use keygate_tests::service::MEDIA;
use keygate_tests::signers::Signer;
use serde_json::{Value, json};

use crate::support::cloudflare_links;

/// RFC 8410 section 10.3: a well-known key, and its public key.
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

fn stack() -> Stack {
    Stack::builder()
        .edit_policy(|policy| {
            policy["secrets"]["edge"] = json!([{ "id": "e1", "public_key": PUBLIC_KEY }]);
            policy["secrets"]["expiring"] = policy["secrets"]["media"].clone();
            let providers = &mut policy["providers"];
            providers["native"] = json!({ "type": "signed_url", "format": "keygate",
                "secrets": "media", "max_lifetime": "1h", "query_ignore": ["utm_*"],
                "from": [{ "query": "kg" }, { "path": "~kg" }, { "header": "x-link" },
                    { "cookie": "link" }] });
            providers["edge"] = json!({ "type": "signed_url", "format": "keygate",
                "algorithm": "EdDSA", "secrets": "edge", "max_lifetime": "1h" });
            providers["expiring"] = json!({ "type": "signed_url", "format": "cloudflare",
                "secrets": "expiring", "stamp": "expires", "max_lifetime": "1h", "base64": "url" });
            cloudflare_links(policy);
            let rules = policy["rules"].as_array_mut().unwrap();
            for name in ["native", "edge", "expiring"] {
                let path = format!("/{name}/**");
                rules.push(json!({ "name": name, "match": { "path": path }, "require": name }));
            }
        })
        .start()
}

/// A link in the native format to this path, and more.
fn native(stack: &Stack, path: &str, more: &Value) -> Value {
    let mut link = json!({
        "url": format!("http://127.0.0.1:{}{path}", stack.envoy.port()),
        "key_id": "demo",
        "secret": MEDIA,
        "expires": now() + 600,
    });
    for (name, value) in more.as_object().unwrap() {
        link[name] = value.clone();
    }
    link
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn get(stack: &Stack, url: &str) -> Request {
    let origin = format!("http://127.0.0.1:{}", stack.envoy.port());
    stack.get(url.strip_prefix(&origin).unwrap_or(url))
}

/// Passes as it is, and not with another path or another last byte of the token.
fn assert_holds(stack: &Stack, signer: Signer, url: &str, end_of_path: &str) {
    let answer = get(stack, url).send();
    assert_eq!(answer.status, 200, "{signer}: {url}: {}", answer.text());
    let forwarded = stack.echo.last().path;
    assert!(forwarded.contains(end_of_path), "{signer}: {forwarded}");
    assert!(!forwarded.contains("kg1."), "{signer}: {forwarded}");
    let other_path = url.replacen(end_of_path, &format!("{end_of_path}2"), 1);
    // The first character of the MAC: the last one has bits to spare.
    let mac = url
        .find("verify=")
        .map(|at| at + "verify=1700000000-".len());
    let mac = mac.unwrap_or_else(|| url.rfind('.').unwrap() + 1);
    let other = if url[mac..].starts_with('A') {
        "B"
    } else {
        "A"
    };
    let other_mac = format!("{}{other}{}", &url[..mac], &url[mac + 1..]);
    for forged in [other_path, other_mac] {
        let status = get(stack, &forged).send().status;
        // 400 when it was the `%` of `%2B`, and no base64 is left.
        assert!([400, 403].contains(&status), "{signer}: {forged}: {status}");
    }
}

#[test]
fn every_signer_signs_valid_native_links_only() {
    let stack = stack();
    for signer in Signer::ALL {
        let sign = |path: &str, more: &Value| {
            let link = native(&stack, path, more);
            signer.sign("keygate", &link).unwrap()
        };
        let ignoring = json!({ "ignore": ["utm_*"], "addresses": ["127.0.0.0/8", "::1"] });
        let url = sign("/native/%63af%c3%a9/cat?q=%7e1&utm_a=1", &ignoring);
        assert_holds(&stack, signer, &url, "/cat");
        let other = url.replace("utm_a=1", "utm_b=2");
        assert_eq!(get(&stack, &other).send().status, 200, "{signer}");
        let other = url.replace("q=%7e1", "q=2");
        assert_eq!(get(&stack, &other).send().status, 403, "{signer}");

        let everything = json!({
            "not_before": now() - 5, "method": "PUT", "any_host": true, "any_query": true,
            "globs": ["/native/*.ts", "/native/**/b"], "headers": [["x-device", "tv"]],
            "cookies": [["sid", "s=1"]], "account": "alice@example.com", "carrier": "token"
        });
        let token = sign("/native/a/b", &everything);
        let call = |method: &str, path: &str, device: &str| {
            let request = keygate_tests::client::request(method, stack.envoy.port(), path);
            let request = request
                .header("x-link", &token)
                .header("host", "other.example");
            let request = request
                .header("x-device", device)
                .header("cookie", "sid=s=1");
            request.send().status
        };
        assert_eq!(call("PUT", "/native/1.ts?x", "tv"), 200, "{signer}");
        assert_eq!(call("PUT", "/native/x/y/b", "tv"), 200, "{signer}");
        assert_eq!(call("PUT", "/native/x/y/c", "tv"), 403, "{signer}");
        assert_eq!(call("GET", "/native/1.ts", "tv"), 403, "{signer}");
        assert_eq!(call("PUT", "/native/1.ts", "pc"), 403, "{signer}");
    }
}

#[test]
fn every_signer_opens_a_prefix_by_path_and_by_cookie() {
    let stack = stack();
    for signer in Signer::ALL {
        let sign = |more: &Value| {
            let link = native(&stack, "/native/a/list.m3u8", more);
            signer.sign("keygate", &link).unwrap()
        };
        let prefix = "/native/a/";
        let url = sign(&json!({ "prefix": prefix, "any_query": true, "carrier": "path" }));
        let child = url.replace("list.m3u8", "b/1.ts?x=1");
        assert_eq!(get(&stack, &url).send().status, 200, "{signer}: {url}");
        assert_eq!(get(&stack, &child).send().status, 200, "{signer}: {child}");
        assert_eq!(stack.echo.last().path, "/native/a/b/1.ts?x=1");
        let sibling = url.replace("/native/a/", "/native/ab/");
        assert_eq!(get(&stack, &sibling).send().status, 403, "{signer}");

        let token = sign(&json!({ "prefix": prefix, "any_query": true, "carrier": "token" }));
        let cookie = format!("link={token}");
        let with_cookie = |path: &str| stack.get(path).header("cookie", &cookie).send().status;
        assert_eq!(with_cookie("/native/a/1.ts"), 200, "{signer}");
        assert_eq!(with_cookie("/native/b/1.ts"), 403, "{signer}");
    }
}

#[test]
fn every_signer_with_ed25519_signs_for_edges_without_a_secret() {
    let stack = stack();
    for signer in Signer::ALL.into_iter().filter(|it| it.has_ed25519()) {
        let mut link = native(&stack, "/edge/cat?q=1", &json!({ "key_id": "e1" }));
        link.as_object_mut().unwrap().remove("secret");
        link["private_key"] = json!(PRIVATE_KEY);
        let url = signer.sign("keygate", &link).unwrap();
        assert_holds(&stack, signer, &url, "/cat");
    }
}

#[test]
fn every_signer_signs_cloudflare_links_of_both_kinds() {
    let stack = stack();
    for signer in Signer::ALL {
        let issued =
            json!({ "url": "/media/%63af%c3%a9/cat?a=1", "secret": MEDIA, "stamp": now() });
        let url = signer.sign("cloudflare", &issued).unwrap();
        assert_holds(&stack, signer, &url, "/cat");
        let expiring = json!({ "url": "/expiring/cat", "secret": MEDIA, "stamp": now() + 600,
            "alphabet": "url" });
        let url = signer.sign("cloudflare", &expiring).unwrap();
        let answer = get(&stack, &url).send();
        assert_eq!(answer.status, 200, "{signer}: {url}: {}", answer.text());
        let late = json!({ "url": "/expiring/cat", "secret": MEDIA, "stamp": now() - 1,
            "alphabet": "url" });
        let url = signer.sign("cloudflare", &late).unwrap();
        assert_eq!(get(&stack, &url).send().status, 403, "{signer}: {url}");
    }
}

#[test]
fn characters_that_envoy_encodes_do_not_invalidate_a_link() {
    let stack = stack();
    let path = "/native/a|b{}^`\"<>%7c/~%7E%61'()c";
    for signer in Signer::ALL {
        // Not "\"<>" as well: the upstream of these tests takes none of them in a query.
        let link = native(&stack, &format!("{path}?x=|{{}}^`"), &json!({}));
        let url = signer.sign("keygate", &link).unwrap();
        assert_holds(&stack, signer, &url, "c");
        let link = json!({ "url": path.replace("native", "media"), "secret": MEDIA,
            "stamp": now() });
        let url = signer.sign("cloudflare", &link).unwrap();
        assert_holds(&stack, signer, &url, "c");
    }
}

#[test]
fn the_command_line_reads_a_path_as_envoy_passes_it_on() {
    let stack = Stack::builder()
        .edit_policy(|policy| policy["unmatched"] = json!("allow"))
        .start();
    let characters = (b'!'..=b'~').map(char::from);
    // What ends a path, what Envoy rejects, and what begins a triplet.
    let characters = characters.filter(|it| !"?#\\%;".contains(*it));
    let encoded = (0x21..=0x7e_u8).filter(|it| !b"/\\%;".contains(it));
    let rows = characters
        // The upstream of these tests takes none of these in a query.
        .map(|it| format!("/x/a{it}z?{}", if "\"<>".contains(it) { 'x' } else { it }))
        .chain(encoded.map(|it| format!("/x/a%{it:02x}z%{it:02X}?%{it:02x}")));
    for target in rows {
        let answer = stack.get(&target).send();
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        let expected = keygate_core::http::path::as_envoy_sends(&target);
        assert_eq!(stack.echo.last().path, expected, "{target}");
    }
}
