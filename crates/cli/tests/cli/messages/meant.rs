//! Messages that name what was probably meant: a field, a name, an encoding.

use super::{SECRET, printed, with_policy};
use crate::support::{EDGE, demo_policy, keygate};

#[test]
fn an_option_that_is_almost_a_field_is_suggested() {
    let dir = tempfile::tempdir().unwrap();
    let sign = ["sign", "/a", "--key-id", "k", "--expires-in", "1h"];
    for (field, expected) in [
        (
            "max_lifetme=1d",
            "keygate: unknown field `max_lifetme`: did you mean `max_lifetime`? (set fields of the \
             format keygate with --set FIELD=VALUE)\n",
        ),
        (
            "colour=p",
            "keygate: unknown field `colour`, expected one of `",
        ),
    ] {
        let set = ["--set", field, "--secret-env", "SECRET"];
        let told = printed(dir.path(), &[&sign[..], &set].concat(), 2);
        assert!(told.starts_with(expected), "{told}");
        for other in ["`type`", "`format`", "`secrets`"] {
            assert!(!told.contains(other), "--set cannot set {other}: {told}");
        }
    }
    // A field in a field may have the name of one that another option sets.
    let set = [
        "--set",
        r#"exchange={"secret":1}"#,
        "--secret-env",
        "SECRET",
    ];
    let told = printed(dir.path(), &[&sign[..], &set].concat(), 2);
    assert!(told.contains("did you mean `secrets`?"), "{told}");
}

#[test]
fn a_field_that_another_option_sets_cannot_be_set() {
    let dir = tempfile::tempdir().unwrap();
    let sign = ["sign", "/a", "--key-id", "k", "--expires-in", "1h"];
    for field in ["type", "format", "secrets"] {
        let value = format!("{field}=akamai");
        let set = ["--set", &value, "--secret-env", "SECRET"];
        let told = printed(dir.path(), &[&sign[..], &set].concat(), 2);
        let expected = format!("keygate: --set does not set {field}: --format names the format");
        assert!(told.starts_with(&expected), "{told}");
    }
}

#[test]
fn a_secret_in_another_encoding_is_named_by_verify_and_explain() {
    let policy = demo_policy().replace("\"unmatched\": \"deny\"", "\"unmatched\": \"allow\"");
    let dir = with_policy(&policy);
    let run = |args: &[&str], secret: &str, code| {
        let done = keygate(args)
            .current_dir(dir.path())
            .env("KEYGATE_MEDIA", secret)
            .env("KEYGATE_APP_KEYS", SECRET)
            .env("KEYGATE_EDGE_TOKEN", EDGE)
            .assert()
            .code(code);
        String::from_utf8(done.get_output().stdout.clone()).unwrap()
    };
    let url = "https://h.example/media/a";
    let sign = ["sign", url, "--key-id", "demo", "--expires-in", "1h"];
    let hex = "30".repeat(32);
    let base64 = "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=";
    for (encoding, secret) in [("hex", hex.as_str()), ("base64", base64)] {
        let link = run(&[&sign[..], &["--encoding", encoding]].concat(), secret, 0);
        let link = link.trim();
        let expected = format!(
            "what differs: the encoding of the secret: the link was signed with it as {encoding}"
        );
        let request = format!("GET {link}");
        let explain = ["explain", "--policy", "p.json", "--request", &request];
        for args in [
            &["verify", link, "--key-id", "demo"][..],
            &["verify", link, "--policy", "p.json"],
            &explain,
        ] {
            let told = run(args, secret, 1);
            assert!(told.contains(&expected), "{args:?}: {told}");
            assert!(!told.contains("cannot tell"), "{told}");
            assert!(!told.contains(secret), "{told}");
        }
        let told = run(&["verify", link, "--key-id", "demo"], SECRET, 1);
        assert!(!told.contains("encoding"), "{told}");
    }
    let link = run(&sign, &hex, 0);
    let args = [
        "verify",
        link.trim(),
        "--key-id",
        "demo",
        "--encoding",
        "hex",
    ];
    assert!(run(&args, &hex, 1).contains("signed with it as utf8"));
}

#[test]
fn a_name_that_is_almost_known_is_suggested() {
    let policy = demo_policy()
        .replace("\"max_lifetime\"", "\"max_life_time\"")
        .replace("\"mode\": \"simulate\"", "\"mode\": \"simulat\"");
    let dir = with_policy(&policy);
    let told = printed(dir.path(), &["check", "p.json"], 1);
    for expected in [
        "unknown field `max_life_time`: did you mean `max_lifetime`?",
        "did you mean `simulate`?",
    ] {
        assert!(told.contains(expected), "{told}");
    }
    let format = demo_policy().replace("\"format\": \"keygate\"", "\"format\": \"keygat\"");
    let dir = with_policy(&format);
    let told = printed(dir.path(), &["check", "p.json"], 1);
    assert!(told.contains("did you mean `keygate`?"), "{told}");
}
