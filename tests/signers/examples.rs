//! The examples of the pages of signers/, each with a copied file and with the installed package.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::UNIX_EPOCH;

use keygate_tests::{repository, service};

const SECRET: &str = "a secret for the examples of the page, long enough";

/// A language with an example on a page below `signers/`.
pub struct Example {
    pub fence: &'static str,
    pub page: &'static str,
    /// The file that a user copies, below `signers/`.
    pub copied: &'static str,
    /// Texts of example and file, and what stands there if the file is copied.
    changes: &'static [(&'static str, &'static str)],
    /// The name of the program, and what is around LINES in it: it prints its two links.
    file: &'static str,
    program: &'static str,
    /// Runs the program with a copied file next to it.
    command: &'static [&'static str],
}

pub const PHP: Example = Example {
    fence: "php",
    page: "php/README.md",
    copied: "php/keygate_sign.php",
    changes: &[("vendor/autoload.php", "keygate_sign.php")],
    file: "link.php",
    program: "<?php\nLINES\necho implode(\"\\n\", $urls);",
    command: &["php", "link.php"],
};

pub const PYTHON: Example = Example {
    fence: "python",
    page: "python/README.md",
    copied: "python/keygate_sign/keygate_sign.py",
    changes: &[],
    file: "link.py",
    program: "LINES",
    command: &["python3", "link.py"],
};

pub const JAVASCRIPT: Example = Example {
    fence: "js",
    page: "node/README.md",
    copied: "node/keygate-sign.mjs",
    changes: &[("\"keygate-sign\"", "\"./keygate-sign.mjs\"")],
    file: "link.mjs",
    program: "LINES\nconsole.log(url);\nconsole.log(other);",
    command: &["node", "link.mjs"],
};

pub const GO: Example = Example {
    fence: "go",
    page: "go/README.md",
    copied: "go/keygate_sign.go",
    changes: &[
        ("package keygate", "package main"),
        ("import keygate \"example.com/keygate/signers/go\"\n", ""),
        ("keygate.", ""),
    ],
    file: "link.go",
    program: "package main\nimport (\"fmt\"; \"os\"; \"time\")\n\
              import keygate \"example.com/keygate/signers/go\"\nfunc main() {\nLINES\n\
              fmt.Println(url); fmt.Println(other); if err != nil { panic(err) } }",
    command: &["go", "run", "link.go", "keygate_sign.go"],
};

pub const SHELL: Example = Example {
    fence: "sh",
    page: "README.md",
    copied: "keygate-sign.sh",
    changes: &[],
    file: "link.sh",
    program: "LINES",
    command: &["bash", "-eu", "link.sh"],
};

impl Example {
    /// Writes the example as a program for the installed package. Returns the name of the file.
    pub fn write(&self, folder: &Path) -> &'static str {
        let lines = lines(self.page, self.fence);
        let lines = match self.fence {
            "php" => lines.replace("$url = ", "$urls[] = "),
            "python" => printing(&lines),
            _ => lines,
        };
        let program = self.program.replace("LINES", &lines);
        fs::write(folder.join(self.file), program).unwrap();
        self.file
    }

    /// Writes the example and a copy of the one file beside it.
    fn write_with_copy(&self, folder: &Path) {
        self.write(folder);
        let source = repository().join("signers").join(self.copied);
        let copy = folder.join(source.file_name().unwrap());
        fs::copy(source, &copy).unwrap();
        for file in [folder.join(self.file), copy] {
            let mut text = fs::read_to_string(&file).unwrap();
            for (from, to) in self.changes {
                text = text.replace(from, to);
            }
            // Not by `fs::copy` again: a script keeps its rights.
            fs::write(file, text).unwrap();
        }
    }
}

#[test]
fn every_example_makes_links_that_verify_with_a_copied_file() {
    for example in [PHP, PYTHON, JAVASCRIPT, GO, SHELL] {
        let dir = tempfile::tempdir().unwrap();
        example.write_with_copy(dir.path());
        assert_two_links_verify(&run(command(example.command), dir.path()));
    }
}

#[test]
fn the_command_of_the_readme_makes_a_link_that_verifies() {
    assert_command_verifies("README.md", &repository().join("signers"), &[]);
}

/// The lines for Rust are in the example, which the tests of the core run.
#[test]
fn the_lines_for_rust_are_those_of_the_example() {
    let example = fs::read_to_string(repository().join("crates/core/examples/sign.rs")).unwrap();
    let words = |text: &str| {
        text.split_whitespace()
            .collect::<String>()
            .replace(",)", ")")
    };
    let example = words(&example).replace(".map_err(|it|format!(\"{it:?}\"))", "");
    for line in lines("README.md", "rust").lines() {
        assert!(example.contains(&words(line)), "{line}");
    }
}

/// What an example printed: a link in each format.
#[track_caller]
pub fn assert_two_links_verify(printed: &str) {
    let links: Vec<&str> = printed.lines().collect();
    let [keygate, cloudflare] = links[..] else {
        panic!("not two links: {printed}");
    };
    assert_verifies(keygate, "keygate");
    assert_verifies(cloudflare, "cloudflare");
}

/// The command in the indented block of a page, run in this folder with these variables.
#[track_caller]
pub fn assert_command_verifies(page: &str, folder: &Path, variables: &[(&str, OsString)]) {
    let text = read(page);
    let (_, rest) = text.split_once("    echo '").unwrap();
    let line = rest.split("\n\n").next().unwrap();
    let line = format!("echo '{line}").replace('…', SECRET);
    // The link of the page has expired.
    let soon = UNIX_EPOCH.elapsed().unwrap().as_secs() + 600;
    let line = line.replace("1767225600", &soon.to_string());
    let mut command = command(&["bash", "-euo", "pipefail", "-c", &line]);
    command.envs(variables.iter().cloned());
    assert_verifies(run(command, folder).trim(), "keygate");
}

#[track_caller]
fn assert_verifies(link: &str, format: &str) {
    let mut verify = Command::new(service::keygate());
    verify.args(["verify", link, "--key-id", "k1", "--format", format]);
    let verdict = run(verify, Path::new("."));
    assert!(verdict.starts_with("valid"), "{link}: {verdict}");
}

pub fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// Runs a program with the secret of the pages. Returns what it has printed.
#[track_caller]
pub fn run(mut command: Command, folder: &Path) -> String {
    command.current_dir(folder);
    command
        .env("MEDIA_SECRET", SECRET)
        .env("KEYGATE_MEDIA", SECRET);
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: run scripts/interpreters"));
    let printed = [&output.stdout[..], &output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(output.status.success(), "{command:?}: {printed}");
    String::from_utf8(output.stdout).unwrap()
}

fn lines(page: &str, fence: &str) -> String {
    let text = read(page);
    let (_, rest) = text.split_once(&format!("```{fence}\n")).unwrap();
    rest.split("```").next().unwrap().to_owned()
}

fn read(page: &str) -> String {
    fs::read_to_string(repository().join("signers").join(page)).unwrap()
}

/// The lines of Python, with a `print` in place of each assignment of a link.
fn printing(lines: &str) -> String {
    let line = |line: &str| match line.strip_prefix("url = ") {
        Some(link) => format!("print({link})\n"),
        None => format!("{line}\n"),
    };
    lines.lines().map(line).collect()
}
