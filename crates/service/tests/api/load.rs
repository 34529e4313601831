//! Many at once, and a disk that is slow.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keygate_core::UnixMillis;

use crate::keys::revoke_path;
use crate::support::{ADMIN, Answer, EDGE, Raw, Running, START, hash, text};

/// How many keys wait for the disk at most.
const WAITING: usize = 256;

const ACCOUNT: &str = r#"{"account":"a"}"#;

/// A service whose disk does not answer: it is stuck with the first changes, and one change waits.
pub struct Stuck {
    lock: Raw,
    /// Clients of all of these changes, which create keys.
    pub clients: Vec<TcpStream>,
}

impl Stuck {
    pub fn new(service: &Running) -> Self {
        let lock = service.raw();
        lock.lock();
        let mut clients = Vec::new();
        until(|| {
            clients.push(send(service, "/v1/keys", ACCOUNT));
            thread::sleep(Duration::from_millis(50));
            clients.len() > 1 && waiting(service) == 1
        });
        Self { lock, clients }
    }

    pub fn release(&self) {
        self.lock.batch("ROLLBACK");
    }
}

/// Sends a request and leaves the answer.
pub fn send(service: &Running, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(service.address).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {ADMIN}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    stream
}

/// Waits for a condition, for at most four seconds: the service gives up a request after ten.
#[track_caller]
pub fn until(mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(4);
    while !holds() {
        assert!(Instant::now() < end, "it does not come about");
        thread::sleep(Duration::from_millis(5));
    }
}

pub fn waiting(service: &Running) -> usize {
    let metrics = service.get("/metrics").text;
    let name = "keygate_service_waiting_changes ";
    let line = metrics.lines().find_map(|it| it.strip_prefix(name));
    line.unwrap().parse().unwrap()
}

fn count(service: &Running, of: &str) -> usize {
    let raw = service.raw();
    let count = format!("SELECT count(*) FROM {of}");
    let count: i64 = raw.read(&count, &[]);
    count.try_into().unwrap()
}

/// A service whose disk does not answer, and clients of `waiting` keys that wait for it.
fn filled(service: &Running, waiting_keys: usize) -> (Stuck, Vec<TcpStream>) {
    let stuck = Stuck::new(service);
    let filling = || send(service, "/v1/keys", ACCOUNT);
    let clients = std::iter::repeat_with(filling)
        .take(waiting_keys - 1)
        .collect();
    until(|| waiting(service) == waiting_keys);
    (stuck, clients)
}

/// The answer to a key for which the queue has no place.
pub fn answer_beyond_the_queue() -> Answer {
    let service = Running::start();
    let _clients = filled(&service, WAITING);
    service.post("/v1/keys", ACCOUNT)
}

/// The answer to a key whose turn does not come in time.
pub fn answer_of_a_stuck_disk() -> Answer {
    let service = Running::start();
    let _clients = filled(&service, WAITING - 1);
    service.post("/v1/keys", ACCOUNT)
}

#[test]
fn keys_beyond_the_queue_are_rejected_at_once_and_not_stored() {
    const BEYOND: usize = 40;
    let service = Running::start();
    let stuck = Stuck::new(&service);
    let rejected = AtomicUsize::new(0);
    let creator = || {
        let answer = service.post("/v1/keys", ACCOUNT);
        if answer.status != 201 {
            assert_eq!(answer.problem(), (503, "overloaded".to_owned()));
            assert_eq!(answer.header("retry-after"), "1");
            rejected.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..WAITING - 1 + BEYOND {
            scope.spawn(creator);
        }
        until(|| rejected.load(Ordering::Relaxed) == BEYOND);
        assert_eq!(waiting(&service), WAITING);
        stuck.release();
    });
    assert_eq!(rejected.load(Ordering::Relaxed), BEYOND);
    let created = stuck.clients.len() + WAITING - 1;
    assert_eq!(count(&service, "keys"), created);
}

#[test]
fn a_revocation_overtakes_keys_that_wait() {
    let service = Running::start();
    let key = service.create(ACCOUNT);
    let stuck = Stuck::new(&service);
    thread::scope(|scope| {
        for _ in 0..WAITING - 1 {
            scope.spawn(|| service.post("/v1/keys", ACCOUNT).expect(201));
        }
        until(|| waiting(&service) == WAITING);
        let revocation = scope.spawn(|| service.post(&revoke_path(&key), "{}").expect(200));
        until(|| waiting(&service) == WAITING + 1);
        stuck.release();
        revocation.join().unwrap();
    });
    let later = "changes WHERE seq > (SELECT max(seq) FROM changes JOIN keys USING (hash) \
                 WHERE revoked_at IS NOT NULL)";
    assert_eq!(count(&service, later), WAITING);
}

#[test]
fn a_change_that_fails_fails_alone() {
    const GOOD: usize = 20;
    let service = Running::start();
    let raw = service.raw();
    raw.reject("keys", "NEW.account = 'bad'");
    let stuck = Stuck::new(&service);
    let create = |body| service.post("/v1/keys", body);
    thread::scope(|scope| {
        for _ in 0..GOOD {
            scope.spawn(|| create(ACCOUNT).expect(201));
        }
        let bad = scope.spawn(|| create(r#"{"account":"bad"}"#).problem());
        until(|| waiting(&service) == 1 + GOOD + 1);
        stuck.release();
        let unavailable = (503, "database_unavailable".to_owned());
        assert_eq!(bad.join().unwrap(), unavailable);
    });
    let created = stuck.clients.len() + GOOD;
    assert_eq!(count(&service, "keys"), created);
    assert_eq!(count(&service, "changes"), created);
}

#[test]
fn a_client_that_has_gone_before_its_turn_gets_no_key_but_its_revocation() {
    let service = Running::start();
    let key = service.create(ACCOUNT);
    let mut stuck = Stuck::new(&service);
    let revocation = send(&service, &revoke_path(&key), "{}");
    until(|| waiting(&service) == 2);
    drop((stuck.clients.pop(), revocation));
    until(|| waiting(&service) == 1);
    stuck.release();
    let id = text(&key, "id");
    until(|| service.get("/v1/keys?status=revoked").text.contains(&id));
    assert_eq!(count(&service, "keys"), 1 + stuck.clients.len());
}

/// More keys than a page looks at, the oldest and the newest of them revoked.
fn with_many_keys() -> Running {
    let service = Running::start();
    let raw = service.raw();
    raw.batch(&format!(
        "INSERT INTO keys (id, hash, start, account, scopes, metadata, allowed_ips, created_at) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000) \
         SELECT printf('%010d', i), randomblob(32), '', iif(i % 2 = 1, 'odd', 'even'), '[]', '{{}}', \
         '[]', {now} FROM n; \
         UPDATE keys SET revoked_at = {now} WHERE number IN (1, 2, 12000, 24999, 25000)",
        now = START.0
    ));
    service
}

#[test]
fn the_pages_of_a_list_are_its_keys_however_few_they_are() {
    let service = with_many_keys();
    let pages = |query: &str| {
        let mut found = Vec::new();
        let mut sizes = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = service
                .get(&format!("/v1/keys?{query}{cursor}"))
                .expect(200);
            let keys = page["keys"].as_array().unwrap();
            sizes.push(keys.len());
            found.extend(keys.iter().map(|it| text(it, "id")));
            let Some(next) = page["next_cursor"].as_str() else {
                return (found, sizes);
            };
            cursor = format!("&cursor={next}");
        }
    };
    let ids =
        |numbers: &[u32]| -> Vec<String> { numbers.iter().map(|it| format!("{it:010}")).collect() };
    let (found, sizes) = pages("status=revoked");
    assert_eq!(found, ids(&[25000, 24999, 12000, 2, 1]));
    assert_eq!(
        sizes,
        [2, 1, 2],
        "a page ends where it has looked at enough"
    );
    let (found, sizes) = pages("status=revoked&account=odd");
    assert_eq!(found, ids(&[24999, 1]));
    assert_eq!(sizes, [1, 1]);
    let (found, sizes) = pages("status=expired");
    assert!(found.is_empty());
    assert_eq!(sizes, [0, 0, 0]);
    let (found, _) = pages("status=active&limit=100");
    assert_eq!(found.len(), 24_995);
}

#[test]
fn a_clock_that_went_back_or_was_never_set_makes_no_key_and_all_else() {
    const HOUR: u64 = 3_600_000;
    let service = Running::start();
    let link = |id: &str| {
        let body = format!(r#"{{"id":"{id}","expires_at":4000000000000}}"#);
        service.send("POST", "/v1/links/uses", Some(EDGE), &body)
    };
    let import = r#"{"keys":[{"key":"imported-key-0123456789","account":"a"}]}"#;
    let wrong = (503, "clock".to_owned());
    let year_2024 = 1_704_067_200_000;
    for (newest, now, id) in [
        (START.0, START.0 - HOUR - 1, "k.a"),
        (year_2024, year_2024 - 1, "k.b"),
    ] {
        service.set_now(UnixMillis(newest));
        let raw = service.raw();
        raw.run(
            "UPDATE changes SET at = ?1",
            &[&i64::try_from(newest).unwrap()],
        );
        let key = service.create(ACCOUNT);
        service.set_now(UnixMillis(now));
        assert_eq!(service.post("/v1/keys", ACCOUNT).problem(), wrong);
        assert_eq!(service.post("/v1/keys/import", import).problem(), wrong);
        link(id).expect(200);
        service.lookup(&[hash(&key)]);
        service.get("/readyz").expect(200);
        service.post(&revoke_path(&key), "{}").expect(200);
    }
    let service = Running::start();
    service.create(ACCOUNT);
    service.set_now(UnixMillis(START.0 - HOUR));
    service.create(ACCOUNT);
}
