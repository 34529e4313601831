//! `sign` and `verify`.

use crate::support::keygate;

const KAYAK: &str =
    "/tokenauth/kayak.mp4?verify=1657026353-ZXJWAyFwAgJSY%2B5j3CkJE80TatA33E3MEH4D%2FkSnh7M%3D";

const CLOUDFLARE: [&str; 2] = ["--format", "cloudflare"];

fn stdout(args: &[&str], secret: &str, code: i32) -> String {
    let done = keygate(args)
        .env("KEYGATE_MEDIA", secret)
        .assert()
        .code(code);
    String::from_utf8(done.get_output().stdout.clone()).unwrap()
}

#[test]
fn the_published_link_of_cloudflare_is_signed_and_verified() {
    let sign = ["sign", "/tokenauth/kayak.mp4", "--now", "1657026353"];
    let sign = [&sign[..], &CLOUDFLARE].concat();
    assert_eq!(stdout(&sign, "cloudflare", 0), format!("{KAYAK}\n"));
    let verified = stdout(
        &[&["verify", KAYAK, "--now", "1657026354"], &CLOUDFLARE[..]].concat(),
        "cloudflare",
        0,
    );
    assert_eq!(verified, "valid, until 2022-07-05T16:05:53.000Z\n");
}

#[test]
fn a_url_in_gives_a_url_out_and_its_query_is_signed() {
    let url = "https://media.example.com/a?b=1";
    let signed = stdout(
        &[
            &["sign", url, "--now", "1700000000", "--base64", "url"],
            &CLOUDFLARE[..],
        ]
        .concat(),
        "secret",
        0,
    );
    assert!(
        signed.starts_with("https://media.example.com/a?b=1&verify=1700000000-"),
        "{signed}"
    );
    let verify = |url: &str, code| {
        let args = ["verify", url, "--now", "1700000000", "--base64", "url"];
        let args = [&args[..], &CLOUDFLARE].concat();
        stdout(&args, "secret", code)
    };
    verify(signed.trim(), 0);
    let rejected = verify(&signed.trim().replace("b=1", "b=2"), 1);
    assert!(
        rejected.starts_with("rejected: wrong_signature"),
        "{rejected}"
    );
}

#[test]
fn verify_says_why() {
    for (url, now, reason) in [
        (KAYAK, "1657037153", "expired"),
        (KAYAK, "1657026322", "not_yet_valid"),
        ("/tokenauth/kayak.mp4", "1657026354", "missing_credential"),
        (
            "/tokenauth/kayak.mp4?verify=x",
            "1657026354",
            "malformed_credential",
        ),
        (
            "/tokenauth/../kayak.mp4?verify=x",
            "1657026354",
            "ambiguous_path",
        ),
    ] {
        let verify = [&["verify", url, "--now", now], &CLOUDFLARE[..]].concat();
        let printed = stdout(&verify, "cloudflare", 1);
        assert!(
            printed.starts_with(&format!("rejected: {reason}: ")),
            "{printed}"
        );
        assert!(
            !printed.contains("ZXJWAyFw"),
            "the valid MAC must not be printed: {printed}"
        );
    }
}

#[test]
fn an_absolute_expiry_is_signed_and_verified() {
    let sign = ["sign", "/a", "--now", "1700000000", "--expires-in", "1h"];
    let sign = [&sign[..], &CLOUDFLARE].concat();
    let signed = stdout(&sign, "secret", 0);
    assert!(signed.starts_with("/a?verify=1700003600-"), "{signed}");
    for (now, code) in [("1700003599", 0), ("1700003600", 1)] {
        let verify = ["verify", signed.trim(), "--stamp", "expires", "--now", now];
        let verify = [&verify[..], &CLOUDFLARE].concat();
        stdout(&verify, "secret", code);
    }
}

#[test]
fn sign_rejects_links_that_no_filter_accepts() {
    for path in [
        "a",
        "/a/../b",
        "//a",
        "/caf\u{e9}",
        "/a?kg=1",
        "https://host",
        "/a#b",
    ] {
        keygate(&[
            "sign",
            path,
            "--key-id",
            "k",
            "--expires-in",
            "1h",
            "--option",
            "host=*",
        ])
        .env("KEYGATE_MEDIA", "secret")
        .assert()
        .code(2);
    }
    keygate(&["sign", "/a", "--key-id", "k"])
        .env_remove("KEYGATE_MEDIA")
        .assert()
        .code(2);
}

#[test]
fn every_command_has_help_with_examples() {
    for command in [
        "serve",
        "sign",
        "verify",
        "check",
        "explain",
        "schema",
        "keys create",
        "keys list",
        "keys revoke",
    ] {
        let mut args: Vec<&str> = command.split(' ').collect();
        args.push("--help");
        let printed = stdout(&args, "secret", 0);
        assert!(
            printed.contains("Examples:\n  ") && printed.contains("keygate "),
            "{command}"
        );
        // One placeholder for each kind of value.
        for other in ["<SPAN>", "<INSTANT>"] {
            assert!(!printed.contains(other), "{command}: {printed}");
        }
    }
}

#[test]
fn sign_without_a_format_makes_a_native_link_that_verify_takes() {
    let secret = "secret of the media, long enough";
    let url = "https://media.example.com/a?b=1";
    let key_id = ["--key-id", "2026-11"];
    let sign = ["sign", url, "--now", "1700000000", "--expires-in", "1h"];
    let signed = stdout(&[&sign[..], &key_id].concat(), secret, 0);
    assert!(signed.starts_with(&format!("{url}&kg=kg1.")), "{signed}");
    let verify = ["verify", signed.trim(), "--now", "1700003599"];
    let told = stdout(&[&verify[..], &key_id].concat(), secret, 0);
    assert_eq!(told, "valid, until 2023-11-14T23:13:20.000Z\n");
    let moved = signed
        .trim()
        .replace("media.example.com", "other.example.com");
    let verify_moved = ["verify", &moved, "--now", "1700003599"];
    stdout(&[&verify_moved[..], &key_id].concat(), secret, 1);
    let without_id = keygate(&verify)
        .env("KEYGATE_MEDIA", secret)
        .assert()
        .code(1);
    let output = without_id.get_output();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("it names the key \"2026-11\""), "{told}");
    let note = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(note.contains("give it with --key-id"), "{note}");
}

#[test]
fn a_native_link_without_an_end_or_a_host_is_not_signed() {
    for (args, told) in [
        (&["sign", "https://h.example/a"][..], "--expires-in 3h"),
        (&["sign", "/a", "--expires-in", "1h"], "--option host=*"),
    ] {
        let done = keygate(&[args, &["--key-id", "k"]].concat())
            .env("KEYGATE_MEDIA", "secret of the media, long enough")
            .assert()
            .code(2);
        let error = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        assert!(error.contains(told), "{error}");
    }
}
