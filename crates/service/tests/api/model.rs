//! Random calls, and a model of a few lines that says what each must answer and what there is
//! afterwards: for lists, for single keys and for an edge.

use std::collections::{BTreeMap, BTreeSet};

use keygate_core::UnixMillis;
use serde_json::{Value, json};

use crate::support::{ADMIN, Answer, Running, START, hash, text};

/// How many calls, unless `KEYGATE_MODEL_CALLS` says otherwise.
const CALLS: u32 = 1500;

const HOUR: u64 = 3_600_000;

/// What a key should be.
#[derive(Clone, Debug)]
struct Expected {
    hash: String,
    key: String,
    name: Option<String>,
    ends: Option<u64>,
    version: u64,
    disabled: bool,
    revoked: bool,
    created_at: u64,
    replaced_by: Option<String>,
}

impl Expected {
    fn status(&self, now: u64) -> &'static str {
        match (
            self.revoked,
            self.ends.is_some_and(|at| at <= now),
            self.disabled,
        ) {
            (true, _, _) => "revoked",
            (false, true, _) => "expired",
            (false, false, true) => "disabled",
            (false, false, false) => "active",
        }
    }
}

struct Model {
    service: Running,
    keys: BTreeMap<String, Expected>,
    now: u64,
    seed: u64,
}

impl Model {
    /// One of so many.
    fn draw(&mut self, many: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % many
    }

    fn some_id(&mut self) -> Option<String> {
        let place = self.draw(u64::try_from(self.keys.len()).unwrap().max(1));
        let mut ids = self.keys.keys();
        ids.nth(usize::try_from(place).unwrap()).cloned()
    }

    fn learn(&mut self, created: &Value, ends: Option<u64>, name: Option<String>) -> String {
        let id = text(created, "id");
        let expected = Expected {
            hash: hash(created),
            key: text(created, "key"),
            name,
            ends,
            version: 1,
            disabled: false,
            revoked: false,
            created_at: self.now,
            replaced_by: None,
        };
        assert!(self.keys.insert(id.clone(), expected).is_none(), "a new id");
        id
    }

    fn create(&mut self) {
        let span = [None, Some(HOUR), Some(48 * HOUR)][usize::try_from(self.draw(3)).unwrap()];
        let mut body = json!({ "account": "a" });
        if let Some(span) = span {
            body["expires_in"] = json!(format!("{span}ms"));
        }
        let created = self.service.create(&body.to_string());
        self.learn(&created, span.map(|span| self.now + span), None);
    }

    fn change(&mut self, id: &str) {
        let kind = self.draw(4);
        let is_stale = self.draw(8) == 0;
        let name = format!("n{}", self.draw(3));
        let key = self.keys.get_mut(id).unwrap();
        let body = match kind {
            0 => json!({ "disabled": true }),
            1 => json!({ "disabled": false }),
            2 => json!({ "name": name }),
            _ => json!({ "expires_in": "36h" }),
        };
        let version = key.version + u64::from(is_stale);
        let answer = {
            let tag = format!("\"{version}\"");
            let bearer = format!("Bearer {ADMIN}");
            let headers = [
                ("authorization", bearer.as_str()),
                ("content-type", "application/json"),
                ("if-match", tag.as_str()),
            ];
            let path = format!("/v1/keys/{id}");
            self.service
                .send_with("PATCH", &path, &headers, &body.to_string())
        };
        let becomes = match kind {
            0 => Expected {
                disabled: true,
                ..key.clone()
            },
            1 => Expected {
                disabled: false,
                ..key.clone()
            },
            2 => Expected {
                name: Some(name),
                ..key.clone()
            },
            _ => Expected {
                ends: Some(self.now + 36 * HOUR),
                ..key.clone()
            },
        };
        let widens = becomes.ends.unwrap_or(u64::MAX) > key.ends.unwrap_or(u64::MAX)
            || (key.disabled && !becomes.disabled);
        let code = if is_stale {
            Some("stale")
        } else if key.revoked {
            Some("key_revoked")
        } else if key.replaced_by.is_some() && widens {
            Some("key_replaced")
        } else {
            None
        };
        if judged(&answer, code) {
            let is_same = (becomes.disabled, &becomes.name, becomes.ends)
                == (key.disabled, &key.name, key.ends);
            let version = becomes.version + u64::from(!is_same);
            *key = Expected { version, ..becomes };
        }
    }

    fn rotate(&mut self, id: &str) {
        let grace = [0, HOUR, 24 * HOUR][usize::try_from(self.draw(3)).unwrap()];
        let body = match grace {
            0 => json!({ "grace": "0s" }),
            grace => json!({ "grace": format!("{grace}ms") }),
        };
        let answer = self
            .service
            .post(&format!("/v1/keys/{id}/rotate"), &body.to_string());
        let old = self.keys[id].clone();
        let code = match old.status(self.now) {
            "revoked" => Some("key_revoked"),
            _ if old.replaced_by.is_some() => Some("key_replaced"),
            "active" => None,
            _ => Some("key_inactive"),
        };
        if !judged(&answer, code) {
            return;
        }
        let ends = old.ends.map(|end| self.now + (end - old.created_at));
        let new = self.learn(&answer.expect(201), ends, old.name.clone());
        let old = self.keys.get_mut(id).unwrap();
        old.replaced_by = Some(new);
        old.ends = Some(old.ends.unwrap_or(u64::MAX).min(self.now + grace));
        old.version += 1;
        old.revoked = grace == 0;
    }

    fn revoke(&mut self, id: &str) {
        if self.draw(2) == 0 {
            let answer = self.service.post(&format!("/v1/keys/{id}/revoke"), "{}");
            answer.expect(200);
        } else {
            let body = json!({ "key": self.keys[id].key }).to_string();
            let answer = self
                .service
                .send("POST", "/v1/keys/revoke-self", None, &body);
            answer.expect(200);
            if self.keys[id].revoked {
                // What is revoked already is not looked at again.
                return;
            }
        }
        let mut family = BTreeSet::from([id.to_owned()]);
        loop {
            let replaced = self.keys.iter().filter(|(_, key)| {
                key.replaced_by
                    .as_ref()
                    .is_some_and(|by| family.contains(by))
            });
            let more: Vec<String> = replaced.map(|(id, _)| id.clone()).collect();
            let before = family.len();
            family.extend(more);
            if family.len() == before {
                break;
            }
        }
        for id in family {
            let key = self.keys.get_mut(&id).unwrap();
            key.version += u64::from(!key.revoked);
            key.revoked = true;
        }
    }

    /// Compares everything.
    fn compare(&self) {
        let mut shown = BTreeMap::new();
        let mut cursor = String::new();
        loop {
            let page = self
                .service
                .get(&format!("/v1/keys?limit=100{cursor}"))
                .expect(200);
            for key in page["keys"].as_array().unwrap() {
                shown.insert(text(key, "id"), key.clone());
            }
            match page["next_cursor"].as_str() {
                None => break,
                Some(next) => cursor = format!("&cursor={next}"),
            }
        }
        assert_eq!(shown.len(), self.keys.len());
        let mut records = BTreeMap::new();
        let hashes: Vec<String> = self.keys.values().map(|key| key.hash.clone()).collect();
        for some in hashes.chunks(100) {
            for record in self.service.lookup(some)["records"].as_array().unwrap() {
                records.insert(text(record, "hash"), record.clone());
            }
        }
        for (id, key) in &self.keys {
            let (shown, record) = (&shown[id], &records[&key.hash]);
            let status = key.status(self.now);
            let end = key.ends.map(|at| UnixMillis(at).to_string());
            assert_eq!(shown["status"], status, "{shown} {key:?}");
            assert_eq!(shown["expires_at"], json!(end), "{shown} {key:?}");
            assert_eq!(shown["name"], json!(key.name), "{shown} {key:?}");
            assert_eq!(
                shown["replaced_by"],
                json!(key.replaced_by),
                "{shown} {key:?}"
            );
            // An edge sees by its own clock what has expired.
            let told = match (key.revoked, key.disabled) {
                (true, _) => "revoked",
                (false, true) => "disabled",
                (false, false) => "active",
            };
            assert_eq!(record["status"], told, "{record} {key:?}");
            assert_eq!(record["expires_at"].as_u64(), key.ends, "{record} {key:?}");
        }
    }
}

/// Whether it was done; what it answers must be what is expected.
#[track_caller]
fn judged(answer: &Answer, code: Option<&str>) -> bool {
    match code {
        None => assert!(answer.status < 300, "{}", answer.text),
        Some(code) => assert_eq!(answer.problem().1, code, "{}", answer.text),
    }
    code.is_none()
}

#[test]
fn random_calls_answer_and_leave_what_a_model_says() {
    let calls = std::env::var("KEYGATE_MODEL_CALLS").ok();
    let calls = calls.map_or(CALLS, |it| it.parse().unwrap());
    let mut model = Model {
        service: Running::start(),
        keys: BTreeMap::new(),
        now: START.0,
        seed: 0x9e37_79b9_7f4a_7c15,
    };
    for call in 0..calls {
        let what = model.draw(10);
        match (what, model.some_id()) {
            (0..=1, _) | (_, None) => model.create(),
            (2..=5, Some(id)) => model.change(&id),
            (6..=7, Some(id)) => model.rotate(&id),
            (8, Some(id)) => model.revoke(&id),
            (_, Some(_)) => {
                model.now += model.draw(HOUR / 2);
                model.service.set_now(UnixMillis(model.now));
            }
        }
        if call % 250 == 0 || call + 1 == calls {
            model.compare();
        }
    }
    let ended = model.keys.values().filter(|key| key.revoked).count();
    assert!(
        ended > 10 && ended < model.keys.len(),
        "all kinds were tried"
    );
}
