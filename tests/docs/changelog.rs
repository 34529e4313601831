//! A released section of the changelog stays as it was released: a new line belongs to the top.

use std::fs;

use keygate_tests::repository;
use sha2::{Digest as _, Sha256};

/// Each released version, and the SHA-256 of its section.
const RELEASED: [(&str, &str); 1] = [(
    "0.1.0",
    "cdcf7c1e2e38ea24ae10cad114087d582cda7c3ebd7076ea6e7d58d49722a6b4",
)];

/// The sections, newest first: the heading without `## `, and the text below it.
fn sections(text: &str) -> Vec<(&str, &str)> {
    let sections = text.split("\n## ").skip(1);
    sections.filter_map(|it| it.split_once('\n')).collect()
}

#[test]
fn new_lines_of_the_changelog_are_under_unreleased() {
    let text = fs::read_to_string(repository().join("CHANGELOG.md")).unwrap();
    let sections = sections(&text);
    assert_eq!(sections[0].0, "Unreleased");
    assert_eq!(sections.len(), RELEASED.len() + 1, "a version needs a row");
    for ((heading, text), (version, expected)) in sections[1..].iter().zip(RELEASED) {
        assert!(heading.starts_with(&format!("{version} (")), "{heading}");
        let hash = Sha256::digest(text.trim().as_bytes());
        let found: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            found, expected,
            "the section of {version} has changed: move new lines to \"Unreleased\", under \
             ### Added, ### Changed or ### Fixed; after a correction, write the first digest here"
        );
    }
}
