//! Headers that are sealed with a key: they reach the upstream, and no other place in the clear.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::process::{Command, Stdio};

use aho_corasick::AhoCorasick;
use keygate_core::Secret;
use keygate_core::keys::{AppKey, Prefix, SealKey, Sealed, SealedHeaders};
use keygate_tests::service::{ADMIN_TOKEN, APP_KEYS, CreatedKey, EDGE_TOKEN, Service, keygate};
use keygate_tests::{Stack, leaks};
use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{call, code, counted, followed, key_of};

const TOKEN: &str = "Bearer sk-live-4eC39HqLyjWDarjtT1zdp7dc";

/// The demo, where keys need sealed headers below /api, and may have some below /beta.
fn sealing() -> Stack {
    let edit = |policy: &mut Value| {
        for rule in policy["rules"].as_array_mut().unwrap() {
            match rule["name"].as_str().unwrap() {
                "api" => rule["sealed"] = json!({ "headers": ["authorization"] }),
                "beta" => {
                    rule["sealed"] = json!({ "headers": ["authorization"], "optional": true });
                    rule["mode"] = json!("block");
                }
                _ => {}
            }
        }
    };
    let stack = Stack::builder().edit_policy(edit).concurrency(1).start();
    followed(&stack, 1);
    stack
}

fn seal_key(text: &str) -> SealKey {
    let prefix = Prefix::parse("kg").unwrap();
    SealKey::of(&AppKey::parse(text.as_bytes(), &prefix).unwrap())
}

fn sealed(key: &str, value: &str) -> String {
    let mut headers = SealedHeaders::none();
    let value = value.as_bytes().to_vec().into();
    headers.add("authorization".to_owned(), value).unwrap();
    let mut random = fs::File::open("/dev/urandom").unwrap();
    let mut fill = |bytes: &mut [u8]| random.read_exact(bytes).unwrap();
    Sealed::seal(&headers, &seal_key(key), &mut fill)
        .unwrap()
        .to_string()
}

fn put(service: &Service, key: &CreatedKey, value: &str) {
    let path = format!("/v1/keys/{}/sealed", key.id);
    let body = json!({ "sealed": sealed(&key.key, value) });
    let answer = service.request("PUT", &path, ADMIN_TOKEN, Some(&body));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// All that the service has left on its disk.
fn files(service: &Service) -> Vec<u8> {
    let folder = service.database().parent().unwrap().to_owned();
    let files = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let files = files.filter(|it| it.is_file());
    files.flat_map(|it| fs::read(it).unwrap()).collect()
}

#[test]
fn a_sealed_token_reaches_the_upstream_in_place_of_the_key() {
    let stack = sealing();
    let key = key_of(&stack, "alice");
    put(stack.service(), &key, TOKEN);
    for _ in 0..3 {
        assert_eq!(call(&stack, "/api/x", &key.key).status, 200);
        let received = stack.echo.last();
        assert_eq!(received.values("authorization"), [TOKEN]);
        assert_eq!(received.values("x-keygate-account"), ["alice"]);
    }
    assert_eq!(counted(&stack, "keygate_lookup.answered"), 1);
    let holds = |text: &[u8]| AhoCorasick::new([&TOKEN[7..]]).unwrap().is_match(text);
    assert!(holds(TOKEN.as_bytes()));
    assert!(!holds(&files(stack.service())));
    assert!(!holds(stack.service().log().as_bytes()));
    let metrics = stack.service().request("GET", "/metrics", "", None);
    assert!(!holds(metrics.text().as_bytes()));
    assert!(!holds(stack.envoy.admin("/stats").as_bytes()));
    // At log level trace Envoy writes down every header that it sends.
    if !leaks::is_on() {
        assert!(!holds(stack.envoy.log().as_bytes()));
    }
}

#[test]
fn data_with_one_changed_bit_is_503_and_the_upstream_is_not_called() {
    let stack = sealing();
    let key = key_of(&stack, "alice");
    put(stack.service(), &key, TOKEN);
    let database = Connection::open(stack.service().database()).unwrap();
    let read = "SELECT sealed FROM keys WHERE id = ?1";
    let whole: String = database
        .query_row(read, [&key.id], |row| row.get(0))
        .unwrap();
    let mut changed = whole.into_bytes();
    // One digit of base64url, in the ciphertext: B is one bit from A, and so is every other.
    changed[100] = if changed[100] == b'A' { b'B' } else { b'A' };
    let write = "UPDATE keys SET sealed = ?2 WHERE id = ?1";
    let changed = String::from_utf8(changed).unwrap();
    database.execute(write, [&key.id, &changed]).unwrap();
    let answer = call(&stack, "/api/x", &key.key);
    assert_eq!(
        (answer.status, code(&answer)),
        (503, "unavailable".to_owned())
    );
    assert_eq!(stack.echo.count(), 0);
    assert_eq!(counted(&stack, "keygate_decision.deny.sealed_broken"), 1);
}

#[test]
fn a_key_without_sealed_data_passes_only_where_it_is_optional() {
    let stack = sealing();
    let key = key_of(&stack, "alice").key;
    let answer = call(&stack, "/api/x", &key);
    assert_eq!(
        (answer.status, code(&answer)),
        (403, "not_allowed_here".to_owned())
    );
    assert_eq!(stack.echo.count(), 0);
    let beside = stack.get("/beta/x").header("x-api-key", &key);
    let beside = beside.header("authorization", "Digest of-the-client");
    assert_eq!(beside.send().status, 200);
    assert!(stack.echo.last().values("authorization").is_empty());
}

#[test]
fn a_rotated_key_has_its_token_and_a_removed_one_is_missed_within_two_seconds() {
    let stack = sealing();
    let key = key_of(&stack, "alice");
    put(stack.service(), &key, TOKEN);
    assert_eq!(call(&stack, "/api/x", &key.key).status, 200);
    let mut rotate = Command::new(keygate())
        .args(["keys", "rotate", &key.id, "--key-from", "-"])
        .env(
            "KEYGATE_SERVICE",
            format!("http://127.0.0.1:{}", stack.service().port()),
        )
        .env("KEYGATE_ADMIN_TOKEN", ADMIN_TOKEN)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = rotate.stdin.take().unwrap();
    stdin.write_all(key.key.as_bytes()).unwrap();
    drop(stdin);
    let output = rotate.wait_with_output().unwrap();
    assert!(output.status.success());
    let new = String::from_utf8(output.stdout).unwrap();
    assert_eq!(call(&stack, "/api/x", new.trim()).status, 200);
    assert_eq!(stack.echo.last().values("authorization"), [TOKEN]);
    let path = format!("/v1/keys/{}/sealed", &new.trim()[5..15]);
    let removed = stack.service().request("DELETE", &path, ADMIN_TOKEN, None);
    assert_eq!(removed.status, 200, "{}", removed.text());
    let patience = std::time::Duration::from_secs(2);
    keygate_tests::wait::until("the change to arrive", patience, || {
        (call(&stack, "/api/x", new.trim()).status == 403).then_some(())
    });
}

/// A part of the memory of a process.
struct Mapping {
    from: u64,
    to: u64,
    is_writable: bool,
    is_closed: bool,
}

fn mappings(process: u32) -> Vec<Mapping> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mapping = |line: &str| {
        let mut words = line.split(' ');
        let (from, to) = words.next().unwrap().split_once('-').unwrap();
        let [from, to] = [from, to].map(|it| u64::from_str_radix(it, 16).unwrap());
        let rights = words.next().unwrap();
        Mapping {
            from,
            to,
            is_writable: rights.starts_with("rw"),
            is_closed: rights.starts_with("---"),
        }
    };
    maps.lines().map(mapping).collect()
}

/// The bytes of these parts. Some, such as guard pages, cannot be read.
fn read<'m>(process: u32, parts: impl Iterator<Item = &'m Mapping>) -> Vec<Vec<u8>> {
    let mut memory = fs::File::open(format!("/proc/{process}/mem")).unwrap();
    let mut read = |part: &Mapping| {
        let mut bytes = vec![0; usize::try_from(part.to - part.from).unwrap()];
        memory.seek(SeekFrom::Start(part.from)).unwrap();
        memory.read_exact(&mut bytes).is_ok().then_some(bytes)
    };
    parts.filter_map(&mut read).collect()
}

/// Every page of a process that can be written: what a core has.
fn memory(process: u32) -> Vec<u8> {
    let all = mappings(process);
    read(process, all.iter().filter(|it| it.is_writable)).concat()
}

/// The linear memories of the wasm modules in an Envoy. V8 reserves the addresses behind each, so that
/// an index of 32 bits cannot leave it.
fn linear_memories(process: u32) -> Vec<Vec<u8>> {
    const GIB: u64 = 1 << 30;
    let all = mappings(process);
    let is_memory = |pair: &&[Mapping]| {
        let [memory, behind] = pair else {
            return false;
        };
        let is_reserved = behind.is_closed && behind.to - behind.from >= GIB;
        memory.is_writable && memory.to == behind.from && is_reserved
    };
    let memories = all.windows(2).filter(is_memory);
    read(process, memories.filter_map(<[Mapping]>::first))
}

#[test]
fn no_memory_of_the_module_contains_an_opened_secret_after_a_request() {
    let stack = sealing();
    let Some(process) = stack.envoy.id() else {
        eprintln!("!!! SKIPPED: Envoy is in a container, so its memory is not read.");
        return;
    };
    let key = key_of(&stack, "alice");
    put(stack.service(), &key, TOKEN);
    for _ in 0..20 {
        assert_eq!(call(&stack, "/api/x", &key.key).status, 200);
    }
    assert_eq!(stack.echo.last().values("authorization"), [TOKEN]);
    let memories = linear_memories(process);
    let holds = |part: &[u8]| {
        let part = AhoCorasick::new([part]).unwrap();
        memories.iter().filter(|it| part.is_match(*it)).count()
    };
    // The main thread and the worker have the policy, and the worker the record.
    assert!(holds(b"keygate_keys") >= 2, "of {}", memories.len());
    assert_eq!(holds(key.id.as_bytes()), 1);
    assert_eq!(holds(&TOKEN.as_bytes()[15..27]), 0);
}

#[test]
fn a_thousand_secrets_that_clients_sealed_are_nowhere_in_the_service() {
    let service = Service::start();
    let secret = |number: usize| {
        let digest = Sha256::digest(format!("the secret {number}"));
        digest[..16]
            .iter()
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    };
    let secrets: Vec<String> = (0..1_000).map(secret).collect();
    let mut hashes = Vec::new();
    let mut last = String::new();
    for part in secrets.chunks(100) {
        let keys = vec![json!({ "account": "alice" }); part.len()];
        let body = json!({ "keys": keys });
        let answer = service.request("POST", "/v1/keys/batch", ADMIN_TOKEN, Some(&body));
        for (created, secret) in answer.json()["keys"].as_array().unwrap().iter().zip(part) {
            let text = created["key"].as_str().unwrap();
            let key = CreatedKey {
                id: created["id"].as_str().unwrap().to_owned(),
                key: text.to_owned(),
                json: Value::Null,
            };
            put(&service, &key, &format!("Bearer {secret}"));
            hashes.push(hash(text));
            last = key.id;
        }
    }
    let mut found = 0;
    for part in hashes.chunks(100) {
        let body = json!({ "hashes": part, "want": ["sealed"] });
        let answer = service
            .request("POST", "/v1/lookups", EDGE_TOKEN, Some(&body))
            .json();
        let records = answer["records"].as_array().unwrap().iter();
        found += records.filter(|it| it["sealed"].is_string()).count();
    }
    assert_eq!(found, 1_000);
    let listed = service.request("GET", "/v1/keys?limit=100", ADMIN_TOKEN, None);
    assert_eq!(listed.status, 200);
    let metrics = service.request("GET", "/metrics", "", None).text();
    // Twelve of the characters, so that a part is found as well.
    let parts = secrets.iter().map(|it| &it[8..20]);
    let parts = AhoCorasick::new(parts).unwrap();
    let core = memory(service.id());
    let is_there = |text: &str, place: &[u8]| AhoCorasick::new([text]).unwrap().is_match(place);
    assert!(
        is_there(&last, &core) && is_there(EDGE_TOKEN, &core),
        "the scan finds texts"
    );
    assert!(is_there(&last, &files(&service)));
    for (name, place) in [
        ("files", files(&service)),
        ("log", service.log().into_bytes()),
        ("metrics", metrics.into_bytes()),
        ("memory", core),
    ] {
        let found = parts.find_iter(&place).count();
        assert_eq!(found, 0, "{name}");
    }
}

fn hash(key: &str) -> String {
    use keygate_core::keys::MasterSecret;
    use keygate_core::secret::{KeyRing, RingEntry};
    let ring = KeyRing(vec![RingEntry {
        id: "01".to_owned(),
        key: MasterSecret::derive(&Secret::new(APP_KEYS.into())).unwrap(),
        not_before: None,
        not_after: None,
    }]);
    let key = AppKey::parse(key.as_bytes(), &Prefix::parse("kg").unwrap()).unwrap();
    let hash = ring.authenticate(&key, keygate_core::UnixMillis(1_800_000_000_000));
    hash.unwrap().to_string()
}
