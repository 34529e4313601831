//! The key service dies, stops, is cut off, is far away, or lives at another time.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keygate_core::UnixMillis;
use serde_json::json;

use super::{Form, Row, finish, floods, lasting, network};
use crate::load::oracle::{Answer, Trouble};
use crate::load::{Network, Scene, Stage};

/// Each way. A callout may take two seconds, and a new connection needs two ways more.
const FAR: Duration = Duration::from_millis(100);

/// Behind a cable: faults of the process and of the cable, and floods of attackers.
pub fn far(form: &Form) -> Vec<Row> {
    let network = network();
    let cable = match &network {
        Network::Cable(namespace) => Some(Arc::clone(namespace)),
        Network::Near | Network::Relay => None,
    };
    let stage = Stage::start(form.plan(network));
    let scene = Arc::clone(stage.scene());
    let bounds = scene.bounds();
    let recovery = bounds.recovery().as_secs();
    let away = format!(
        "a cold key may get 503 until {recovery} s after; a warm key never within the lease of \
         {} s; a key revoked meanwhile may pass until the lease ends",
        bounds.lease.as_secs()
    );
    let killed = form.observe(&scene, "key service killed, restarted", &away, |scene| {
        scene.begin(Trouble::Unreachable);
        let since = Instant::now();
        scene.service.kill9();
        lasting(since, form.pick(1, 5));
        scene.service.restart();
        Vec::new()
    });
    let frozen = form.observe(&scene, "key service stopped", &away, |scene| {
        scene.begin(Trouble::Unreachable);
        let since = Instant::now();
        scene.service.freeze();
        lasting(since, form.pick(3, 10));
        scene.service.thaw();
        Vec::new()
    });
    let cut = form.observe(&scene, "network cut", &away, |scene| {
        scene.begin(Trouble::Unreachable);
        let since = Instant::now();
        match (&cable, &stage.relay) {
            (Some(cable), _) => cable.cut(),
            (None, Some(relay)) => relay.cut(),
            (None, None) => {}
        }
        lasting(since, bounds.lease + form.pick(2, 8));
        let problems = lease_has_ended(scene);
        match (&cable, &stage.relay) {
            (Some(cable), _) => cable.heal(),
            (None, Some(relay)) => relay.heal(),
            (None, None) => {}
        }
        problems
    });
    let mut rows = vec![killed, frozen, cut];
    rows.extend(floods::all(form, &scene));
    finish(stage, rows)
}

/// Behind a relay that delays.
pub fn slow(form: &Form) -> Vec<Row> {
    let stage = Stage::start(form.plan(Network::Relay));
    let bound = format!("{FAR:?} more each way: no valid request may be rejected");
    let row = form.observe(stage.scene(), "slow link", bound, |_| {
        let since = Instant::now();
        if let Some(relay) = &stage.relay {
            relay.delay(FAR);
        }
        lasting(since, form.pick(5, 20));
        if let Some(relay) = &stage.relay {
            relay.delay(Duration::ZERO);
        }
        Vec::new()
    });
    finish(stage, vec![row])
}

/// With a clock of its own.
pub fn clock(form: &Form) -> Vec<Row> {
    let Some(library) = &form.faketime else {
        eprintln!(
            "faults: !!! SKIPPED: no libfaketime, so no clock can be set: see scripts/faketime"
        );
        return Vec::new();
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("offset");
    set_clock(&file, "+0s");
    let variable = |name: &str, value: &Path| (name.to_owned(), value.display().to_string());
    let mut plan = form.plan(Network::Near);
    plan.variables = vec![
        variable("LD_PRELOAD", library),
        variable("FAKETIME_TIMESTAMP_FILE", &file),
        variable("FAKETIME_NO_CACHE", Path::new("1")),
        variable("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
    ];
    let stage = Stage::start(plan);
    let row = form.observe(
        stage.scene(),
        "clock of the key service 25 minutes ahead, 25 minutes back",
        "no valid request may be rejected, and revocations take effect in time",
        |scene| {
            let mut problems = Vec::new();
            // Together less than an hour: a clock that goes back further makes no keys.
            for (offset, off) in [("+1500s", 1500), ("-1500s", -1500), ("+0s", 0)] {
                let since = Instant::now();
                set_clock(&file, offset);
                problems.extend(says_another_time(scene, off));
                lasting(since, form.pick(2, 10));
            }
            problems
        },
    );
    finish(stage, vec![row])
}

/// The lease must end: a fault that does not reach so far has shown nothing.
fn lease_has_ended(scene: &Arc<Scene>) -> Vec<String> {
    let mut connection = None;
    let Some(warm) = scene.warm_key() else {
        return vec!["there is no warm key".to_owned()];
    };
    match scene.ask(&mut connection, &warm) {
        Answer::Rejected(503) => Vec::new(),
        other => vec![format!("a warm key after the lease: {other:?}, not 503")],
    }
}

/// The key service must believe it, or the fault was none.
fn says_another_time(scene: &Arc<Scene>, off: i64) -> Option<String> {
    let created = scene.service.create_key(&json!({ "account": "clock" }));
    let said = created.json["created_at"].as_str().unwrap_or_default();
    let said = UnixMillis::parse(said)
        .map_or(0, |it| it.0 / 1000)
        .cast_signed();
    let real = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let difference = said - real.as_secs().cast_signed();
    ((difference - off).abs() > 30)
        .then(|| format!("the key service is {difference} s off, and not {off}"))
}

fn set_clock(file: &Path, offset: &str) {
    let beside = file.with_extension("new");
    std::fs::write(&beside, offset).expect("a temporary directory can be written to");
    std::fs::rename(&beside, file).expect("a file can be renamed in its directory");
}
