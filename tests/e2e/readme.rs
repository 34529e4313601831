//! Every command of the README, pasted into a shell, with what the README says comes back.

use std::fs;
use std::process::Command;

use keygate_tests::service::{ADMIN_TOKEN, APP_KEYS, EDGE_TOKEN, MEDIA};
use keygate_tests::{Stack, repository};

/// A fenced block, with the line at which it begins.
struct Block {
    line: usize,
    language: String,
    text: String,
}

#[test]
fn every_command_of_the_readme_prints_what_the_readme_says() {
    let stack = Stack::start();
    let directory = tempfile::tempdir().unwrap();
    let environment = directory.path().join("demo.env");
    let secrets = [
        ("KEYGATE_MEDIA", MEDIA),
        ("KEYGATE_APP_KEYS", APP_KEYS),
        ("KEYGATE_ADMIN_TOKEN", ADMIN_TOKEN),
        ("KEYGATE_EDGE_TOKEN", EDGE_TOKEN),
    ];
    let lines = secrets.map(|(name, value)| format!("{name}={value}\n"));
    fs::write(&environment, lines.concat()).unwrap();

    // The demo has other ports, other secrets and a release build.
    let program = keygate_tests::service::keygate();
    let here = |text: &str| {
        text.replace("target/release/keygate", &program.display().to_string())
            .replace(
                "127.0.0.1:10000",
                &format!("127.0.0.1:{}", stack.envoy.port()),
            )
            .replace(".run/demo.env", &environment.display().to_string())
    };
    let page = fs::read_to_string(repository().join("README.md")).unwrap();
    // The demo itself, and what runs this test.
    let mut blocks = blocks(&page);
    blocks.retain(|block| !block.text.starts_with("make "));
    let is_command = |block: &&Block| block.language == "sh";
    let pasted = blocks.iter().filter(is_command);
    let script: String = pasted
        .map(|it| format!("echo @@@@\n{}", here(&it.text)))
        .collect();
    let printed = run(&script, &stack);
    let mut printed = printed.split("@@@@\n");
    let mut last = "";
    let mut compared = 0;
    for block in &blocks {
        match block.language.as_str() {
            "sh" => last = printed.next().unwrap(),
            "text" => {
                let missing = missing(last, &block.text);
                assert_eq!(
                    missing, None,
                    "README.md:{}: printed was\n{last}",
                    block.line
                );
                compared += 1;
            }
            other => panic!("README.md:{}: a block of {other:?}", block.line),
        }
    }
    assert_eq!(compared, 5);
}

/// Pastes all of it into one shell, as a reader does.
fn run(script: &str, stack: &Stack) -> String {
    let output = Command::new("bash")
        .args(["-euc", script])
        .current_dir(repository())
        .env(
            "KEYGATE_SERVICE",
            format!("http://127.0.0.1:{}", stack.service().port()),
        )
        .output()
        .expect("bash is installed");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the commands of README.md: {told}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let (_, printed) = printed.split_once("@@@@\n").unwrap();
    printed.replace('\r', "")
}

/// The first part of a pattern that is not there in its order. `…` stands for any text.
fn missing(printed: &str, pattern: &str) -> Option<String> {
    let mut rest = printed;
    for part in pattern.trim_end().split('…') {
        let Some(at) = rest.find(part.trim_end_matches('\n')) else {
            return Some(part.to_owned());
        };
        rest = &rest[at..][part.trim_end_matches('\n').len()..];
    }
    None
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (index, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), is_open) {
            (Some(language), false) => {
                is_open = true;
                blocks.push(Block {
                    line: index + 1,
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), true) => is_open = false,
            (None, true) => blocks.last_mut().unwrap().text += &format!("{line}\n"),
            (None, false) => {}
        }
    }
    blocks
}

#[test]
fn a_pattern_is_matched_in_its_order() {
    let printed = "HTTP/1.1 200 OK\na: 1\nb: 2\n\n{\"id\":\"x\"}\n";
    assert_eq!(
        missing(printed, "HTTP/1.1 200 OK\n…\nb: 2\n…\n{\"id\":\"…\"}\n"),
        None
    );
    assert_eq!(
        missing(printed, "b: 2\n…\na: 1\n").as_deref(),
        Some("\na: 1")
    );
}
