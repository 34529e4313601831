//! Pages that list what the code has: each list is complete.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use keygate_core::Reason;
use keygate_tests::repository;

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

#[test]
fn every_reason_is_on_the_page_about_troubleshooting() {
    let page = read("docs/troubleshooting.md");
    let codes = Reason::ALL.iter().map(|reason| reason.code());
    let missing: Vec<_> = codes
        .filter(|code| !page.contains(&format!("`{code}`")))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/troubleshooting.md lacks {missing:?}"
    );
}

/// Each under the heading of every status that it has.
#[test]
fn every_reason_is_listed_under_each_of_its_statuses() {
    let (page, table) = (read("docs/troubleshooting.md"), read("docs/reasons.md"));
    let mut wrong = Vec::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let code = cells[0].trim_start_matches("| ");
        for status in ["400", "401", "403", "429", "503"] {
            let (_, section) = page.split_once(&format!("\n## {status}\n")).unwrap();
            let section = section.split("\n## ").next().unwrap();
            let mut rows = section.lines().filter(|line| line.starts_with("| `"));
            let is_listed = rows.any(|line| line.split(" | ").next().unwrap().contains(code));
            if is_listed != cells[1].contains(status) {
                wrong.push(format!("{code} and {status}"));
            }
        }
    }
    assert!(wrong.is_empty(), "docs/troubleshooting.md: {wrong:?}");
}

#[test]
fn every_metric_of_the_filter_is_on_the_page_about_metrics() {
    let mut names = BTreeSet::new();
    for place in ["crates/edge/src", "src", "src/host"] {
        for entry in fs::read_dir(repository().join(place)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "rs") {
                names.extend(metrics(&path));
            }
        }
    }
    assert!(names.len() > 15, "{names:?}");
    let page = read("docs/metrics.md");
    // A family has its last words as labels.
    let is_there = |name: &str| match name.strip_suffix('.') {
        Some(family) => page.contains(&match family.split_once('.') {
            Some((name, decision)) => format!("`{name}{{decision=\"{decision}\",reason="),
            None => format!("`{family}{{decision="),
        }),
        None => page.contains(&format!("`{}`", name.replace('.', "_"))),
    };
    names.retain(|name| !is_there(name));
    assert!(names.is_empty(), "docs/metrics.md lacks {names:?}");
}

/// The names between quotes, such as `keygate_poll.answered`; those of a family end with a dot.
fn metrics(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let quoted = code.flat_map(|line| line.split('"').skip(1).step_by(2));
    let is_name = |text: &&str| {
        let mut letters = text.bytes();
        text.starts_with("keygate_")
            && text.contains('.')
            && letters.all(|it| it.is_ascii_lowercase() || it == b'_' || it == b'.')
    };
    quoted.filter(is_name).map(str::to_owned).collect()
}
