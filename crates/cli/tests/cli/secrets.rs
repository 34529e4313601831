//! Where `sign` and `verify` find the secret, and the provider.

mod policy;
mod problems;

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::support::keygate;

const SECRET: &str = "secret of the media, long enough";
const SIGN: [&str; 6] = [
    "sign",
    "/a",
    "--now",
    "1700000000",
    "--format",
    "cloudflare",
];

/// What `--secret-env` makes.
fn link() -> String {
    let done = keygate(&SIGN).env("KEYGATE_MEDIA", SECRET).assert().code(0);
    String::from_utf8(done.get_output().stdout.clone()).unwrap()
}

/// Standard output and error of a command that ends so.
#[track_caller]
fn run(args: &[&str], code: i32) -> (String, String) {
    let done = keygate(args).env("MINE", SECRET).assert().code(code);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let output = done.get_output();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(!out.contains(SECRET) && !err.contains(SECRET), "{out}{err}");
    (out, err)
}

#[test]
fn the_secret_of_a_variable_of_a_file_and_of_standard_input_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let expected = link();
    let (out, err) = run(&[&SIGN[..], &["--secret-env", "MINE"]].concat(), 0);
    assert_eq!((out, err), (expected.clone(), String::new()));
    for end in ["", "\n", "\r\n"] {
        let file = dir.path().join("secret");
        std::fs::write(&file, format!("{SECRET}{end}")).unwrap();
        let args = [&SIGN[..], &["--secret-file", file.to_str().unwrap()]].concat();
        assert_eq!(run(&args, 0).0, expected, "{end:?}");
    }
    let done = keygate(&[&SIGN[..], &["--secret-file", "-"]].concat())
        .write_stdin(format!("{SECRET}\n"))
        .assert()
        .code(0);
    assert_eq!(done.get_output().stdout, expected.as_bytes());
}

#[test]
fn only_one_line_break_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, format!("{SECRET}\n\n")).unwrap();
    let args = [&SIGN[..], &["--secret-file", file.to_str().unwrap()]].concat();
    assert_ne!(run(&args, 0).0, link());
}

#[test]
fn every_encoding_gives_the_same_secret() {
    let hex: String = SECRET.bytes().map(|it| format!("{it:02x}")).collect();
    let base64 = "c2VjcmV0IG9mIHRoZSBtZWRpYSwgbG9uZyBlbm91Z2g=";
    for (encoding, text) in [
        ("hex", hex.as_str()),
        ("base64", base64),
        ("base64url", base64.trim_end_matches('=')),
    ] {
        let done = keygate(&[&SIGN[..], &["--encoding", encoding]].concat())
            .env("KEYGATE_MEDIA", text)
            .assert()
            .code(0);
        assert_eq!(done.get_output().stdout, link().as_bytes(), "{encoding}");
    }
    let done = keygate(&[&SIGN[..], &["--encoding", "hex"]].concat())
        .env("KEYGATE_MEDIA", "not hex")
        .assert()
        .code(2);
    let message = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    assert!(
        message.contains("KEYGATE_MEDIA is not valid hex"),
        "{message}"
    );
}

#[test]
fn a_secret_in_an_argument_is_taken_with_a_warning() {
    let done = keygate(&[&SIGN[..], &["--secret", SECRET]].concat())
        .assert()
        .code(0);
    let output = done.get_output();
    assert_eq!(output.stdout, link().as_bytes());
    let warning = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        warning.starts_with("warning: other users can see --secret "),
        "{warning}"
    );
    assert!(!warning.contains(SECRET), "{warning}");
}

#[test]
fn two_secrets_or_none_is_wrong_usage() {
    run(
        &[&SIGN[..], &["--secret", "a", "--secret-env", "MINE"]].concat(),
        2,
    );
    run(
        &[&SIGN[..], &["--secret-prompt", "--secret-file", "x"]].concat(),
        2,
    );
    let (_, err) = run(&SIGN, 2);
    assert!(err.contains("KEYGATE_MEDIA is not set"), "{err}");
    let (_, err) = run(&[&SIGN[..], &["--secret-file", "/nowhere"]].concat(), 2);
    assert!(err.contains("cannot read /nowhere"), "{err}");
}

#[test]
fn a_prompt_without_a_terminal_is_wrong_usage() {
    let done = Command::new("setsid")
        .args(["--wait", env!("CARGO_BIN_EXE_keygate")])
        .args(SIGN)
        .arg("--secret-prompt")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(2));
    let message = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        message.contains("--secret-prompt requires a terminal"),
        "{message}"
    );
}

#[test]
fn the_prompt_does_not_echo_the_secret() {
    let mut terminal =
        std::fs::File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap());
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new())
        .unwrap()
        .into_string()
        .unwrap();
    let slave = std::fs::File::options()
        .read(true)
        .write(true)
        .open(name)
        .unwrap();
    let mut child = Command::new("setsid")
        .args(["--wait", "--ctty", env!("CARGO_BIN_EXE_keygate")])
        .args(SIGN)
        .arg("--secret-prompt")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(slave.try_clone().unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let echoes = || {
        tcgetattr(&slave)
            .unwrap()
            .local_modes
            .contains(LocalModes::ECHO)
    };
    while echoes() && child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(30), "no prompt");
        std::thread::yield_now();
    }
    terminal
        .write_all(format!("{SECRET}\n").as_bytes())
        .unwrap();
    let mut printed = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut printed)
        .unwrap();
    let mut errors = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    assert!(child.wait().unwrap().success(), "{errors}");
    assert_eq!(printed, link());
    let mut shown = [0; 1024];
    let length = terminal.read(&mut shown).unwrap();
    let shown = String::from_utf8_lossy(&shown[..length]).into_owned();
    assert!(
        shown.contains("Secret: ") && !shown.contains(SECRET),
        "{shown}"
    );
}

#[test]
fn unsupported_or_missing_options_of_a_format_are_reported() {
    let s3 = [
        "sign",
        "https://h.example/a",
        "--format",
        "s3",
        "--secret-env",
        "MINE",
        "--key-id",
        "AKIAEXAMPLE",
    ];
    let mine = [&SIGN[..], &["--secret-env", "MINE"]].concat();
    let with = |more: &[&'static str]| [&mine[..], more].concat();
    let unknown = [
        &["sign", "/a", "--secret-env", "MINE"][..],
        &["--format", "nobodys"],
    ]
    .concat();
    for (args, told) in [
        (with(&["--account", "a"]), "do not support --account"),
        (with(&["--once"]), "do not support --once"),
        (with(&["--option", "x=y"]), "do not support --option x"),
        (with(&["--set", "tttl=1h"]), "unknown field `tttl`"),
        (with(&["--set", "ttl"]), "--set must be a field"),
        (with(&["--address", "x"]), "must be an address"),
        (unknown, "cloudflare"),
        (
            s3.to_vec(),
            "missing field `region` (set fields of the format s3",
        ),
    ] {
        let (_, err) = run(&args, 2);
        assert!(err.contains(told), "{args:?}: {err}");
    }
}

#[test]
fn headers_of_a_link_are_printed_as_a_note_or_a_line() {
    let sign = [
        "sign",
        "https://h.example/a",
        "--format",
        "s3",
        "--secret-env",
        "MINE",
        "--key-id",
        "AKIAEXAMPLE",
        "--set",
        "region=eu-west-1",
        "--expires-in",
        "1h",
        "--header",
        "X-Amz-Acl: private",
        "--now",
        "1700000000",
    ];
    let (out, err) = run(&sign, 0);
    assert_eq!(out.lines().count(), 1, "{out}");
    assert_eq!(
        err,
        "note: send this header with the link: x-amz-acl: private\n"
    );
    let (out, err) = run(&[&sign[..], &["--headers"]].concat(), 0);
    assert_eq!(out.lines().nth(1), Some("x-amz-acl: private"), "{out}");
    assert_eq!(err, "");
}

#[test]
fn verify_names_what_differs() {
    let sign = [
        "sign",
        "/a/b",
        "--format",
        "cloudflare",
        "--secret-env",
        "MINE",
        "--now",
        "1700000000",
    ];
    let (signed, _) = run(&sign, 0);
    let moved = signed.trim().replace("/a/b", "/a/b/");
    let verify = [
        "verify",
        &moved,
        "--format",
        "cloudflare",
        "--secret-env",
        "MINE",
        "--now",
        "1700000000",
    ];
    let (told, _) = run(&verify, 1);
    assert!(told.starts_with("rejected: wrong_signature"), "{told}");
    assert!(told.contains("slash"), "{told}");
    let verify = [
        "verify",
        signed.trim(),
        "--format",
        "cloudflare",
        "--secret-env",
        "MINE",
        "--now",
        "1700000000",
    ];
    let (told, _) = run(&[&verify[..], &["--explain"]].concat(), 0);
    assert!(
        told.starts_with("valid, until") && told.contains("made at"),
        "{told}"
    );
}

#[test]
fn a_private_key_is_recognised_from_every_source() {
    // No format that signs with a secret takes it, so it can never be one by mistake.
    let pem = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAZuV7wAXJ9V7Y25bKQ8P/XOIPTD/7FbfiW6a3RQ+g0S
-----END PRIVATE KEY-----
";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key.pem");
    std::fs::write(&file, pem).unwrap();
    let file = file.to_str().unwrap();
    for source in [["--secret-file", file], ["--private-key-file", file]] {
        let (_, err) = run(&[&SIGN[..], &source].concat(), 2);
        assert!(err.contains("contains a key"), "{source:?}: {err}");
        assert!(!err.contains("MC4CAQ"), "{err}");
    }
    std::fs::write(file, "-----BEGIN PRIVATE KEY-----\nMC4=\n").unwrap();
    let (_, err) = run(&[&SIGN[..], &["--private-key-file", file]].concat(), 2);
    assert!(
        err.contains("is not a private key") && !err.contains("MC4="),
        "{err}"
    );
}
