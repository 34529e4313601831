//! The commands that pages show exist. Those of `keygate` are run by the tests of the command
//! line, those of the README with a real Envoy by `tests/e2e/readme.rs`.

use std::fs;

use keygate_tests::repository;

use crate::markdown::Page;

#[test]
fn every_make_target_and_script_that_a_page_shows_exists() {
    let makefile = fs::read_to_string(repository().join("Makefile")).unwrap();
    let is_target = |name: &str| {
        makefile
            .lines()
            .any(|line| line.starts_with(&format!("{name}:")))
    };
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in Page::all() {
        for (number, line) in page.code() {
            let words = line.split_whitespace();
            // Variables may stand in front of a command.
            let words: Vec<&str> = words.skip_while(|it| is_assignment(it)).collect();
            let is_there = match words[..] {
                ["make", target, ..] => is_target(target),
                [script, ..] if script.starts_with("scripts/") => {
                    repository().join(script).is_file()
                }
                _ => continue,
            };
            count += 1;
            if !is_there {
                wrong.push(format!("{}:{number}: {line}", page.path.display()));
            }
        }
        for (number, line) in page.prose() {
            for (_, code) in line
                .split('`')
                .enumerate()
                .filter(|(index, _)| index % 2 == 1)
            {
                if let Some(rest) = code.strip_prefix("make ") {
                    count += 1;
                    if !is_target(rest.split(' ').next().unwrap()) {
                        wrong.push(format!("{}:{number}: {code}", page.path.display()));
                    }
                }
            }
        }
    }
    assert!(count > 20, "only {count} commands were found");
    assert!(wrong.is_empty(), "no such command:\n{}", wrong.join("\n"));
}

fn is_assignment(word: &str) -> bool {
    let name = word.split('=').next().unwrap_or_default();
    name.len() < word.len()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}
