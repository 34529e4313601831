//! What Keygate would reject, no signer signs. They agree in all that the known answers
//! leave open.

use keygate_tests::signers::Signer;
use serde_json::{Value, json};

use crate::plain;

/// The link with other fields.
fn with(change: Value) -> Value {
    let mut link = plain();
    for (name, value) in change.as_object().unwrap() {
        link[name] = value.clone();
    }
    link
}

fn all_reject(changes: impl IntoIterator<Item = Value>) {
    for change in changes {
        for signer in Signer::ALL {
            let signed = signer.sign("keygate", &with(change.clone()));
            let error = signed.expect_err(&format!("{signer}: {change}"));
            // Its own words, and no crash.
            let is_own = error.starts_with("keygate") && error.lines().count() == 1;
            assert!(is_own, "{signer}: {change}: {error}");
        }
    }
}

/// All give the same, which is returned.
fn all_sign(change: &Value) -> String {
    let signed = Signer::ALL.map(|signer| {
        let signed = signer.sign("keygate", &with(change.clone()));
        signed.unwrap_or_else(|error| panic!("{signer}: {change}: {error}"))
    });
    for (signer, it) in Signer::ALL.iter().zip(&signed) {
        assert_eq!(*it, signed[0], "{signer}: {change}");
    }
    signed[0].clone()
}

#[test]
fn no_signer_signs_a_path_that_can_be_read_in_two_ways() {
    let paths = [
        "//a",
        "/a//b",
        "/a/../b",
        "/a/.",
        "/a/%2e%2E/b",
        "/a%2f..%2Fb",
        "/a/..;x/b",
        "/a/;x",
        "/a\\b",
        "/a%5cb",
        "/a%00",
        "/a%7f",
        "/%C2%85",
        "/%c3%28",
        "/%ED%A0%80",
        "/%252e",
        "/%25%32%65",
        "/%zz",
        "/%4",
        "/%%341",
        "/a#b",
        "/a?b#c",
        "/a?%zz",
        "/a b",
        "/ä",
    ];
    all_reject(paths.map(|path| json!({ "url": format!("https://h{path}") })));
}

#[test]
fn no_signer_signs_a_url_that_has_no_host_or_a_token_already() {
    all_reject([
        json!({ "url": "/a" }),
        json!({ "url": "https://h" }),
        json!({ "url": "ftp://h/a" }),
        json!({ "url": "https://u@h/a" }),
        json!({ "url": "https://h/a?kg=1" }),
        json!({ "url": "https://h/a?b&%6bg" }),
        json!({ "url": "https://h/~kg=1/a", "carrier": "path" }),
        json!({ "url": "https://h/a?t=1", "name": "t" }),
    ]);
}

#[test]
fn no_signer_signs_a_field_that_is_not_of_its_form() {
    all_reject([
        json!({ "key_id": "" }),
        json!({ "key_id": null }),
        json!({ "expires": null }),
        json!({ "secret": null }),
        json!({ "key_id": "a b" }),
        json!({ "key_id": "a".repeat(65) }),
        json!({ "secret": " " }),
        json!({ "expires": 0 }),
        json!({ "expires": -5 }),
        json!({ "expires": 12_345_678_901_u64 }),
        json!({ "not_before": 1_767_225_600 }),
        json!({ "method": "get" }),
        json!({ "method": "A".repeat(33) }),
        json!({ "prefix": "/video" }),
        json!({ "prefix": "/videos/" }),
        json!({ "prefix": "/video/", "globs": ["/video/*"] }),
        json!({ "globs": ["/a**"] }),
        json!({ "globs": ["a"] }),
        json!({ "globs": ["/a?b"] }),
        json!({ "globs": vec!["/a"; 17] }),
        json!({ "ignore": ["a*b"] }),
        json!({ "ignore": ["a=b"] }),
        json!({ "ignore": ["a&b"] }),
        json!({ "ignore": [""] }),
        json!({ "ignore": vec!["a"; 17] }),
        json!({ "addresses": ["192.0.2"] }),
        json!({ "addresses": ["192.0.2.256"] }),
        json!({ "addresses": ["192.0.2.0/33"] }),
        json!({ "addresses": ["2001:db8::/129"] }),
        json!({ "addresses": ["::ffff:10.0.0.0/95"] }),
        json!({ "addresses": ["1:2:3"] }),
        json!({ "addresses": ["fe80::1%eth0"] }),
        json!({ "addresses": vec!["::1"; 17] }),
        json!({ "headers": [["X-A", "1"]] }),
        json!({ "headers": [["x-a", "1\n"]] }),
        json!({ "headers": [["x-a", " 1"]] }),
        json!({ "cookies": [["a b", "1"]] }),
        json!({ "account": "a b" }),
        json!({ "account": "a".repeat(257) }),
        json!({ "once": "0123456789abcde" }),
        json!({ "once": "0123456789abcde." }),
        json!({ "globs": vec![format!("/{}", "a".repeat(300)); 12] }),
        json!({ "carrier": "cookie" }),
        json!({ "name": "a&b" }),
    ]);
}

#[test]
fn all_signers_give_the_same_link_for_the_same_name() {
    let names = [
        "plain.jpg",
        "a%20b.jpg",
        "caf%C3%A9",
        "caf%c3%a9",
        "100%25",
        "a+b",
        "a%2Bb",
        "a~b",
        "a%7eb",
        "it's",
        "it%27s",
        "a|b",
        "a%7cb",
        "{a}",
        "a^b`c",
        "\"a\"",
        "<a>",
        "a,b;c=d@e:f!g$h(i)*j",
        "%61%2d%2E%5f",
    ];
    for name in names {
        for url in [
            format!("https://h/a/{name}"),
            format!("https://h/a?x={name}"),
        ] {
            all_sign(&json!({ "url": url }));
            let link = json!({ "url": url, "secret": "s", "stamp": 1_767_225_600 });
            let signed = Signer::ALL.map(|it| it.sign("cloudflare", &link).unwrap());
            assert!(signed.iter().all(|it| *it == signed[0]), "{signed:?}");
        }
        all_sign(&json!({ "url": format!("https://h/{name}/a"), "globs": [format!("/{name}/*")] }));
        let prefix = format!("/{name}/");
        all_sign(&json!({ "url": format!("https://h{prefix}a"), "prefix": prefix }));
    }
}

#[test]
fn a_signer_names_the_function_that_encodes_a_blank() {
    let functions = [
        (Signer::Php, "rawurlencode"),
        (Signer::Python, "urllib.parse.quote"),
        (Signer::JavaScript, "encodeURIComponent"),
        (Signer::Go, "url.PathEscape"),
        (Signer::Shell, "@uri"),
    ];
    for url in ["https://h/a b", "https://h/a?x=b c", "https://h/\u{e9}"] {
        for (signer, function) in functions {
            let link = with(json!({ "url": url }));
            let error = signer.sign("keygate", &link).unwrap_err();
            assert!(error.contains(function), "{signer} {url}: {error}");
        }
    }
}

#[test]
fn a_time_with_a_fraction_is_signed_without_it() {
    let whole = all_sign(&json!({ "not_before": 1_767_225_000 }));
    // The types of the others have no fractions.
    for signer in [Signer::Python, Signer::JavaScript] {
        let link = json!({ "expires": 1_767_225_600.9, "not_before": 1_767_225_000.2 });
        let signed = signer.sign("keygate", &with(link)).unwrap();
        assert_eq!(signed, whole, "{signer}");
        let link = json!({ "url": "/a", "secret": "s", "stamp": 1_767_225_600.5 });
        signer.sign("cloudflare", &link).unwrap();
        for wrong in [json!(0.5), json!(1e10), json!(-1.5), json!(true)] {
            let signed = signer.sign("keygate", &with(json!({ "expires": wrong })));
            assert!(signed.is_err(), "{signer} {wrong}: {signed:?}");
        }
    }
}

#[test]
fn no_signer_accepts_text_for_a_switch_or_a_list() {
    for change in [
        json!({ "any_host": "false" }),
        json!({ "any_query": "no" }),
        json!({ "any_query": 1 }),
        json!({ "addresses": "" }),
        json!({ "ignore": "ab" }),
        json!({ "globs": "/" }),
        json!({ "headers": "" }),
        json!({ "cookies": "" }),
    ] {
        // The shell knows no types.
        for signer in Signer::ALL.into_iter().filter(|it| *it != Signer::Shell) {
            let signed = signer.sign("keygate", &with(change.clone()));
            assert!(signed.is_err(), "{signer}: {change}: {signed:?}");
        }
    }
}

#[test]
fn the_shell_signer_reads_no_link_field_from_the_environment() {
    let sign = |environment: &[(&str, &str)]| {
        let file = keygate_tests::repository().join("signers/keygate-sign.sh");
        let mut command = std::process::Command::new("bash");
        command
            .arg(file)
            .args(["keygate", "--key-id", "k1", "--expires", "1767225600"]);
        command.arg("https://media.example.com/a/b?c=d");
        command.env("KEYGATE_SECRET", "0123456789abcdef0123456789abcdef");
        command.envs(environment.iter().copied());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let plain = sign(&[]);
    assert!(plain.starts_with("https://"));
    for it in [
        ("prefix", "/"),
        ("any_host", "1"),
        ("any_query", "1"),
        ("account", "root"),
        ("once", "0123456789abcdef"),
        ("method", "PUT"),
        ("name", "other"),
        ("not_before", "1"),
    ] {
        assert_eq!(sign(&[it]), plain, "{it:?}");
    }
}

#[test]
fn all_signers_agree_on_what_the_known_answers_leave_open() {
    for change in [
        json!({ "url": "https://h/a?" }),
        json!({ "url": "https://h/a?&&b&" }),
        json!({ "url": "https://[2001:DB8::1]:8443/a" }),
        json!({ "url": "/a", "any_host": true }),
        json!({ "url": "https://h/a%2fb" }),
        json!({ "url": "https://h/%C3%A9?%c3%a9=%7e" }),
        json!({ "secret": "x".repeat(64) }),
        json!({ "secret": "x".repeat(65) }),
        json!({ "secret": "geheimnis-ä" }),
        json!({ "headers": [["x-a", "ä \"q\"\tÀ"], ["x-b", ""], ["x-c", "1"]] }),
        json!({ "addresses": ["::ffff:192.0.2.1", "1:2:3:4:5:6:7:8", "::/0", "0.0.0.0/0"] }),
    ] {
        all_sign(&change);
    }
}

#[test]
fn the_port_of_the_scheme_is_not_signed_as_no_client_sends_it() {
    let token = |url: &str| all_sign(&json!({ "url": url, "carrier": "token" }));
    assert_eq!(token("https://h:443/a"), token("https://h/a"));
    assert_eq!(token("http://h:80/a"), token("http://h/a"));
    assert_ne!(token("https://h:80/a"), token("https://h/a"));
}

#[test]
fn python_says_that_it_has_no_ed25519() {
    let mut link = plain();
    link["private_key"] = json!(crate::pem(&[7; 32]));
    let error = Signer::Python.sign("keygate", &link).unwrap_err();
    assert!(error.contains("private_key"), "{error}");
}
