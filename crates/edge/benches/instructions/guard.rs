//! Runs every case under callgrind, and judges the counts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use serde_json::{Value, json};

use crate::TIMES;
use crate::cases::{Class, GROWING, GUARDED, Growing};

/// How far a count may be from the baseline, in hundredths of it.
const TOLERANCE: f64 = 2.0;

/// Cost at the largest size by cost at the smallest, where it may not grow: a hash table that
/// is fuller, one more step in a tree.
const CONSTANT: f64 = 1.25;

/// What a doubling of the size may add, as a part of the cost of the smallest.
const LOGARITHMIC: f64 = 0.05;

/// A step in size by some factor may cost that factor and this more: sizes round up.
const LINEAR: f64 = 1.15;

/// Instructions of one run of a case, by its name.
type Counts = BTreeMap<String, f64>;

pub(crate) fn run() -> ExitCode {
    let growing = GROWING.iter().flat_map(|family| {
        let sizes = family.sizes.iter();
        sizes.map(|size| format!("{}/{size}", family.name))
    });
    let mut names: Vec<String> = GUARDED
        .map(str::to_owned)
        .into_iter()
        .chain(growing)
        .collect();
    names.sort();
    names.dedup();
    let counts = count_all(&names);
    let mut problems = judge_growth(&counts);
    if std::env::var_os("BENCH_RENEW").is_some() {
        renew(&counts);
    } else {
        problems.extend(compare(&counts));
    }
    for problem in &problems {
        eprintln!("FAILED: {problem}");
    }
    if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// As many at a time as there are cores: what is counted does not depend on it.
fn count_all(names: &[String]) -> Counts {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let counter = |first: usize| {
            let own = names.iter().skip(first).step_by(cores);
            scope.spawn(move || {
                own.map(|name| (name.clone(), count(name)))
                    .collect::<Vec<_>>()
            })
        };
        let counters: Vec<_> = (0..cores).map(counter).collect();
        let counted = counters.into_iter().map(|it| it.join());
        counted
            .flat_map(|it| it.expect("every case can be counted"))
            .collect()
    })
}

fn count(name: &str) -> f64 {
    let program = std::env::current_exe().expect("a process knows its executable");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=instructions::measured")
        .arg(program)
        .arg(name)
        // The C library picks its functions by the processor: not here.
        .env(
            "GLIBC_TUNABLES",
            "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-AVX_Fast_Unaligned_Load,-BMI2,-ERMS,-FSRM",
        )
        .output()
        .expect("valgrind is installed: Debian's package valgrind");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    let line = said.lines().find_map(|line| line.split_once("Collected :"));
    let count = line.and_then(|(_, count)| count.trim().parse::<u64>().ok());
    let count = count.unwrap_or_else(|| panic!("{name}: callgrind says {said}"));
    assert!(count > 0, "{name}: nothing was counted");
    count as f64 / TIMES as f64
}

fn compare(counts: &Counts) -> Vec<String> {
    let text = std::fs::read_to_string(file()).expect("the baseline is there");
    let baseline: Value = serde_json::from_str(&text).expect("the baseline is JSON");
    let of = baseline["rustc"].as_str().unwrap_or("none").to_owned();
    let is_judged = of == compiler();
    let mut problems = Vec::new();
    println!("instructions of a decision, beside the baseline ({of}):");
    for name in GUARDED {
        let now = counts[name];
        let Some(before) = baseline["instructions"][name].as_f64() else {
            problems.push(format!("{name} is not in the baseline. {RENEW}"));
            continue;
        };
        let percent = (now / before - 1.0) * 100.0;
        println!("  {name:<20} {now:>12.0} {percent:>+8.2} %");
        if is_judged && percent.abs() > TOLERANCE {
            problems.push(format!(
                "{name} takes {now:.0} instructions, {percent:+.2} % beside the baseline's \
                 {before:.0}; {TOLERANCE} % are allowed. If that is meant: {RENEW}"
            ));
        }
    }
    if !is_judged {
        println!(
            "!!! NOT JUDGED: the baseline is of {of}, this is {}: another compiler takes \
             other instructions. Growth was judged. {RENEW}",
            compiler()
        );
    }
    problems
}

const RENEW: &str =
    "Renew it with `BENCH_RENEW=1 make bench-guard`, and commit it with the reason.";

fn renew(counts: &Counts) {
    let of: Counts = GUARDED.map(|name| (name.to_owned(), counts[name])).into();
    let baseline = json!({ "rustc": compiler(), "instructions": of });
    std::fs::write(file(), format!("{baseline:#}\n")).expect("the baseline can be written");
    println!("written: {}", file().display());
}

fn judge_growth(counts: &Counts) -> Vec<String> {
    println!("how instructions grow:");
    GROWING
        .iter()
        .filter_map(|it| grows_too_fast(it, counts))
        .collect()
}

/// What is wrong, if something is.
fn grows_too_fast(family: &Growing, counts: &Counts) -> Option<String> {
    let name = family.name;
    let costs: Vec<(f64, f64)> = family
        .sizes
        .iter()
        .map(|size| (*size as f64, counts[&format!("{name}/{size}")]))
        .collect();
    let shown: Vec<String> = costs
        .iter()
        .map(|(n, cost)| format!("{n}: {cost:.0}"))
        .collect();
    println!("  {name:<16} {:?}: {}", family.class, shown.join(", "));
    let (first, last) = (costs[0], costs[costs.len() - 1]);
    match family.class {
        Class::Constant => (last.1 > first.1 * CONSTANT).then(|| {
            format!(
                "{name}: {} costs {:.2} times what {} does",
                last.0,
                last.1 / first.1,
                first.0
            )
        }),
        Class::Logarithmic => {
            let doublings = (last.0 / first.0).log2();
            (last.1 > first.1 * (1.0 + LOGARITHMIC * doublings)).then(|| {
                format!(
                    "{name}: {} costs {:.2} times what {} does",
                    last.0,
                    last.1 / first.1,
                    first.0
                )
            })
        }
        Class::Linear => costs.windows(2).find_map(|step| {
            let (size, cost) = (step[1].0 / step[0].0, step[1].1 / step[0].1);
            (cost > size * LINEAR).then(|| {
                format!(
                    "{name}: from {} to {}, cost grows {cost:.2} times",
                    step[0].0, step[1].0
                )
            })
        }),
    }
}

fn file() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/benches/instructions/baseline.json"
    ))
}

fn compiler() -> String {
    let output = Command::new("rustc")
        .arg("-V")
        .output()
        .expect("rustc is there");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
