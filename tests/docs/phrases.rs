//! `scripts/phrases`, which `make lint` runs.

use std::process::Command;

use keygate_tests::repository;

/// Checks a file of this name, and returns whether it is good, and what was printed.
fn check_as(name: &str, text: &str) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    std::fs::write(&file, text).unwrap();
    let output = Command::new(repository().join("scripts/phrases"))
        .arg(&file)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    (output.status.success(), told)
}

#[test]
fn a_phrase_on_the_list_is_named_with_file_and_line() {
    let check = |text: &str| check_as("page.md", text);
    let (is_good, told) = check("# A page\n\nWhoever reads this, and a key that stands twice.\n");
    assert!(!is_good, "{told}");
    for phrase in ["Whoever", "stands twice"] {
        let place = format!("page.md:3: \"{phrase}\": ");
        assert!(told.contains(&place), "{told}");
    }
    // The name of a test may be quoted.
    let (is_good, told) = check("A client, and `nobody_sees_the_key`.\n");
    assert!(is_good, "{told}");
}

#[test]
fn a_phrase_is_found_across_a_line_break() {
    let (is_good, told) = check_as("page.md", "# A page\n\nA key that stands\ntwice.\n");
    assert!(
        !is_good && told.contains("page.md:3: \"stands twice\": "),
        "{told}"
    );
    // Two paragraphs are not one text.
    let (is_good, told) = check_as("page.md", "A key that stands\n\ntwice.\n");
    assert!(is_good, "{told}");
}

#[test]
fn comments_messages_and_test_names_of_rust_files_are_checked() {
    for (line, text) in [
        (
            2,
            "\n    /// A key that stands\n    /// twice is rejected.\n",
        ),
        (1, "//! What nobody\n//! signed.\n"),
        (1, "    fn whoever_has_a_key_passes() {}\n"),
        (1, "let message = \"the key is\\\n    told apart\";\n"),
        (2, "let message =\n    \"what does not go with a body\";\n"),
    ] {
        let (is_good, told) = check_as("code.rs", text);
        assert!(
            !is_good && told.contains(&format!("code.rs:{line}: ")),
            "{text}: {told}"
        );
    }
    // Neither identifiers nor single words of data are prose.
    let (is_good, told) = check_as("code.rs", "let nobody = find(\"nobody\");\n");
    assert!(is_good, "{told}");
}
