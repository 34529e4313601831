//! Providers of a policy: signing and verifying with them.

use super::*;

/// A policy with two providers of links, in a file.
fn policy() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = r#"{
      "version": 1,
      "secrets": {
        "media": [{ "id": "new", "env": "MINE" }, { "id": "old", "env": "MINE" }],
        "store": [{ "id": "AKIAEXAMPLE", "env": "MINE" }],
        "other": [{ "id": "x", "env": "NOBODY_SETS_THIS" }]
      },
      "providers": {
        "links": { "type": "signed_url", "format": "cloudflare", "secrets": "media",
          "stamp": "expires", "max_lifetime": "1h", "parameter": "t" },
        "store": { "type": "signed_url", "format": "s3", "secrets": "store",
          "region": "eu-west-1" }
      },
      "rules": [
        { "name": "all", "match": { "path": "/**" }, "require": { "any": ["links", "store"] } }
      ],
      "unmatched": "deny"
    }"#;
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn the_provider_of_a_policy_signs_and_verifies_as_the_edge_does() {
    let file = policy();
    let path = file.path().to_str().unwrap();
    let links = [
        "--policy",
        path,
        "--provider",
        "links",
        "--now",
        "1700000000",
    ];
    let url = "https://media.example.com/a";
    let (signed, err) = run(
        &[&["sign", url, "--expires-in", "10m"], &links[..]].concat(),
        0,
    );
    assert!(
        signed.contains("/a?t=1700000600-") && err.is_empty(),
        "{signed}{err}"
    );
    let (told, _) = run(&[&["verify", signed.trim()], &links[..]].concat(), 0);
    assert_eq!(
        told,
        "valid, until 2023-11-14T22:23:20.000Z\n  rule \"all\": the request passes\n"
    );
    // Longer than this edge takes: signed, since another may, and told.
    let (_, err) = run(
        &[&["sign", url, "--expires-in", "2h"], &links[..]].concat(),
        0,
    );
    assert!(
        err.contains("warning: this provider would reject the link: lifetime_too_long"),
        "{err}"
    );
    let store = [
        "--policy",
        path,
        "--provider",
        "store",
        "--now",
        "1700000000",
    ];
    let (signed, _) = run(
        &[&["sign", url, "--expires-in", "10m"], &store[..]].concat(),
        0,
    );
    assert!(
        signed.contains("X-Amz-Credential=AKIAEXAMPLE%2F"),
        "{signed}"
    );
    run(&[&["verify", signed.trim()], &store[..]].concat(), 0);
}

#[test]
fn a_policy_and_options_of_a_provider_do_not_go_together() {
    let file = policy();
    let path = file.path().to_str().unwrap();
    for (more, told) in [
        (&[][..], "2 providers of signed URLs"),
        (&["--provider", "nobody"], "no provider \"nobody\""),
        (
            &["--provider", "links", "--secret-env", "MINE"],
            "do not give another one",
        ),
        (
            &["--provider", "links", "--format", "s3"],
            "cannot be used with",
        ),
        (
            &["--provider", "links", "--set", "ttl=1h"],
            "cannot be used with",
        ),
    ] {
        let (_, err) = run(&[&["sign", "/a", "--policy", path], more].concat(), 2);
        assert!(err.contains(told), "{more:?}: {err}");
    }
    let verify = [
        "verify",
        "/a",
        "--policy",
        path,
        "--provider",
        "links",
        "--ttl",
        "1h",
    ];
    let (_, err) = run(&verify, 2);
    assert!(err.contains("ttl is set by the policy"), "{err}");
}
