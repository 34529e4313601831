//! The examples of signers/README.md, each run beside a copy of its file.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::UNIX_EPOCH;

use keygate_tests::{repository, service};

const SECRET: &str = "a secret for the examples of the page, long enough";

/// A language: its fence, and the program around its lines, of which each prints its links.
const LANGUAGES: [(&str, &str, &str, &[&str]); 5] = [
    (
        "php",
        "link.php",
        "<?php\nLINES\necho implode(\"\\n\", $urls);",
        &["php", "link.php"],
    ),
    ("python", "link.py", "LINES", &["python3", "link.py"]),
    (
        "js",
        "link.mjs",
        "LINES\nconsole.log(url);\nconsole.log(other);",
        &["node", "link.mjs"],
    ),
    (
        "go",
        "keygate_link.go",
        "package main\nimport (\"fmt\"; \"os\"; \"time\")\nfunc init() {\nLINES\n\
         fmt.Println(url); fmt.Println(other); if err != nil { panic(err) }; os.Exit(0) }",
        &["go", "run", "keygate_link.go", "keygate_sign.go"],
    ),
    ("sh", "link.sh", "LINES", &["bash", "-eu", "link.sh"]),
];

#[test]
fn every_example_of_the_readme_makes_links_that_verify() {
    let page = fs::read_to_string(repository().join("signers/README.md")).unwrap();
    for (fence, file, program, command) in LANGUAGES {
        let lines = lines(&page, fence);
        let lines = match fence {
            "php" => lines.replace("$url = ", "$urls[] = "),
            "python" => printing(&lines),
            _ => lines,
        };
        let dir = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(repository().join("signers")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
        }
        fs::write(dir.path().join(file), program.replace("LINES", &lines)).unwrap();
        let printed = run(command, dir.path());
        let links: Vec<&str> = printed.lines().collect();
        let [keygate, cloudflare] = links[..] else {
            panic!("{fence}: {printed}");
        };
        let verify = service::keygate().display().to_string();
        for (link, format) in [(keygate, "keygate"), (cloudflare, "cloudflare")] {
            let command = [
                &verify, "verify", link, "--key-id", "k1", "--format", format,
            ];
            let told = run(&command, dir.path());
            assert!(told.starts_with("valid"), "{fence}: {link}: {told}");
        }
    }
}

#[test]
fn the_command_of_the_readme_makes_a_link_that_verifies() {
    let folder = repository().join("signers");
    let page = fs::read_to_string(folder.join("README.md")).unwrap();
    let (_, rest) = page.split_once("    echo '").unwrap();
    let command = rest.split("\n\n").next().unwrap();
    let command = format!("echo '{command}").replace('…', SECRET);
    // The link of the page has expired.
    let soon = UNIX_EPOCH.elapsed().unwrap().as_secs() + 600;
    let command = command.replace("1767225600", &soon.to_string());
    let link = run(&["bash", "-euo", "pipefail", "-c", &command], &folder);
    let keygate = service::keygate().display().to_string();
    let told = run(
        &[&keygate, "verify", link.trim(), "--key-id", "k1"],
        &folder,
    );
    assert!(told.starts_with("valid"), "{link}: {told}");
}

/// The lines for Rust are in the example, which the tests of the core run.
#[test]
fn the_lines_for_rust_are_those_of_the_example() {
    let page = fs::read_to_string(repository().join("signers/README.md")).unwrap();
    let example = fs::read_to_string(repository().join("crates/core/examples/sign.rs")).unwrap();
    let words = |text: &str| {
        text.split_whitespace()
            .collect::<String>()
            .replace(",)", ")")
    };
    let example = words(&example).replace(".map_err(|it|format!(\"{it:?}\"))", "");
    for line in lines(&page, "rust").lines() {
        assert!(example.contains(&words(line)), "{line}");
    }
}

fn lines(page: &str, fence: &str) -> String {
    let (_, rest) = page.split_once(&format!("```{fence}\n")).unwrap();
    rest.split("```").next().unwrap().to_owned()
}

/// The lines of Python, with a `print` in place of each assignment of a link.
fn printing(lines: &str) -> String {
    let line = |line: &str| match line.strip_prefix("url = ") {
        Some(link) => format!("print({link})\n"),
        None => format!("{line}\n"),
    };
    lines.lines().map(line).collect()
}

fn run(command: &[&str], dir: &Path) -> String {
    let output = Command::new(command[0])
        .args(&command[1..])
        .current_dir(dir)
        .env("MEDIA_SECRET", SECRET)
        .env("KEYGATE_MEDIA", SECRET)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}: run scripts/interpreters", command[0]));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}
