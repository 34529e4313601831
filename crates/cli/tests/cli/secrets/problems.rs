//! What is wrong with a provider that options describe, by the names of the options.

use super::run;
use crate::support::keygate;

const MINE: [&str; 6] = ["sign", "/a", "--key-id", "k", "--secret-env", "MINE"];
const IMGPROXY: [&str; 4] = ["--format", "imgproxy", "--set", "salts=salt"];
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

fn with(first: &[&'static str], more: &[&'static str]) -> Vec<&'static str> {
    [first, more].concat()
}

#[test]
fn a_wrong_value_is_reported_by_its_option() {
    for (args, told) in [
        (
            with(
                &["sign", "/a"],
                &["--secret-env", "MINE", "--key-id", "a b"],
            ),
            "keygate: --key-id must be 1 to 64 letters, digits, \".\", \"_\" or \"-\"\n",
        ),
        (
            with(&MINE, &["--format", "cloudflare", "--parameter", "a b"]),
            "keygate: --parameter must be letters, digits, \"-\", \".\", \"_\" or \"~\"\n",
        ),
        (
            with(&MINE, &["--format", "cloudflare", "--set", "parameter=a b"]),
            "keygate: parameter: must be letters, digits, \"-\", \".\", \"_\" or \"~\" \
             (set fields of the format cloudflare with --set FIELD=VALUE)\n",
        ),
        (
            with(
                &["verify", "/a", "--key-id", "k", "--secret-env", "MINE"],
                &["--max-lifetime", "999d"],
            ),
            "keygate: --max-lifetime must be at most 31708800 s\n",
        ),
        // A format without max_lifetime, and one that requires it: the options give none.
        (
            with(&MINE, &["--format", "thumbor", "--set", "prefix=x"]),
            "keygate: prefix: must be a path that begins and ends with \"/\", such as \"/images/\" \
             (set fields of the format thumbor with --set FIELD=VALUE)\n",
        ),
        (
            with(&MINE, &["--format", "keygate", "--set", "skew=1h"]),
            "keygate: skew: must be at most 600 s \
             (set fields of the format keygate with --set FIELD=VALUE)\n",
        ),
    ] {
        assert_eq!(run(&args, 2).1, told, "{args:?}");
    }
}

#[test]
fn a_wrong_secret_is_reported_by_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("public.pem");
    std::fs::write(&file, PUBLIC).unwrap();
    let file = file.to_str().unwrap();
    let public = ["verify", "/a", "--key-id", "k", "--public-key-file", file];
    let salted = |value: &'static str| {
        let salt = ["--ring", "salt=SALT", "--set", "prefix=x"];
        keygate(&[&MINE[..], &IMGPROXY, &salt].concat())
            .env("MINE", "a secret, long enough for it")
            .env("SALT", value)
            .assert()
            .code(2)
    };
    let told = |done: assert_cmd::assert::Assert| {
        String::from_utf8(done.get_output().stderr.clone()).unwrap()
    };
    let (_, err) = run(&with(&MINE, &IMGPROXY), 2);
    let no_ring = "keygate: salts: there is no ring \"salt\": give its variable with --ring \
                   salt=VARIABLE";
    assert!(err.starts_with(no_ring), "{err}");
    let blank = told(salted(" "));
    assert!(
        blank.starts_with("keygate: the value of SALT is empty; "),
        "{blank}"
    );
    assert!(blank.contains("prefix: must be a path"), "{blank}");
    let done = keygate(&[&public[..], &["--format", "akamai"]].concat());
    assert_eq!(
        told({ done }.assert().code(2)),
        "keygate: the file of --public-key-file contains a key, but a secret is required here\n"
    );
}
