//! Signs a link in Rust, with the core itself: `cargo run -p keygate-core --example sign`.
//!
//! The policy is the one of the edge, or the part of it that says how links are made. The
//! secret comes from the environment: `MEDIA_SECRET`.

#![allow(
    clippy::disallowed_methods,
    reason = "a program has a clock and an environment; the core does not"
)]

use std::time::{SystemTime, UNIX_EPOCH};

use keygate_core::signed_url::{Format, Order, Scope};
use keygate_core::{Millis, Policy, Provider, Target, UnixMillis};

const POLICY: &str = r#"{
  "version": 1,
  "secrets": { "media": [{ "id": "k1", "env": "MEDIA_SECRET" }] },
  "providers": {
    "link": { "type": "signed_url", "format": "keygate", "secrets": "media", "max_lifetime": "7d" }
  },
  "rules": [{ "name": "media", "match": { "path": "/video/**" }, "require": "link" }],
  "unmatched": "deny"
}"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = |name: &str| std::env::var(name).ok().map(String::into_bytes);
    let policy = Policy::parse(POLICY.as_bytes(), &secret).map_err(|it| format!("{it:?}"))?;
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let now = UnixMillis::from_secs(seconds);
    let url = sign(
        links(&policy)?,
        "https://media.example.com",
        "/video/cat.mp4?q=hd",
        now,
    )?;
    println!("{url}");
    Ok(())
}

/// The format of the first provider that the first rule requires.
fn links(policy: &Policy) -> Result<&dyn Format, &'static str> {
    let rule = policy.rules.all().first().ok_or("no rule")?;
    match rule.require.providers().first() {
        Some(Provider::SignedUrl(links)) => Ok(links.format.as_ref()),
        _ => Err("the rule requires no signed URL"),
    }
}

/// A link that holds for ten minutes.
fn sign(
    links: &dyn Format,
    origin: &str,
    target: &str,
    now: UnixMillis,
) -> Result<String, Box<dyn std::error::Error>> {
    let order = Order {
        origin,
        target: Target::parse(target.as_bytes())?,
        method: "GET",
        now,
        not_before: None,
        expires: Some(now.plus(Millis::from_secs(600))),
        scope: Scope::Path,
        addresses: &[],
        headers: &[],
        cookies: &[],
        account: None,
        once: None,
        private_key: None,
        options: &[],
    };
    Ok(links.sign(&order)?.url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_is_the_one_that_every_other_signer_gives() {
        let secret = |_: &str| Some(b"no secret, but long enough".to_vec());
        let policy = Policy::parse(POLICY.as_bytes(), &secret).unwrap();
        let now = UnixMillis::from_secs(1_767_225_600);
        let links = links(&policy).unwrap();
        let url = sign(
            links,
            "https://media.example.com",
            "/video/cat.mp4?q=hd",
            now,
        )
        .unwrap();
        // What signers/keygate_sign.py gives.
        let expected = "https://media.example.com/video/cat.mp4?q=hd&kg=kg1\
            .azI6azFlMTA6MTc2NzIyNjIwMA\
            .t1lsADUu0jiXjy3L9DKbrnWPJhheHYsY5xIsPj8Ck84";
        assert_eq!(url, expected);
    }
}
