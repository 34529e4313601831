//! Every format of signed URLs has known answers, which are a fuzz target, too, and a page,
//! all under its one name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use keygate_core::config::{FORMATS, GROUPS};
use keygate_testkit::vectors;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What is missing of a list that must name every format and nothing else.
fn differences<'a>(found: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let formats: BTreeSet<&str> = FORMATS.iter().copied().collect();
    let found: BTreeSet<&str> = found.into_iter().collect();
    formats.symmetric_difference(&found).copied().collect()
}

#[test]
fn every_format_has_a_row_of_known_answers() {
    assert_eq!(differences(vectors::formats()), [""; 0]);
}

#[test]
fn every_format_has_vectors() {
    let mut names = BTreeSet::new();
    for text in vectors::KNOWN {
        let known: serde_json::Value = serde_json::from_str(text).unwrap();
        for vector in known["vectors"].as_array().unwrap() {
            names.extend(vectors::format_of(vector).map(str::to_owned));
        }
    }
    assert_eq!(differences(names.iter().map(String::as_str)), [""; 0]);
}

#[test]
fn every_format_has_a_page_that_the_table_of_formats_links() {
    let table = fs::read_to_string(root().join("docs/signed-urls.md")).unwrap();
    for format in FORMATS {
        let row = format!("| [`{format}`](");
        assert_eq!(
            table.matches(&row).count(),
            1,
            "{format}: no row, or several"
        );
        let link = table.split(&row).nth(1).unwrap().split(')').next().unwrap();
        let page = root().join("docs").join(link.split('#').next().unwrap());
        assert!(
            page.is_file() || link.starts_with('#'),
            "{format}: {link} is not there"
        );
    }
}

#[test]
fn the_table_of_groups_has_every_format_in_its_group() {
    let page = fs::read_to_string(root().join("docs/signed-urls.md")).unwrap();
    let table = page
        .split_once("| group | formats |\n| --- | --- |\n")
        .unwrap()
        .1;
    let rows = table
        .lines()
        .map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let documented: BTreeSet<(&str, &str)> = rows
        .filter_map(|row| row.split_once(" | "))
        .flat_map(|(group, formats)| {
            let formats = formats.split(", ");
            formats.map(move |format| (group.trim_matches('`'), format))
        })
        .collect();
    let built: BTreeSet<(&str, &str)> = GROUPS.iter().copied().collect();
    assert_eq!(documented, built);
}

#[test]
fn every_format_is_in_the_schema() {
    let schema = fs::read_to_string(root().join("docs/policy.schema.json")).unwrap();
    for format in FORMATS {
        let name = format!("\"const\": \"{format}\"");
        assert!(
            schema.contains(&name),
            "{format}: not in docs/policy.schema.json"
        );
    }
}
