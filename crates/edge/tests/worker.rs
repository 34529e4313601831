//! One worker: a test calls it as a host does, and answers its calls as the key service.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use hmac::{Hmac, KeyInit as _};
use keygate_core::identity::Claims;
use keygate_core::keys::wire::{EDGE_HEADER, EdgeReport};
use keygate_core::keys::{KeyRingId, MasterSecret, NewAppKey, Prefix};
use keygate_core::secret::RingEntry;
use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256};
use keygate_core::{Client, Edit, Header, Millis, NoClaims, Policy, Secret, UnixMillis, Verdict};
use keygate_edge::{Call, Edge, Memory, NotSent, Notice, RequestId, Response, Seed, Step, Token};
use serde_json::{Value, json};

pub const LOOKUPS: &str = "/v1/lookups";
pub const USES: &str = "/v1/links/uses";
pub const KEY_USES: &str = "/v1/uses";
pub const CHANGES: &str = "/v1/changes";

/// What the key service says with every answer.
pub const GENUINE: [(&str, &str); 2] = [(":status", "200"), ("x-keygate-service", "1")];

/// Every secret of the tests, and the edge token.
const SECRET: &str = "a-secret-of-more-than-32-bytes-for-tests";

/// What the workers of one proxy have in common.
#[derive(Default)]
struct Proxy {
    memory: Memory,
    now: Cell<u64>,
    calls: Cell<u64>,
}

/// A call that was sent, as the key service sees it.
pub struct UnderWay {
    token: Token,
    pub cluster: String,
    pub path: String,
    /// What a poll says of its edge.
    pub report: Option<EdgeReport>,
    pub body: Vec<u8>,
    pub timeout: Millis,
}

/// A worker, and what came out of it.
pub struct Worker {
    pub edge: Edge,
    proxy: Rc<Proxy>,
    under_way: Vec<UnderWay>,
    decided: BTreeMap<RequestId, Verdict>,
    requests: u64,
    is_held: bool,
    counters: BTreeMap<String, u64>,
    pub notices: Vec<Notice>,
    /// Why no call is sent, if none is.
    pub refuses: Option<NotSent>,
}

pub fn policy() -> Value {
    json!({
        "version": 1,
        "secrets": {
            "app_keys": [{ "id": "01", "env": "SECRET" }],
            "links": [{ "id": "k1", "env": "SECRET" }]
        },
        "key_service": { "cluster": "keys", "authority": "keys", "token_env": "TOKEN" },
        "providers": {
            "key": { "type": "app_key", "secrets": "app_keys", "from": ["bearer"] },
            "second": { "type": "app_key", "secrets": "app_keys", "from": [{ "header": "x-second" }] },
            "link": { "type": "signed_url", "format": "keygate", "secrets": "links",
                      "max_lifetime": "367d" }
        },
        "rules": [
            { "name": "api", "match": { "path": "/api/**" }, "require": "key" },
            { "name": "two", "match": { "path": "/two" }, "require": { "all": ["key", "second"] } },
            { "name": "once", "match": { "path": "/once" }, "require": "link" },
            { "name": "health", "match": { "path": "/healthz" }, "require": "nothing" }
        ],
        "unmatched": "deny"
    })
}

fn edge(policy: &Value, seed: u64) -> Edge {
    let environment = |_: &str| Some(SECRET.into());
    let policy = Policy::parse(policy.to_string().as_bytes(), &environment).unwrap();
    Edge::new(policy, Seed([seed, 2]))
}

pub fn start(policy: &Value) -> Worker {
    let proxy = Proxy::default();
    proxy.now.set(1_700_000_000_000);
    Worker::of(Rc::new(proxy), policy, 1)
}

/// A worker that has followed the change feed to epoch 10.
pub fn start_polled(policy: &Value) -> Worker {
    let mut worker = start(policy);
    worker.tick(10);
    worker.answer_only(CHANGES, &changes(10, &[]));
    worker
}

pub fn key(number: u8) -> NewAppKey {
    let secret = Secret::new(SECRET.into());
    let master = MasterSecret::derive(&secret).unwrap();
    let (kid, prefix) = (KeyRingId::parse("01"), Prefix::parse("kg"));
    // One of 62 characters comes of each.
    let mut parts = [number % 62, number / 62].into_iter().cycle();
    let mut fill = |bytes: &mut [u8]| {
        let bytes = bytes.iter_mut().zip(&mut parts);
        bytes.for_each(|(byte, part)| *byte = part);
    };
    master.generate(&prefix.unwrap(), kid.unwrap(), &mut fill)
}

pub fn changes(epoch: u64, changed: &[&NewAppKey]) -> Value {
    let changed: Vec<_> = changed.iter().map(|key| key.hash).collect();
    json!({ "epoch": epoch, "reset": false, "more": false, "changed": changed })
}

pub fn lookup(epoch: u64, keys: &[&NewAppKey]) -> Value {
    let record = |key: &&NewAppKey| {
        json!({ "hash": key.hash, "id": key.id, "account": "alice", "status": "active",
                "scopes": [], "metadata": {} })
    };
    json!({ "epoch": epoch, "records": keys.iter().map(record).collect::<Vec<_>>() })
}

/// A path with the link of this number, which works once.
pub fn link(number: u32) -> String {
    let id = format!("0123456789abcdef{number}");
    let terms = Terms {
        // Ten minutes from the beginning.
        expires_secs: 1_700_000_600,
        once: Some(&id),
        ..Terms::default()
    };
    let place = Place {
        host: "example.com",
        path: "/once",
        query: None,
    };
    let entry = RingEntry {
        id: "k1".to_owned(),
        key: Hmac::new_from_slice(SECRET.as_bytes()).unwrap(),
        not_before: None,
        not_after: None,
    };
    format!("/once?kg={}", hs256(&terms, &place, &entry).unwrap())
}

fn seen(token: Token, call: &Call) -> UnderWay {
    let header = |wanted: &str| call.headers.iter().find(|(name, _)| *name == wanted);
    let (path, report) = (header(":path"), header(EDGE_HEADER));
    UnderWay {
        token,
        cluster: call.cluster.clone(),
        path: path.unwrap().1.clone(),
        report: report.map(|(_, value)| EdgeReport::parse(value).unwrap()),
        body: call.body.clone(),
        timeout: call.timeout,
    }
}

impl Worker {
    fn of(proxy: Rc<Proxy>, policy: &Value, seed: u64) -> Self {
        Self {
            edge: edge(policy, seed),
            proxy,
            under_way: Vec::new(),
            decided: BTreeMap::new(),
            requests: 0,
            is_held: false,
            counters: BTreeMap::new(),
            notices: Vec::new(),
            refuses: None,
        }
    }

    /// Another worker of the same proxy.
    pub fn beside(&self, policy: &Value) -> Self {
        Self::of(Rc::clone(&self.proxy), policy, 7)
    }

    pub fn now(&self) -> UnixMillis {
        UnixMillis(self.proxy.now.get())
    }

    /// A request arrives, from a client whose address the host does not tell.
    pub fn request(&mut self, headers: &[(&str, &str)]) -> RequestId {
        self.request_from(headers, Client::Known(None), &NoClaims)
    }

    pub fn request_from(
        &mut self,
        headers: &[(&str, &str)],
        client: Client<'_>,
        claims: &dyn Claims,
    ) -> RequestId {
        self.requests += 1;
        let (id, now) = (RequestId(self.requests), self.now());
        let owned = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
        let mut all: Vec<Header> = vec![(":authority".into(), "example.com".into())];
        all.extend(headers.iter().map(owned));
        match self.edge.request(id, all, client, claims, now) {
            Step::Decided(verdict) => drop(self.decided.insert(id, verdict)),
            Step::Paused => {}
        }
        self.report();
        id
    }

    /// A `GET` of `/api/x` with a key.
    pub fn send(&mut self, key: &NewAppKey) -> RequestId {
        let bearer = format!("Bearer {}", key.text.as_str());
        self.request(&[
            (":method", "GET"),
            (":path", "/api/x"),
            ("authorization", &bearer),
        ])
    }

    /// A request with the link of this number, which works once.
    pub fn send_link(&mut self, method: &str, number: u32) -> RequestId {
        self.request(&[(":method", method), (":path", &link(number))])
    }

    /// Runs without a turn: what happens meanwhile is decided after it.
    pub fn hold(&mut self, act: impl FnOnce(&mut Self)) {
        self.is_held = true;
        act(self);
        self.is_held = false;
        self.turn();
    }

    /// The order of calls of the crate's page.
    pub fn turn(&mut self) {
        if self.is_held {
            return;
        }
        for _ in 0..2 {
            while let Some(call) = self.edge.poll_call() {
                let sent = match self.refuses {
                    Some(error) => Err(error),
                    None => {
                        self.proxy.calls.set(self.proxy.calls.get() + 1);
                        Ok(Token(self.proxy.calls.get()))
                    }
                };
                let now = self.now();
                if let Ok(token) = sent {
                    self.under_way.push(seen(token, &call));
                }
                self.edge.sent(call, sent, now);
            }
            while let Some((id, verdict)) = self.edge.poll_decided(self.now()) {
                let before = self.decided.insert(id, verdict);
                assert!(before.is_none(), "{id:?} is decided a second time");
            }
        }
        self.report();
    }

    fn report(&mut self) {
        while let Some(metric) = self.edge.poll_metric() {
            *self.counters.entry(metric.to_string()).or_default() += 1;
        }
        self.notices
            .extend(std::iter::from_fn(|| self.edge.poll_notice()));
    }

    pub fn tick(&mut self, millis: u64) {
        self.proxy.now.set(self.proxy.now.get() + millis);
        self.edge.tick(&self.proxy.memory, self.now());
        self.turn();
    }

    /// The clock is set back.
    pub fn rewind(&mut self, millis: u64) {
        self.proxy.now.set(self.proxy.now.get() - millis);
    }

    pub fn end(self) {
        self.edge.end(&self.proxy.memory);
    }

    /// The tokens of the calls to a path that are under way.
    pub fn calls(&self, path: &str) -> Vec<Token> {
        let calls = self.under_way.iter();
        let calls = calls.filter(|call| call.path.starts_with(path));
        calls.map(|call| call.token).collect()
    }

    pub fn only(&self, path: &str) -> Token {
        let calls = self.calls(path);
        assert_eq!(calls.len(), 1, "calls to {path}");
        calls[0]
    }

    pub fn call(&self, token: Token) -> &UnderWay {
        let mut calls = self.under_way.iter();
        calls.find(|call| call.token == token).unwrap()
    }

    pub fn body(&self, token: Token) -> Value {
        serde_json::from_slice(&self.call(token).body).unwrap()
    }

    pub fn answer_only(&mut self, path: &str, answer: &Value) {
        self.answer(self.only(path), answer);
    }

    pub fn answer(&mut self, token: Token, answer: &Value) {
        self.respond(token, &GENUINE, answer.to_string().as_bytes());
    }

    pub fn respond(&mut self, token: Token, headers: &[(&str, &str)], body: &[u8]) {
        self.under_way.retain(|call| call.token != token);
        let owned = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
        let response = Response {
            headers: headers.iter().map(owned).collect(),
            body: Some(body.to_vec()),
        };
        let now = self.now();
        self.edge.answer(token, &response, &self.proxy.memory, now);
        self.turn();
    }

    /// What was decided; `None` while the request waits.
    pub fn verdict(&self, id: RequestId) -> Option<&Verdict> {
        self.decided.get(&id)
    }

    /// 200 for a request that may pass; `None` while it waits.
    pub fn status(&self, id: RequestId) -> Option<u16> {
        Some(match self.verdict(id)? {
            Verdict::Allow(_) => 200,
            Verdict::Deny(denial) => denial.status,
            other => panic!("{other:?} is no verdict for a host"),
        })
    }

    /// How many of these may pass.
    pub fn passed(&self, requests: &[RequestId]) -> usize {
        let passed = requests.iter().filter(|id| self.status(**id) == Some(200));
        passed.count()
    }

    /// Whether the upstream does not get this header.
    pub fn removed(&self, id: RequestId, name: &str) -> bool {
        let Some(Verdict::Allow(grant)) = self.verdict(id) else {
            return false;
        };
        let mut edits = grant.edits.iter();
        edits.any(|edit| matches!(edit, Edit::Remove(it) if it == name))
    }

    /// The header that the upstream gets in addition.
    pub fn added(&self, id: RequestId, name: &str) -> Option<String> {
        let Some(Verdict::Allow(grant)) = self.verdict(id) else {
            return None;
        };
        grant.edits.iter().find_map(|edit| match edit {
            Edit::Set(it, value) if it == name => String::from_utf8(value.to_vec()).ok(),
            Edit::SetSecret(it, value) if it == name => {
                String::from_utf8(value.expose().to_vec()).ok()
            }
            _ => None,
        })
    }

    pub fn counter(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or_default()
    }
}

pub fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}
