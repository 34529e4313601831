//! Mistakes of a first hour: each ends with code 1 or 2 and a message that says what to do.

use std::path::Path;

use crate::support::{demo_policy, keygate};

const SECRET: &str = "a secret of thirty-two bytes, ok";
const REQUEST: &str = "GET https://h.example/media/a";

/// What is printed, to both.
#[track_caller]
fn rejected(dir: &Path, args: &[&str], code: i32) -> String {
    let done = keygate(args).current_dir(dir).assert().code(code);
    let output = done.get_output();
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(all).unwrap()
}

#[test]
fn a_file_that_is_not_a_policy_is_identified() {
    let dir = tempfile::tempdir().unwrap();
    let policy = demo_policy();
    let utf16: Vec<u8> = [0xfeff_u16]
        .into_iter()
        .chain(policy.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let bom = [b"\xef\xbb\xbf", policy.as_bytes()].concat();
    let comment = [b"// the policy\n", policy.as_bytes()].concat();
    let cases: [(&[u8], &str); 6] = [
        (b"", "the file is empty: a policy is a JSON object"),
        (b" \r\n", "the file is empty"),
        (&bom, "byte order mark (BOM)"),
        (&utf16, "the file is UTF-16"),
        (&comment, "begins with a comment"),
        (b"{ \"version\": \"\xff\" }", "the file is not UTF-8"),
    ];
    for (text, told) in cases {
        std::fs::write(dir.path().join("p.json"), text).unwrap();
        let check = rejected(dir.path(), &["check", "p.json"], 1);
        assert!(
            check.starts_with("p.json:1:1: ") && check.contains(told),
            "{check}"
        );
        let explain = ["explain", "--policy", "p.json", "--request", REQUEST];
        let verify = ["verify", "https://h.example/a", "--policy", "p.json"];
        for args in [&explain[..], &verify] {
            let printed = rejected(dir.path(), args, 2);
            assert!(
                printed.contains(told) && printed.contains("p.json"),
                "{printed}"
            );
        }
    }
}

#[test]
fn a_policy_with_windows_line_ends_is_valid() {
    let dir = tempfile::tempdir().unwrap();
    let text = demo_policy().replace('\n', "\r\n");
    std::fs::write(dir.path().join("p.json"), text).unwrap();
    let printed = rejected(dir.path(), &["check", "p.json"], 0);
    assert!(printed.contains("p.json: valid ("), "{printed}");
}

#[test]
fn a_file_without_an_end_is_not_read_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let endless = "/dev/zero";
    let commands: [&[&str]; 4] = [
        &["check", endless],
        &["keys", "import", endless, "--dry-run"],
        &["explain", "--policy", endless, "--request", REQUEST],
        &["sign", "/a", "--key-id", "k", "--secret-file", endless],
    ];
    for args in commands {
        let printed = rejected(dir.path(), args, 2);
        let told = "cannot read /dev/zero: it has more than 8388608 bytes";
        assert!(printed.contains(told), "{printed}");
    }
}

#[test]
fn an_invalid_option_names_a_valid_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("p.json"), demo_policy()).unwrap();
    std::fs::write(dir.path().join("list.json"), "{}").unwrap();
    std::fs::write(dir.path().join("bare.json"), "{\n  id: 1 }").unwrap();
    std::fs::write(dir.path().join("cut.json"), "{\n  \"version\"").unwrap();
    let explain = ["explain", "--policy", "p.json", "--request"];
    let sign = ["sign", "/a", "--policy"];
    let given = ["sign", "/a", "--key-id", "k", "--secret-env", "SECRET"];
    let keygate_format = ["--format", "keygate", "--expires-in", "1h"];
    let given_format = [&given[..], &keygate_format].concat();
    let with = |first: &[&'static str], more: &[&'static str]| [first, more].concat();
    let cases = [
        (
            with(&explain, &["GET"]),
            "a method and a path or URL, such as 'GET /media/cat.jpg'",
        ),
        (with(&explain, &["GET /a b"]), "percent-encode a space"),
        (
            with(&explain, &[REQUEST, "--client", "1.2.3"]),
            "such as 192.0.2.7",
        ),
        (
            with(&explain, &[REQUEST, "--envoy", "none.yaml"]),
            "cannot read none.yaml",
        ),
        (
            with(&explain, &[REQUEST, "--key-record", "list.json"]),
            "list.json is not a key record: missing field `id`\n",
        ),
        (
            with(&explain, &[REQUEST, "--key-record", "bare.json"]),
            "bare.json is not a key record: key must be a string at line 2 column 3\n",
        ),
        (
            with(&sign, &["p.json", "--provider", "app-key"]),
            "has the type app_key",
        ),
        (
            with(&sign, &["list.json"]),
            "has no provider of signed URLs",
        ),
        (
            with(&["sign", "/a", "--key-id", "k"], &[]),
            "KEYGATE_MEDIA is not set: set it, or use --secret-env",
        ),
        (
            with(&given, &["--set", "parameter=p", "--ring", "salt=UNSET"]),
            "keygate: the environment variable UNSET is not set\n",
        ),
        (
            with(&given, &["--encoding", "hex"]),
            "SECRET is not valid hex: use hexadecimal digits, or another encoding\n",
        ),
        (
            with(&given_format, &["--prefix", "a"]),
            "--prefix must start and end with \"/\"",
        ),
        (
            with(&given_format, &["--prefix", "/a"]),
            "--prefix must start and end with \"/\"",
        ),
        (
            with(&given_format, &["--glob", "/a**"]),
            "--glob must start with \"/\"",
        ),
        (
            with(&given_format, &["--method", "get"]),
            "--method must be 1 to 32 of \"A\" to \"Z\"",
        ),
        (
            with(&given_format, &["--once=short"]),
            "--once must be 16 to 64 letters",
        ),
        (
            with(&given, &["--expires-in", "-5d"]),
            "must be a duration of at least 1 ms",
        ),
        (
            with(&given_format, &["--account", ""]),
            "a value is required",
        ),
        (
            with(&["verify", "/a"], &["--cookie", "x"]),
            "must be a name, a \"=\" and a value",
        ),
        (
            with(
                &["verify", "ftp://h.example/a"],
                &["--secret-env", "SECRET"],
            ),
            "the URL must start with http:// or https://",
        ),
        (
            with(
                &["verify", "https://h.example/a b"],
                &["--secret-env", "SECRET"],
            ),
            "percent-encode it, a space as %20",
        ),
        (
            with(
                &["verify", "/a"],
                &["--secret-env", "SECRET", "--skew", "-5d"],
            ),
            "must be a duration of at least 1 ms",
        ),
        (
            with(&["sign", "ftp://h.example/a", "--key-id", "k"], &[]),
            "the URL must start with http:// or https://",
        ),
        (
            with(&["sign", "https://h.example/a b", "--key-id", "k"], &[]),
            "percent-encode it, a space as %20",
        ),
        (
            with(&["sign", "/a", "--key-id", "k"], &["--secret-env", "SHORT"]),
            "keygate: the value of SHORT must have at least 16 bytes: make one with `openssl rand -hex 32`\n",
        ),
        (
            with(&given, &["--format", "cloudfront"]),
            "the format cloudfront needs a key (RSA or P-256): use --private-key-file",
        ),
        (
            with(
                &["sign", "/a", "--format", "cloudfront", "--key-id", "k"],
                &["--public-key-file", "p.json"],
            ),
            "the file of --public-key-file is not a public key",
        ),
        (
            with(&["sign", "/a", "--policy"], &["cut.json"]),
            "cut.json is not a policy: the JSON ends before it is complete (line 2)",
        ),
        (
            with(&["serve"], &["--listen", "8801"]),
            "such as 127.0.0.1:8801",
        ),
        (
            with(&["serve"], &[]),
            "KEYGATE_APP_KEYS is not set: set it, or name another one with --secret",
        ),
        (
            with(
                &["serve", "--secret", "01=SECRET"],
                &["--edge-token-env", "UNSET"],
            ),
            "UNSET is not set: set it, or name another one with --edge-token-env",
        ),
        (
            with(&["keys", "list"], &["--token-env", "UNSET"]),
            "UNSET is not set: set it, or name another one with --token-env",
        ),
        (
            with(&["keys", "list"], &["--token-env", "BLANK"]),
            "BLANK contains no token",
        ),
        (
            with(
                &["keys", "create", "--account", "a"],
                &["--expires-in", "-5d"],
            ),
            "must be a duration of at least 1 ms",
        ),
        (
            with(&["keys", "create", "--account", "a"], &["--scope", "a b"]),
            "for several scopes, repeat --scope",
        ),
        (
            with(&["keys", "create", "--account", "a"], &["--metadata", "{"]),
            "the JSON ends before it is complete",
        ),
        (
            with(&["keys", "list"], &["--service", "http://127.0.0.1:1"]),
            "start it with `keygate serve`",
        ),
    ];
    for (args, told) in cases {
        let done = keygate(&args)
            .current_dir(dir.path())
            .env("SECRET", SECRET)
            .env("BLANK", ",")
            .env("SHORT", "short")
            .assert();
        let output = done.get_output();
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            matches!(output.status.code(), Some(2 | 3)),
            "{args:?}: {printed}"
        );
        assert!(printed.contains(told), "{args:?}: {printed}");
        assert!(!printed.contains(SECRET), "{args:?}: {printed}");
    }
}

#[test]
fn a_link_that_has_already_expired_is_signed_with_a_note() {
    for format in ["keygate", "akamai", "cloudflare"] {
        let sign = ["sign", "https://h.example/a", "--expires-at", "1600000000"];
        let more = ["--key-id", "k", "--format", format];
        let done = keygate(&[&sign[..], &more].concat())
            .env("KEYGATE_MEDIA", SECRET)
            .assert()
            .code(0);
        let error = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        let told = "note: the link has already expired, at 2020-09-13T12:26:40.000Z\n";
        assert_eq!(error, told, "{format}");
    }
}

#[test]
fn a_secret_that_is_too_short_says_how_to_make_one() {
    let hint = "make one with `openssl rand -hex 32`";
    for (variable, args) in [
        ("KEYGATE_APP_KEYS", &["serve"][..]),
        ("KEYGATE_ADMIN_TOKEN", &["serve"]),
        ("KEYGATE_EDGE_TOKEN", &["serve"]),
    ] {
        let done = keygate(args)
            .env("KEYGATE_APP_KEYS", SECRET)
            .env("KEYGATE_EDGE_TOKEN", SECRET.replace([' ', ','], "_"))
            .env(variable, "short")
            .assert()
            .code(2);
        let error = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        assert!(error.contains(variable) && error.contains(hint), "{error}");
    }
}

#[test]
fn a_policy_that_is_cut_short_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let policy = demo_policy();
    let cut = &policy[..policy.find("\"rules\"").unwrap()];
    std::fs::write(dir.path().join("p.json"), cut).unwrap();
    let printed = rejected(dir.path(), &["check", "p.json"], 1);
    assert!(
        printed.contains("the JSON ends before it is complete"),
        "{printed}"
    );
    assert!(
        !printed.contains("EOF") && !printed.contains(":0:"),
        "{printed}"
    );
}
