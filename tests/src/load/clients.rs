//! Callers: clients at a steady rate, managers that create and revoke keys, and floods.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use keygate_core::keys::wire::CHANGES_PATH;
use serde_json::json;

use super::credentials::{Credential, Key};
use super::oracle::Revocation;
use super::scene::{COLD, Scene, lock};
use crate::client::Connection;
use crate::service::EDGE_TOKEN;

/// How long a manager of keys waits for the key service.
const MANAGER: Duration = Duration::from_secs(2);

/// How often the key service is asked directly.
const PROBE: Duration = Duration::from_millis(200);

/// How many keys live at once before the oldest is revoked; how many revoked ones are tried
/// again and again.
const LIVE: usize = 6;
const DEAD: usize = 40;

/// After so many requests a client opens another connection: it may reach another worker.
const PER_CONNECTION: u64 = 40;

/// They end when dropped.
pub(super) struct Clients(Threads);

impl Clients {
    pub(super) fn start(scene: &Arc<Scene>, clients: u32, rate: u32, churn: Duration) -> Self {
        let mut threads = Threads::default();
        let turns = Arc::new(AtomicU64::new(0));
        let pace = Duration::from_secs(1) * clients / rate;
        for place in 0..clients {
            let (scene, turns) = (Arc::clone(scene), Arc::clone(&turns));
            let first = Instant::now() + pace * place / clients;
            threads.spawn(move |stop| client(&scene, &turns, first, pace, stop));
        }
        let asker = Arc::clone(scene);
        threads.spawn(move |stop| probe(&asker, stop));
        let scene = Arc::clone(scene);
        threads.spawn(move |stop| manager(&scene, churn, stop));
        Self(threads)
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Clients that ask as fast as they can, all with the same kind of credential; they end when
/// dropped.
pub struct Flood(Threads);

impl Flood {
    /// So many clients.
    pub fn start(
        scene: &Arc<Scene>,
        clients: u32,
        credential: impl Fn(&Scene) -> Credential + Copy + Send + 'static,
    ) -> Self {
        let mut threads = Threads::default();
        for _ in 0..clients {
            let scene = Arc::clone(scene);
            threads.spawn(move |stop| {
                let mut connection = None;
                while !stop.load(Ordering::Relaxed) {
                    scene.ask(&mut connection, &credential(&scene));
                }
            });
        }
        Self(threads)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[derive(Default)]
struct Threads {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Threads {
    fn spawn(&mut self, work: impl FnOnce(&AtomicBool) + Send + 'static) {
        let stop = Arc::clone(&self.stop);
        self.threads.push(thread::spawn(move || work(&stop)));
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join()
                && !thread::panicking()
            {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// Asks at its own times, whether or not the last answer took long; what is late is sent
/// at once.
fn client(scene: &Scene, turns: &AtomicU64, first: Instant, pace: Duration, stop: &AtomicBool) {
    let (mut next, mut connection) = (first, None);
    for count in 1.. {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let turn = turns.fetch_add(1, Ordering::Relaxed);
        scene.ask(&mut connection, &credential(scene, turn));
        if count % PER_CONNECTION == 0 {
            connection = None;
        }
        // One that had to wait for long does not make up for it in a burst.
        next = (next + pace).max(Instant::now().checked_sub(pace).unwrap_or(next));
    }
}

/// Of twenty requests: 7 with warm keys, 2 with cold, 2 with young ones, 3 with revoked ones,
/// 3 links, and one each of a wrong link, a forged key or none, an unknown key.
fn credential(scene: &Scene, turn: u64) -> Credential {
    let mut keys = lock(&scene.keys);
    let pick = |keys: &[Arc<Key>]| {
        let place = usize::try_from(turn / 20 + turn % 20).unwrap_or(0);
        keys.get(place % keys.len().max(1)).cloned()
    };
    let key = match turn % 20 {
        0..7 => return Credential::Warm(pick(&keys.warm).expect("warm keys")),
        7..9 => keys.cold.pop_front(),
        9..11 => pick(keys.live.make_contiguous()),
        11..14 => pick(keys.dead.make_contiguous()),
        14..17 => return scene.forge.link(),
        17 => return scene.forge.wrong_link(),
        18 if (turn / 20).is_multiple_of(2) => return scene.forge.forged(),
        18 => return Credential::Nothing,
        _ => return scene.forge.unknown(),
    };
    key.map_or(Credential::Nothing, Credential::Issued)
}

/// Asks the key service what an edge asks, without an Envoy between. Where that takes half
/// as long as a callout may, the machine is too slow for what is promised of cold keys.
fn probe(scene: &Scene, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        thread::sleep(PROBE);
        let asked = scene
            .service
            .try_request("GET", CHANGES_PATH, EDGE_TOKEN, None, MANAGER * 2);
        if asked.is_ok() && start.elapsed() > PROBE + scene.bounds().timeout / 2 {
            scene.was_slow(start);
        }
    }
}

/// Creates keys and uses each at once; revokes the oldest. When the service is away, it
/// tries again.
fn manager(scene: &Scene, churn: Duration, stop: &AtomicBool) {
    let mut connection: Option<Connection> = None;
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if let Some(key) = create(scene) {
            scene.ask(&mut connection, &Credential::Issued(Arc::clone(&key)));
            lock(&scene.keys).live.push_back(key);
        }
        // A few at a time: a revocation is not to wait until all are there.
        for _ in 0..COLD / 5 {
            if lock(&scene.keys).cold.len() >= COLD || stop.load(Ordering::Relaxed) {
                break;
            }
            let Some(key) = create(scene) else { break };
            lock(&scene.keys).cold.push_back(key);
        }
        if lock(&scene.keys).live.len() > LIVE {
            revoke_oldest(scene);
        }
        next = (next + churn).max(Instant::now());
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

fn create(scene: &Scene) -> Option<Arc<Key>> {
    let body = json!({ "account": "load" });
    let created = scene.service.try_create_key(&body, MANAGER).ok()?;
    scene.created.fetch_add(1, Ordering::Relaxed);
    Some(Key::issued(created))
}

fn revoke_oldest(scene: &Scene) {
    let Some(key) = lock(&scene.keys).live.pop_front() else {
        return;
    };
    key.set_revocation(Revocation::Asked);
    if scene.service.try_revoke(&key.id, MANAGER).is_ok() {
        key.set_revocation(Revocation::Done(Instant::now()));
        scene.revoked.fetch_add(1, Ordering::Relaxed);
    }
    let mut keys = lock(&scene.keys);
    keys.dead.push_back(key);
    if keys.dead.len() > DEAD {
        keys.dead.pop_front();
    }
}
