//! The figures as tables.

use std::fmt::Write as _;

use serde_json::Value;

use crate::report::{round, shown};

/// What each call is, for a reader.
const CALLS: [(&str, &str); 8] = [
    ("poll_0", "poll that is held, and ends without a change"),
    ("poll_1", "poll with 1 change"),
    ("poll_100", "poll with 100 changes"),
    ("poll_1000", "poll with 1,000 changes, the most"),
    ("lookup_1", "lookup of 1 key"),
    ("lookup_100", "lookup of 100 keys, the most"),
    ("create", "creation"),
    ("revoke", "revocation"),
];

/// A figure in the JSON by its pointer, divided by a unit.
pub fn middle(json: &Value, pointer: &str, unit: f64) -> f64 {
    let found = json.pointer(pointer).and_then(|it| it["middle"].as_f64());
    found.unwrap_or_else(|| panic!("no figure at {pointer}")) / unit
}

/// What was measured.
pub fn measured(json: &Value) -> String {
    let scale = &json["scale"];
    let mut out = format!(
        "Median and quartiles of {} rounds of 100 calls for the service, of {} windows of 10 s for \
         the polls of an Envoy, of three starts for memory, connections and limits.\n\n",
        json["rounds"],
        json["rounds"].as_u64().unwrap_or(0).div_ceil(3)
    );
    calls(scale, &mut out);
    let fleet = |name: &str, unit| shown(scale, &format!("/fleet/{name}"), unit);
    let memory = |name: &str, unit| shown(scale, &format!("/edge/memory/{name}"), unit);
    let _ = write!(
        out,
        "\n| 1,000 edges at one service | |\n| --- | ---: |\n\
         | memory of the service for each held poll and its connection | {} KB |\n\
         | one change, for all 1,000 that are held: CPU of the service | {} ms |\n\
         | … until the last has its answer | {} ms |\n\
         | 1,000 polls with 100 changes each, at once: CPU of the service | {} ms |\n\
         | … until the last has its answer | {} ms |\n\
         | polls held, of 1,100 | {} |\n\
         | connections served, of 1,100, by a process that may open 1,024 files | {} |\n",
        fleet("bytes_per_held_poll", 1e3),
        fleet("news/cpu_ms", 1.0),
        fleet("news/took_ms", 1.0),
        fleet("busy_second/cpu_ms", 1.0),
        fleet("busy_second/took_ms", 1.0),
        fleet("held_at_most", 1.0),
        fleet("served_with_1024_files", 1.0),
    );
    out += "\n| one Envoy, 16 workers | polls/s | bytes asked, each poll | bytes answered, each poll | CPU of the Envoy | CPU of the service, revocations included |\n\
            | --- | ---: | ---: | ---: | ---: | ---: |\n";
    for (at, it) in scale["edge"]["polls"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let of = |name: &str| shown(scale, &format!("/edge/polls/{at}/{name}"), 1.0);
        let _ = writeln!(
            out,
            "| {} revocations/s | {} | {} | {} | {} ms/s | {} ms/s |",
            it["revocations_per_second"],
            of("polls_per_second"),
            of("bytes_asked_per_poll"),
            of("bytes_answered_per_poll"),
            of("envoy_cpu_ms_per_second"),
            of("service_cpu_ms_per_second"),
        );
    }
    let _ = write!(
        out,
        "\n| the same Envoy | |\n| --- | ---: |\n\
         | connections to the service when all workers have asked | {} |\n\
         | memory of its own with 16 workers, nothing cached | {} MB |\n\
         | each further worker, nothing cached | {} MB |\n\
         | memory of a virtual machine, nothing cached | {} MB |\n\
         | … and for each cached key (50,000 of them) | {} bytes |\n\
         | memory of the process for each cached key | {} bytes |\n\
         | keys that one lookup asks for, 32 clients waiting | {} |\n\
         | bytes asked and answered, each such key | {} and {} |\n\
         | CPU of the service, each such key | {} µs |\n",
        memory("connections", 1.0),
        memory("rss_of_16_workers", 1e6),
        memory("bytes_per_further_worker", 1e6),
        memory("empty_vm", 1e6),
        memory("vm_bytes_per_key", 1.0),
        memory("rss_bytes_per_key", 1.0),
        memory("keys_per_lookup", 1.0),
        memory("bytes_asked_per_key", 1.0),
        memory("bytes_answered_per_key", 1.0),
        memory("service_cpu_us_per_key", 1.0),
    );
    replicas(scale, &mut out);
    out
}

fn replicas(scale: &Value, out: &mut String) {
    let replicas = |name: &str| shown(scale, &format!("/replicas/{name}"), 1.0);
    let keys = round(scale["replicas"]["keys"].as_f64().unwrap_or(0.0));
    let _ = write!(
        out,
        "\n| one of two services on one PostgreSQL, {keys} keys | CPU of the service | CPU of PostgreSQL | until the answer |\n\
         | --- | ---: | ---: | ---: |\n"
    );
    for (name, title) in CALLS {
        let of = |what: &str| replicas(&format!("calls/{name}/{what}"));
        let (cpu, database, took) = (of("cpu_us"), of("database_cpu_us"), of("took_us"));
        let _ = writeln!(out, "| {title} | {cpu} µs | {database} µs | {took} µs |");
    }
    let _ = write!(
        out,
        "\n| both services | |\n| --- | ---: |\n\
         | keys that one client creates | {}/s |\n\
         | keys that 64 clients create at once | {}/s |\n",
        replicas("creations_of_1_per_second"),
        replicas("creations_of_64_per_second"),
    );
}

fn calls(scale: &Value, out: &mut String) {
    let sizes = scale["sizes"].as_array().map_or(&[][..], Vec::as_slice);
    *out += "| keys in the database |";
    for it in sizes {
        let _ = write!(out, " {} |", round(it["keys"].as_f64().unwrap_or(0.0)));
    }
    *out += "\n| --- |";
    *out += &" ---: |".repeat(sizes.len());
    let mut row = |title: &str, cell: &dyn Fn(usize, &Value) -> String| {
        let cells: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(at, it)| cell(at, it))
            .collect();
        let _ = write!(out, "\n| {title} | {} |", cells.join(" | "));
    };
    let number = |it: &Value, name: &str| it[name].as_f64().unwrap_or(0.0);
    row("file, once", &|_, it| {
        let bytes = number(it, "file_bytes");
        format!(
            "{} MB: {} bytes each",
            round(bytes / 1e6),
            round(bytes / number(it, "keys"))
        )
    });
    row(
        "memory of the service, begun and after these calls, once",
        &|_, it| {
            let [begun, used] = ["memory_begun", "memory_used"].map(|name| number(it, name) / 1e6);
            format!("{} and {} MB", round(begun), round(used))
        },
    );
    for (name, title) in CALLS {
        row(&format!("{title}: CPU"), &|at, _| {
            shown(scale, &format!("/sizes/{at}/calls/{name}/cpu_us"), 1.0) + " µs"
        });
    }
    for (name, title) in CALLS
        .into_iter()
        .filter(|(name, _)| ["create", "revoke"].contains(name))
    {
        row(&format!("{title}: until the answer"), &|at, _| {
            shown(scale, &format!("/sizes/{at}/calls/{name}/took_us"), 1e3) + " ms"
        });
    }
    *out += "\n";
}
