//! The measurements, one after another, on proxies that all run from the first to the last.

use std::time::Duration;

use keygate_tests::client;
use keygate_tests::envoy::EnvoyConfig;

use crate::cpu::Cores;
use crate::credentials::CALLERS;
use crate::load::{self, HOST, Script};
use crate::statistics::{Figure, median, quantile};
use crate::subject::{self, PATIENCE, Subject};
use crate::variant::{Ground, PLAIN, Variant};

/// Rounds that a published run has at the least, without the first.
const WHOLE: usize = 15;

/// How often Envoy is started to see how long it takes.
const STARTS: usize = 5;

/// Workers of the Envoys whose memory tells what one more worker takes.
const MORE_WORKERS: u32 = 4;

/// How long, and how hard.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Rounds that count.
    pub rounds: usize,
    /// Seconds of one variant in one round.
    pub seconds: u64,
    /// Requests per second where latency is measured.
    pub rate: u32,
    /// The variants to measure beside those that others are compared with; all of them.
    pub only: Option<Vec<String>>,
}

impl Plan {
    /// From `BENCH_ROUNDS`, `BENCH_SECONDS`, `BENCH_RATE` and `BENCH_ONLY`.
    pub fn from_environment() -> Result<Self, String> {
        let number = |name: &str, default: u32| match std::env::var(name) {
            Ok(text) => match text.parse() {
                Ok(0) | Err(_) => Err(format!("{name} must be a number from 1 on, not {text:?}")),
                Ok(number) => Ok(number),
            },
            Err(_) => Ok(default),
        };
        Ok(Self {
            rounds: number("BENCH_ROUNDS", 20)? as usize,
            seconds: number("BENCH_SECONDS", 1)?.into(),
            rate: number("BENCH_RATE", 2000)?,
            only: std::env::var("BENCH_ONLY")
                .ok()
                .map(|names| names.split(',').map(str::to_owned).collect()),
        })
    }

    /// Whether the run is long enough to be published, and leaves nothing out.
    pub fn is_whole(&self) -> bool {
        self.rounds >= WHOLE && self.only.is_none()
    }
}

/// All that was measured.
pub struct Results {
    /// In the order of the variants.
    pub variants: Vec<Costs>,
    /// Milliseconds from start to ready: Envoy without a filter, and with Keygate.
    pub startup: [f64; 2],
    /// Bytes that one more worker takes: without a filter, and with Keygate.
    pub worker_memory: [f64; 2],
}

/// What a variant costs.
pub struct Costs {
    pub name: &'static str,
    pub title: String,
    /// Microseconds of a core for each request: the proxy's own.
    pub cpu: Figure,
    /// In the same round: its own by that of [`PLAIN`].
    pub ratio: Figure,
    /// The same by a plain proxy of its kind, by whose name.
    pub ratio_to_kin: Option<(&'static str, Figure)>,
    /// With what the service has taken that the proxy asks.
    pub total_cpu: Option<Figure>,
    /// Answers per second, as many as go through.
    pub per_second: Figure,
    /// Microseconds at a fixed rate: the median, 99 and 99.9 of a hundred.
    pub latency: [f64; 3],
    /// Bytes of memory of its own, at the end.
    pub memory: u64,
}

#[derive(Default)]
struct Rounds {
    cpu: Vec<f64>,
    total: Vec<f64>,
    per_second: Vec<f64>,
    latency: Vec<f64>,
}

/// Measures all of them.
///
/// # Panics
/// When a proxy answers other than it has to: what it costs then says nothing.
pub fn all(ground: &Ground, variants: &[Variant], plan: &Plan, cores: Cores) -> Results {
    variants.iter().for_each(warm_up);
    let mut rounds: Vec<Rounds> = variants.iter().map(|_| Rounds::default()).collect();
    saturated(variants, plan, cores, &mut rounds);
    at_fixed_rate(variants, plan, cores, &mut rounds);
    let memory: Vec<u64> = variants.iter().map(|it| it.proxy.memory()).collect();
    eprintln!("bench: start and memory");
    let place = |name| variants.iter().position(|it| it.name == name);
    let beside = |own: &Rounds, other| {
        Figure::of_ratios(&own.cpu, &rounds[place(other).expect("it is there")].cpu)
    };
    let costs = |(place, variant): (usize, &Variant)| {
        let own = &rounds[place];
        Costs {
            name: variant.name,
            title: variant.title.clone(),
            cpu: Figure::of(&own.cpu),
            ratio: beside(own, PLAIN),
            ratio_to_kin: variant.kin.map(|kin| (kin, beside(own, kin))),
            total_cpu: variant.service.is_some().then(|| Figure::of(&own.total)),
            per_second: Figure::of(&own.per_second),
            latency: [0.5, 0.99, 0.999].map(|share| quantile(&own.latency, share)),
            memory: memory[place],
        }
    };
    Results {
        variants: variants.iter().enumerate().map(costs).collect(),
        startup: startup(ground),
        worker_memory: worker_memory(ground),
    }
}

/// Sends requests one after another, each key among them, and looks at every answer.
fn warm_up(variant: &Variant) {
    for request in variant.requests.iter().take(CALLERS as usize) {
        let mut get = client::get(variant.proxy.port(), &request.target)
            .header("host", HOST)
            .patience(PATIENCE);
        for (name, value) in &request.headers {
            get = get.header(name, value.as_str());
        }
        let status = get.send().status;
        let is_right = if variant.rejects {
            status == 401
        } else {
            status == 200
        };
        assert!(is_right, "{}: status {status}", variant.name);
    }
}

fn saturated(variants: &[Variant], plan: &Plan, cores: Cores, rounds: &mut [Rounds]) {
    let scripts: Vec<Script> = variants
        .iter()
        .map(|it| Script::new(&it.requests))
        .collect();
    let mut order: Vec<usize> = (0..variants.len()).collect();
    // The same order each time it is run; another in each round.
    let mut random = fastrand::Rng::with_seed(1);
    for round in 0..=plan.rounds {
        eprintln!("bench: round {round} of {}", plan.rounds);
        random.shuffle(&mut order);
        for &place in &order {
            let variant = &variants[place];
            let asked = || variant.service.as_ref().map_or(0, Subject::time);
            let name = variant.name;
            let attempt = || {
                let (before, asked_before) = (variant.proxy.time(), asked());
                let counted = scripts[place].run(variant.proxy.port(), plan.seconds, cores.load);
                let own = since(before, variant.proxy.time());
                (counted, own, since(asked_before, asked()))
            };
            let (mut counted, mut own, mut of_service) = attempt();
            // A virtual machine may stand still for a second; that is no fault of the proxy.
            if counted.requests == 0 {
                eprintln!("bench: {name}: nothing was answered, once more");
                (counted, own, of_service) = attempt();
            }
            let rejected = if variant.rejects { counted.requests } else { 0 };
            assert_eq!(
                counted.rejected, rejected,
                "{name}: answers are not as they were"
            );
            assert!(counted.requests > 0, "{name}: nothing was answered");
            // The first round wakes all of them up.
            if round == 0 {
                continue;
            }
            let each = |nanos: u64| nanos as f64 / 1e3 / counted.requests as f64;
            let rounds = &mut rounds[place];
            rounds.cpu.push(each(own));
            rounds.total.push(each(own + of_service));
            let seconds = counted.duration.as_secs_f64();
            rounds.per_second.push(counted.requests as f64 / seconds);
        }
    }
}

/// The time of a process between two looks at it.
fn since(before: u64, after: u64) -> u64 {
    // The time of a thread goes with it.
    let spent = after.checked_sub(before);
    spent.expect("no thread of a proxy ends while it is measured")
}

fn at_fixed_rate(variants: &[Variant], plan: &Plan, cores: Cores, rounds: &mut [Rounds]) {
    // The first of them wakes up.
    for round in 0..=plan.rounds.div_ceil(3) {
        eprintln!(
            "bench: latency, round {round} of {}",
            plan.rounds.div_ceil(3)
        );
        for (variant, rounds) in variants.iter().zip(&mut *rounds) {
            let took = load::at_rate(
                variant.proxy.port(),
                &variant.requests,
                plan.rate,
                Duration::from_secs(plan.seconds),
                cores.load,
            );
            if round > 0 {
                let micros = took.iter().map(|it| it.as_secs_f64() * 1e6);
                rounds.latency.extend(micros);
            }
        }
    }
}

fn startup(ground: &Ground) -> [f64; 2] {
    let starts: Vec<[f64; 2]> = (0..STARTS)
        .map(|_| both(ground).map(subject::startup))
        .collect();
    [0, 1].map(|place| median(&starts.iter().map(|it| it[place]).collect::<Vec<_>>()))
}

/// Envoy without a filter, and with Keygate.
fn both(ground: &Ground) -> [EnvoyConfig; 2] {
    [subject::with_filters(&[]), ground.keygate()]
}

fn worker_memory(ground: &Ground) -> [f64; 2] {
    let of = |workers| both(ground).map(|it| Subject::envoy(it, workers, None).memory() as f64);
    let (few, many) = (of(1), of(1 + MORE_WORKERS));
    [0, 1].map(|place| (many[place] - few[place]) / f64::from(MORE_WORKERS))
}
