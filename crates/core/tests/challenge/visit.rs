//! A client that visits a site in mode `challenge`, and the answers that it gets.

use keygate_core::decision::challenge::{Reply, SOLUTION_HEADER};
use keygate_core::keys::NoAnswer;
use keygate_core::{Denial, Grant, Header, Policy, Reason, UnixMillis, Verdict};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use keygate_testkit::judge::{facts, get, policy};

pub const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub const NOW: u64 = 1_700_000_000;
pub const CLIENT: &str = "192.0.2.1";
pub const BROWSER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

pub fn demo() -> Value {
    let challenge = json!({ "secrets": "ring", "difficulty": 8, "clearance": "10m" });
    let rule = |name: &str, path: &str| {
        json!({ "name": name, "match": { "path": path }, "require": "link",
            "mode": "challenge", "challenge": challenge })
    };
    json!({
        "version": 1,
        "secrets": { "ring": [{ "id": "a", "env": "RING" }], "media": [{ "id": "a", "env": "MEDIA" }] },
        "providers": {
            "link": { "type": "signed_url", "format": "cloudflare", "secrets": "media", "ttl": "3h" }
        },
        "rules": [
            { "name": "login", "match": { "path": "/account/**" }, "require": "link", "mode": "challenge",
              "challenge": { "redirect": "/login?return_to={url}" } },
            rule("other", "/other/**"),
            rule("web", "/**"),
        ],
        "identity": { "filter_state": true },
        "unmatched": "deny"
    })
}

pub fn demo_policy() -> Policy {
    policy(&demo(), SECRET)
}

/// One client: what it sends, from where, and when.
#[derive(Clone)]
pub struct Visit {
    pub target: String,
    pub host: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub client: Option<&'static str>,
    pub at: u64,
}

impl Visit {
    pub fn new(target: &str) -> Self {
        Self {
            target: target.to_owned(),
            host: "example.com",
            headers: vec![
                ("user-agent", "Browser/1".to_owned()),
                ("accept", BROWSER.to_owned()),
            ],
            client: Some(CLIENT),
            at: NOW,
        }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(candidate, _)| *candidate != name);
        self
    }

    pub fn agent(self, value: &str) -> Self {
        self.without("user-agent").with("user-agent", value)
    }

    pub fn from(mut self, client: &'static str) -> Self {
        self.client = Some(client);
        self
    }

    pub fn later(mut self, seconds: u64) -> Self {
        self.at += seconds;
        self
    }

    pub fn request(&self) -> Vec<Header> {
        let more: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let mut headers = get(&self.target, &more);
        headers[2].1 = self.host.into();
        headers
    }

    pub fn verdict_of(&self, policy: &Policy) -> Verdict {
        let keys = NoAnswer(Reason::KeyServiceUnavailable);
        let client = self.client.map(|it| it.parse().unwrap());
        policy.decide(
            &self.request(),
            &facts(&keys, client, UnixMillis::from_secs(self.at)),
        )
    }

    pub fn verdict(&self) -> Verdict {
        self.verdict_of(&demo_policy())
    }

    pub fn denied(&self) -> Denial {
        match self.verdict() {
            Verdict::Deny(denial) => denial,
            other => panic!("{other:?}"),
        }
    }

    pub fn allowed(&self) -> Grant {
        match self.verdict() {
            Verdict::Allow(grant) => grant,
            other => panic!("{other:?}"),
        }
    }

    pub fn replied(&self) -> Reply {
        match self.verdict() {
            Verdict::Reply(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    pub fn token(&self) -> String {
        let page = self.denied().body;
        let (_, rest) = page.split_once("data-token=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    pub fn solution(&self) -> String {
        solve(&self.token(), 8)
    }

    pub fn clearance(&self) -> String {
        let reply = self
            .clone()
            .with(SOLUTION_HEADER, &self.solution())
            .replied();
        let cookie = header(&reply.headers, "set-cookie").unwrap();
        let value = cookie.strip_prefix("keygate_clearance=").unwrap();
        value.split_once(';').unwrap().0.to_owned()
    }

    pub fn cleared_by(self, clearance: &str) -> Self {
        self.with("cookie", &format!("keygate_clearance={clearance}"))
    }
}

pub fn header<'a>(headers: &'a keygate_core::answer::Headers, name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(candidate, _)| *candidate == name);
    found.map(|(_, value)| &**value)
}

pub fn zeros(text: &str) -> u32 {
    let hash = Sha256::digest(text);
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]).leading_zeros()
}

pub fn solve(token: &str, bits: u32) -> String {
    let solutions = (0_u64..).map(|nonce| format!("{token}:{nonce}"));
    solutions.into_iter().find(|it| zeros(it) >= bits).unwrap()
}
