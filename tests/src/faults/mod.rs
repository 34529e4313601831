//! The system under load while its parts fail, one after another: `make faults`.
//!
//! A fault states what may be rejected while it lasts and how long after, breaks something,
//! and heals it. Whatever else is rejected, passes or hangs is counted by [`crate::load`],
//! and must not be there.

mod floods;
mod outages;
mod replicas;
pub mod report;
mod selfcheck;
mod traps;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::load::oracle::{Bounds, SLACK};
use crate::load::{Network, Plan, Scene, Stage, Tally};
use crate::namespace::Namespace;

/// How long and how hard.
#[derive(Clone, Debug)]
pub struct Form {
    /// For every change: a minute or so.
    pub is_short: bool,
    /// The module that a request can kill.
    pub trap_module: PathBuf,
    /// The library that changes a process's clock; without it that fault is left out, loudly.
    pub faketime: Option<PathBuf>,
}

/// What came of one fault.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which fault.
    pub fault: String,
    /// What may be rejected, and for how long.
    pub bound: String,
    /// What was found.
    pub tally: Tally,
    /// From the end of the fault until the last valid request was sent that was rejected.
    pub recovered: Duration,
    /// What else should have happened, and has not.
    pub problems: Vec<String>,
}

impl Row {
    /// Whether all is as promised.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.tally.is_clean() && self.problems.is_empty() && self.tally.sent > 0
    }
}

/// All faults; then the same load where the filter is missing or fails open, which must be
/// found out. The short form does two things at once.
pub fn run(form: &Form) -> Vec<Row> {
    let one_after_another = |groups: &[fn(&Form) -> Vec<Row>]| {
        let rows = groups.iter().flat_map(|group| group(form));
        rows.collect::<Vec<_>>()
    };
    let far: &[fn(&Form) -> Vec<Row>] = &[outages::far, replicas::one_of_two];
    let near: &[fn(&Form) -> Vec<Row>] =
        &[outages::slow, outages::clock, traps::trap, selfcheck::all];
    if !form.is_short {
        return one_after_another(&[far, near].concat());
    }
    thread::scope(|scope| {
        let others = scope.spawn(|| one_after_another(near));
        let mut rows = one_after_another(far);
        let others = others.join();
        rows.extend(others.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        rows
    })
}

impl Form {
    fn pick(&self, short: u64, full: u64) -> Duration {
        Duration::from_secs(if self.is_short { short } else { full })
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            lease: self.pick(8, 20),
            poll: Duration::from_secs(1),
            timeout: Duration::from_secs(2),
            idle: self.pick(5, 15),
        }
    }

    fn plan(&self, network: Network) -> Plan {
        Plan {
            bounds: self.bounds(),
            network,
            envoy: Box::new(|envoy| envoy),
            variables: Vec::new(),
            store: None,
            clients: 48,
            rate: if self.is_short { 100 } else { 150 },
            churn: Duration::from_millis(500),
            warms_up: true,
        }
    }

    /// Runs one fault: a while of health, the fault, and the time until the last rejection.
    fn observe(
        &self,
        scene: &Arc<Scene>,
        fault: &str,
        bound: impl Into<String>,
        body: impl FnOnce(&Arc<Scene>) -> Vec<String>,
    ) -> Row {
        eprintln!("faults: {fault}");
        scene.wait_for_cold_keys();
        scene.take();
        thread::sleep(self.pick(1, 5));
        let problems = body(scene);
        let ended = scene.end();
        let calm = self.pick(2, 8);
        let bounds = scene.bounds();
        let last = |tally: &Tally| tally.last_rejection.map_or(ended, |at| at.max(ended));
        while last(&scene.tally()).elapsed() < calm
            && ended.elapsed() < bounds.recovery() + SLACK * 2 + calm
        {
            thread::sleep(Duration::from_millis(50));
        }
        scene.wait_for_answers();
        let tally = scene.take();
        let recovered = last(&tally) - ended;
        let row = Row {
            fault: fault.to_owned(),
            bound: bound.into(),
            tally,
            recovered,
            problems,
        };
        report::print_row(&row);
        row
    }
}

/// Ends the stage; what came after the last fault counts as part of it.
fn finish(stage: Stage, mut rows: Vec<Row>) -> Vec<Row> {
    let rest = stage.finish();
    if let Some(last) = rows.last_mut() {
        last.tally.merge(rest);
    }
    rows
}

/// A cable, if we may lay one; else a relay, and a line that says so.
fn network() -> Network {
    match Namespace::create() {
        Ok(namespace) => Network::Cable(Arc::new(namespace)),
        Err(error) => {
            eprintln!(
                "faults: !!! no network namespace ({error}): the network is cut by a relay that \
                 falls silent, and not at a network interface"
            );
            Network::Relay
        }
    }
}

/// How long a fault has lasted.
fn lasting(since: Instant, time: Duration) {
    thread::sleep(time.saturating_sub(since.elapsed()));
}
