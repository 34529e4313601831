//! Headers that are sealed at the client: with a new key, with one that is there, and when it is
//! replaced.

use keygate_core::keys::{AppKey, Prefix, SealKey, Sealed};
use serde_json::Value;

use crate::keys::stderr;
use crate::support::{ADMIN, Server, database, id, keygate};

const TOKEN: &str = "Bearer sk-live-4eC39HqLyjWDarjtT1zdp7dc";

/// What is sealed with a key, opened with its text.
fn opened(server: &Server, key: &str) -> Vec<(String, String)> {
    let url = format!("{}/v1/keys/{}/sealed", server.url, id(key));
    let answer = ureq::get(url).header("authorization", format!("Bearer {ADMIN}"));
    let answer = answer.call().unwrap().body_mut().read_to_string().unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let sealed = Sealed::parse(answer["sealed"].as_str().unwrap()).unwrap();
    let prefix = Prefix::parse("kg").unwrap();
    let key = SealKey::of(&AppKey::parse(key.as_bytes(), &prefix).unwrap());
    let headers = sealed.open(&key).unwrap();
    let text = |it: &[u8]| String::from_utf8(it.to_vec()).unwrap();
    let headers = headers.iter();
    headers
        .map(|(name, it)| (name.to_owned(), text(it.expose())))
        .collect()
}

/// What `keygate keys show` says of sealed headers.
fn told(shown: &str) -> &str {
    let line = shown.lines().find_map(|line| line.strip_prefix("sealed "));
    line.unwrap().trim()
}

fn expected() -> Vec<(String, String)> {
    vec![("authorization".to_owned(), TOKEN.to_owned())]
}

#[test]
fn headers_are_sealed_with_a_new_key_and_move_to_the_key_that_replaces_it() {
    let (dir, path) = database();
    let server = Server::start(&path);
    let file = dir.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let header = format!("Authorization=@{}", file.display());
    let create = [
        "keys",
        "create",
        "--account",
        "alice",
        "--seal-header",
        &header,
    ];
    let key = server.output(&create).trim().to_owned();
    assert_eq!(opened(&server, &key), expected());
    let shown = server.output(&["keys", "show", &id(&key)]);
    assert_eq!(told(&shown), "yes");
    let json = server.output(&[&create[..], &["--json"]].concat());
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["sealed"], true);

    let rotate = ["keys", "rotate", &id(&key)];
    let said = stderr(&server.keygate(&rotate).code(2));
    assert!(said.contains("the key has sealed data"), "{said}");
    let rotated = keygate(&[&rotate[..], &["--key-from", "-"]].concat())
        .env("KEYGATE_SERVICE", &server.url)
        .write_stdin(format!("{key}\n"))
        .assert()
        .success();
    let new = String::from_utf8(rotated.get_output().stdout.clone()).unwrap();
    assert_eq!(opened(&server, new.trim()), expected());
    let dropped = server.output(&["keys", "rotate", &id(&new), "--drop-sealed"]);
    let shown = server.output(&["keys", "show", &id(&dropped)]);
    assert_eq!(told(&shown), "no");
}

#[test]
fn headers_are_sealed_with_a_key_that_is_there_and_removed() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let key = server.output(&["keys", "create", "--account", "alice"]);
    let other = server.output(&["keys", "create", "--account", "alice"]);
    let (key, other) = (key.trim(), other.trim());
    let seal = |text: &str, header: &str| {
        keygate(&[
            "keys",
            "seal",
            &id(key),
            "--key-from",
            "OWN",
            "--header",
            header,
        ])
        .env("KEYGATE_SERVICE", &server.url)
        .env("OWN", text)
        .env("UPSTREAM", TOKEN)
        .assert()
    };
    seal(key, "authorization=UPSTREAM").success();
    assert_eq!(opened(&server, key), expected());
    for (text, header, told) in [
        (
            other,
            "authorization=UPSTREAM",
            "is not the key with the id",
        ),
        (
            key,
            "host=UPSTREAM",
            "the header host from the value of UPSTREAM: must be",
        ),
        (
            key,
            "authorization=UNSET",
            "the environment variable UNSET is not set",
        ),
        (
            key,
            &format!("authorization={TOKEN}"),
            "must be the name of an environment variable",
        ),
    ] {
        let said = stderr(&seal(text, header).code(2));
        assert!(said.contains(told), "{header}: {said}");
        assert!(
            !said.contains(other) && (!said.contains(TOKEN) || header.contains(TOKEN)),
            "{said}"
        );
    }
    let removed = server.output(&["keys", "unseal", &id(key)]);
    assert_eq!(removed, format!("{} has no sealed headers now\n", id(key)));
    let said = stderr(
        &server
            .keygate(&[
                "keys",
                "rotate",
                &id(key),
                "--key-from",
                "KEYGATE_ADMIN_TOKEN",
            ])
            .code(2),
    );
    assert!(
        said.contains("the value of KEYGATE_ADMIN_TOKEN is not the key"),
        "{said}"
    );
}

#[test]
fn a_key_whose_headers_cannot_be_sealed_is_printed_with_what_to_do() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let creator = server.output(&["tokens", "create", "--name", "ci", "--role", "creator"]);
    let done = keygate(&[
        "keys",
        "create",
        "--account",
        "a",
        "--seal-header",
        "authorization=T",
    ])
    .env("KEYGATE_SERVICE", &server.url)
    .env("KEYGATE_ADMIN_TOKEN", creator.trim())
    .env("T", TOKEN)
    .assert()
    .code(2);
    let key = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    let told = format!(
        "the key {} was created and printed, but its headers are not sealed",
        id(&key)
    );
    let said = stderr(&done);
    assert!(said.contains(&told), "{said}");
    assert!(said.contains("keygate keys revoke"), "{said}");
}
