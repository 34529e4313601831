//! `scripts/phrases`, which `make lint` runs.

use std::process::Command;

use keygate_tests::repository;

#[test]
fn a_phrase_on_the_list_is_named_with_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("page.md");
    let check = |text: &str| {
        std::fs::write(&page, text).unwrap();
        let output = Command::new(repository().join("scripts/phrases"))
            .arg(&page)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), told)
    };
    let (is_good, told) = check("# A page\n\nWhoever reads this, and a key that stands twice.\n");
    assert!(!is_good, "{told}");
    for phrase in ["Whoever", "stands twice"] {
        let place = format!("page.md:3: \"{phrase}\": ");
        assert!(told.contains(&place), "{told}");
    }
    // The name of a test is none of its business.
    let (is_good, told) = check("A client, and `nobody_sees_the_key`.\n");
    assert!(is_good, "{told}");
}
