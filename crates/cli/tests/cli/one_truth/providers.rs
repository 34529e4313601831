//! A policy with several providers of signed URLs: the rule that matches chooses.

use super::{NOW, Place, SECRET};
use crate::support::keygate;

/// A move from one ring to another: links of both pass.
const TWO: &str = r#"{
  "version": 1,
  "secrets": { "old": [{ "id": "1", "env": "KEYGATE_MEDIA" }],
    "new": [{ "id": "2", "env": "KEYGATE_NEW" }] },
  "providers": {
    "new": { "type": "signed_url", "format": "cloudflare", "secrets": "new", "ttl": "3h" },
    "old": { "type": "signed_url", "format": "cloudflare", "secrets": "old", "ttl": "3h" },
    "third": { "type": "signed_url", "format": "cloudflare", "secrets": "old", "ttl": "9h" }
  },
  "rules": [
    { "name": "moving", "match": { "path": "/moving/**" }, "require": { "any": ["new", "old"] } },
    { "name": "moved", "match": { "path": "/moved/**" }, "require": "new" }
  ],
  "unmatched": "deny"
}"#;

#[test]
fn verify_with_several_providers_says_what_the_filter_does() {
    let place = Place::new(TWO);
    let verify = |url: &str, more: &[&str]| {
        let verify = ["verify", url, "--policy", "policy.json", "--now", NOW];
        place.run(&[&verify[..], more].concat())
    };

    let link = place.signed("https://h.example/moving/a", false);
    let (out, err, code) = verify(&link, &[]);
    assert!(
        out.starts_with("valid, until ") && code == 0,
        "{code}: {out}{err}"
    );
    assert!(out.contains("\n  provider \"old\"\n"), "{out}");
    assert!(
        out.contains("\n  rule \"moving\": the request passes\n"),
        "{out}"
    );
    assert!(!out.contains("third") && !out.contains("wrong"), "{out}");

    let (out, err, code) = verify(&link, &["--provider", "old"]);
    assert!(
        out.starts_with("valid, until ") && code == 0,
        "{code}: {out}{err}"
    );

    // Asked for one provider, it says that this one rejects the link, and that the rule does not.
    let done = keygate(&["verify", &link, "--policy", "policy.json", "--now", NOW])
        .args(["--provider", "new"])
        .current_dir(place.0.path())
        .env("KEYGATE_MEDIA", SECRET)
        .env("KEYGATE_NEW", "another secret of thirty-two byt")
        .assert();
    let out = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    assert!(
        out.starts_with("the link is not valid for the provider \"new\": wrong_signature: "),
        "{out}"
    );
    assert!(out.contains("rule \"moving\": the request passes"), "{out}");
    assert_eq!(done.get_output().status.code(), Some(1), "{out}");

    let link = place.signed("https://h.example/moved/a", false);
    let (out, err, code) = verify(&link, &[]);
    assert!(out.is_empty(), "{out}");
    assert!(
        code == 2 && err.contains("KEYGATE_NEW is not set in this shell"),
        "{err}"
    );

    let link = place.signed("https://h.example/moving/a", true);
    let done = keygate(&["verify", &link, "--policy", "policy.json", "--now", NOW])
        .current_dir(place.0.path())
        .env("KEYGATE_MEDIA", SECRET)
        .env("KEYGATE_NEW", "another secret of thirty-two byt")
        .assert()
        .code(1);
    let out = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    assert!(out.starts_with("rejected: wrong_signature: "), "{out}");
    for name in ["old", "new"] {
        let told = format!("  the link of the provider \"{name}\": wrong_signature: ");
        assert!(out.contains(&told), "{out}");
    }
}
