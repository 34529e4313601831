//! The outcome, for people and for programs.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::Row;
use crate::load::oracle::SLACK;
use crate::load::seconds;

/// The head of the table.
pub fn print_head() {
    println!(
        "Every bound is extended by {} s, for a busy machine. These must be 0: wrongly passed, \
         wrongly rejected (beyond the bound), unanswered (hung or closed).\n",
        SLACK.as_secs()
    );
    println!(
        "{:>7} {:>7} {:>8} {:>10} {:>8} {:>9} {:>8} {:>8}  fault",
        "sent", "passed", "rejected", "unanswered", "rejected", "recovered", "revoked", "slowest"
    );
    println!(
        "{:>7} {:>7} {:>8} {:>10} {:>8} {:>9} {:>8} {:>8}",
        "", "wrongly", "wrongly", "", "in bound", "after", "after", "answer"
    );
}

/// One fault.
pub fn print_row(row: &Row) {
    let tally = &row.tally;
    let mut text = format!(
        "{:>7} {:>7} {:>8} {:>10} {:>8} {:>7} s {:>6} s {:>6} s  {}\n",
        tally.sent,
        tally.wrongly_passed,
        tally.wrongly_rejected,
        tally.unanswered,
        tally.excused,
        seconds(row.recovered),
        seconds(tally.slowest_revocation),
        seconds(tally.slowest_answer),
        row.fault
    );
    text.push_str(&format!("{:>74}({})\n", "", row.bound));
    for wrong in tally.examples.iter().chain(&row.problems) {
        text.push_str(&format!("{:>69} !!! {wrong}\n", ""));
    }
    // In one piece: the short form prints from two threads.
    print!("{text}");
}

/// All of it.
#[must_use]
pub fn json(rows: &[Row], form: &str) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let mut value = row.tally.json();
            value["fault"] = json!(row.fault);
            value["bound"] = json!(row.bound);
            value["recovered_seconds"] = json!(seconds(row.recovered));
            value["problems"] = json!(row.problems);
            value["good"] = json!(row.is_good());
            value
        })
        .collect();
    json!({
        "form": form,
        "date": output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]),
        "machine": machine(),
        "slack_seconds": SLACK.as_secs(),
        "faults": rows,
    })
}

/// Processors, memory and kernel, on one line.
#[must_use]
pub fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory
        .split_whitespace()
        .nth(1)
        .and_then(|it| it.parse::<u64>().ok());
    let gigabytes = kilobytes.unwrap_or(0) / 1_000_000;
    let kernel = output("uname", &["-sr"]);
    format!("{processors} processors, {gigabytes} GB, {kernel}")
}

/// Writes it where `make` keeps what it makes.
///
/// # Panics
/// When that cannot be written.
pub fn write(path: &Path, value: &Value) {
    std::fs::write(path, format!("{value:#}\n"))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    println!("\n{}", path.display());
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned());
    text.unwrap_or_default()
}
