//! The same load for a long time, with nothing broken: `make soak`.
//!
//! No valid request may be rejected, no revoked key may pass, no virtual machine may be
//! recreated, and memory must not grow.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::faults::report;
use crate::load::oracle::{Bounds, SLACK};
use crate::load::{Network, Plan, Stage, Tally, seconds};

/// Requests a second: what two busy processors do beside other work.
const RATE: u32 = 100;

/// How often memory is read.
const SAMPLE: Duration = Duration::from_secs(1);

/// The last quarter may have this much more than the second: caches still fill, and the
/// keys that were created are remembered.
const GROWTH: f64 = 1.10;
const GROWTH_KB: u64 = 16 * 1024;

/// What came of it.
pub struct Outcome {
    /// What was found.
    pub tally: Tally,
    /// How long.
    pub time: Duration,
    /// Of Envoy and of the key service.
    pub memory: Vec<Memory>,
    /// Virtual machines of the filter that were recreated.
    pub reloads: u64,
    /// Keys that were created, and those of them that were revoked.
    pub keys: (u64, u64),
}

/// Resident memory of one process.
pub struct Memory {
    /// Of which.
    pub name: &'static str,
    samples: Vec<u64>,
}

/// Runs it for so long.
///
/// # Panics
/// When a part does not come up, or ends.
#[must_use]
pub fn run(time: Duration) -> Outcome {
    let stage = Stage::start(Plan {
        bounds: Bounds {
            lease: Duration::from_secs(60),
            poll: Duration::from_secs(1),
            timeout: Duration::from_secs(2),
            idle: Duration::from_secs(15),
        },
        network: Network::Near,
        envoy: Box::new(|envoy| envoy),
        variables: Vec::new(),
        store: None,
        clients: 48,
        rate: RATE,
        churn: Duration::from_millis(250),
        warms_up: true,
    });
    let scene = stage.scene();
    if scene.stack.envoy.id().is_none() {
        eprintln!("soak: !!! Envoy is in a container: its memory is not looked at");
    }
    let envoy = scene.stack.envoy.id().map(|id| ("Envoy", id));
    let service = ("the key service", scene.service.id());
    let processes: Vec<_> = envoy.into_iter().chain([service]).collect();
    let mut memory = Vec::new();
    for (name, _) in &processes {
        let samples = Vec::new();
        memory.push(Memory { name, samples });
    }
    let start = Instant::now();
    let mut told = start;
    while start.elapsed() < time {
        thread::sleep(SAMPLE);
        scene.compare_with_upstream();
        for (memory, (name, id)) in memory.iter_mut().zip(&processes) {
            let resident = resident(*id).unwrap_or_else(|| panic!("{name} has no memory"));
            memory.samples.push(resident);
        }
        if told.elapsed() > Duration::from_secs(60) {
            told = Instant::now();
            let seconds = start.elapsed().as_secs();
            eprint!("soak: {seconds} s, {} requests", scene.tally().sent);
            for memory in &memory {
                let megabytes = memory.samples.last().unwrap_or(&0) / 1024;
                eprint!(", {} {megabytes} MB", memory.name);
            }
            eprintln!();
        }
    }
    let (reloads, keys) = (scene.reloads(), scene.managed());
    Outcome {
        time: start.elapsed(),
        memory,
        reloads,
        keys,
        tally: stage.finish(),
    }
}

impl Outcome {
    /// What is not as promised, in words.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.tally.examples.clone();
        if self.reloads > 0 {
            problems.push(format!("{} virtual machines were recreated", self.reloads));
        }
        problems.extend(self.memory.iter().filter_map(Memory::problem));
        problems
    }

    /// For a program to read.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut value = self.tally.json();
        value["seconds"] = json!(self.time.as_secs());
        value["reloads"] = json!(self.reloads);
        value["keys_created"] = json!(self.keys.0);
        value["keys_revoked"] = json!(self.keys.1);
        value["machine"] = json!(report::machine());
        value["problems"] = json!(self.problems());
        for memory in &self.memory {
            value["median_kb_by_quarter"][memory.name] = json!(memory.quarters());
        }
        value
    }

    /// Prints it.
    pub fn print(&self) {
        let tally = &self.tally;
        println!(
            "{} s, {} requests, {} keys created, {} revoked; every bound is extended by {} s",
            self.time.as_secs(),
            tally.sent,
            self.keys.0,
            self.keys.1,
            SLACK.as_secs()
        );
        println!(
            "wrongly passed {}, wrongly rejected {}, unanswered {}, virtual machines recreated {}",
            tally.wrongly_passed, tally.wrongly_rejected, tally.unanswered, self.reloads
        );
        println!(
            "a revoked key passed for at most {} s; the slowest answer took {} s",
            seconds(tally.slowest_revocation),
            seconds(tally.slowest_answer)
        );
        for memory in &self.memory {
            let quarters = memory.quarters().map(|it| it / 1024);
            println!(
                "memory of {}, median of each quarter: {quarters:?} MB",
                memory.name
            );
        }
        for problem in self.problems() {
            println!("!!! {problem}");
        }
    }
}

impl Memory {
    /// The median of each quarter of the time, in kB.
    #[must_use]
    pub fn quarters(&self) -> [u64; 4] {
        let size = (self.samples.len() / 4).max(1);
        [0, 1, 2, 3].map(|quarter| {
            let part = self.samples.iter().skip(quarter * size).take(size);
            let mut part: Vec<u64> = part.copied().collect();
            part.sort_unstable();
            part.get(part.len() / 2).copied().unwrap_or(0)
        })
    }

    fn problem(&self) -> Option<String> {
        let [_, second, _, last] = self.quarters();
        #[expect(clippy::cast_precision_loss, reason = "kilobytes of one process")]
        let grows = last as f64 > second as f64 * GROWTH + GROWTH_KB as f64;
        grows.then(|| format!("{} grows: {second} kB, then {last} kB", self.name))
    }
}

/// Resident memory of a process in kB.
fn resident(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_grows_is_found_out_and_a_start_is_not() {
        let flat = |it: u64| 60_000 + if it < 100 { it * 500 } else { 50_000 } + it % 7;
        let leak = |it: u64| 60_000 + it * 200;
        for (samples, grows) in [
            ((0..600).map(flat).collect::<Vec<_>>(), false),
            ((0..600).map(leak).collect(), true),
        ] {
            let memory = Memory {
                name: "it",
                samples,
            };
            assert_eq!(memory.problem().is_some(), grows);
        }
    }
}
