//! The commands that pages show exist. Those of `keygate` are run by the tests of the command
//! line, those of the README with a real Envoy by `tests/e2e/readme.rs`, and the others by the
//! test that is named here.

use std::fs;

use keygate_tests::repository;

use crate::markdown::Page;
use crate::snippets::read_sources;

/// A page, the first word of its lines in indented blocks, and the test that runs them.
const RUN: &[(&str, &str, &str)] = &[
    (
        "docs/cli.md",
        "cargo",
        "the_commands_that_renew_a_page_name_its_test",
    ),
    (
        "CONTRIBUTING.md",
        "cargo",
        "the_commands_that_renew_a_page_name_its_test",
    ),
    (
        "docs/configuration.md",
        "cargo",
        "the_commands_that_renew_a_page_name_its_test",
    ),
    (
        "docs/docker.md",
        "docker",
        "the_commands_of_the_readme_work_with_the_composition",
    ),
    (
        "docs/http-reference.md",
        "cargo",
        "the_commands_that_renew_a_page_name_its_test",
    ),
    (
        "docs/kubernetes.md",
        "helm",
        "the_commands_of_the_page_about_kubernetes_are_accepted",
    ),
    (
        "docs/kubernetes.md",
        "kubectl",
        "the_commands_of_the_page_about_kubernetes_are_accepted",
    ),
    (
        "docs/guides/apply.md",
        "curl",
        "the_counters_of_the_guide_show_what_simulate_would_reject",
    ),
    (
        "docs/http-api.md",
        "curl",
        "the_call_of_the_page_about_the_api_creates_a_key",
    ),
    (
        "docs/http-api.md",
        "openapi-python-client",
        "the_client_that_the_page_generates_manages_keys",
    ),
    (
        "docs/operations.md",
        "sudo",
        "the_package_leaves_nothing_behind_when_it_is_purged",
    ),
    (
        "docs/sessions.md",
        "openssl",
        "the_pair_of_keys_that_the_page_makes_is_accepted",
    ),
    (
        "docs/sessions.md",
        "tail",
        "the_pair_of_keys_that_the_page_makes_is_accepted",
    ),
    (
        "docs/sessions.md",
        "curl",
        "the_calls_of_a_user_with_a_session_do_what_the_page_says",
    ),
    (
        "docs/troubleshooting.md",
        "curl",
        "the_question_for_rejections_lists_them",
    ),
    (
        "signers/README.md",
        "echo",
        "the_command_of_the_readme_makes_a_link_that_verifies",
    ),
    (
        "signers/go/README.md",
        "echo",
        "the_go_module_builds_offline_and_signs",
    ),
    (
        "signers/node/README.md",
        "echo",
        "the_npm_package_installs_and_signs",
    ),
    (
        "signers/php/README.md",
        "echo",
        "the_composer_package_installs_and_signs",
    ),
    (
        "signers/python/README.md",
        "echo",
        "the_python_package_installs_and_signs_with_types",
    ),
];

/// The lines of indented blocks that look like a command and have neither a row nor a test of
/// their own, one line each.
fn untested(pages: &[Page]) -> Vec<String> {
    let mut found = Vec::new();
    for page in pages {
        for (number, line) in page.indented() {
            let mut words = line.split_whitespace().skip_while(|it| is_assignment(it));
            let word = words.next().unwrap_or_default();
            let is_there = |place: &str, it: &str| page.path.starts_with(place) && it == word;
            let is_known = ["keygate", "make"].contains(&word)
                || word.starts_with("scripts/")
                || RUN.iter().any(|row| is_there(row.0, row.1));
            if is_name(word) && !is_known {
                found.push(format!("{}:{number}: {line}", page.path.display()));
            }
        }
    }
    found
}

/// Whether a word may be the name of a program.
fn is_name(word: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || b"0123456789._-".contains(&byte);
    word.starts_with(|first: char| first.is_ascii_lowercase()) && word.bytes().all(fits)
}

#[test]
fn every_command_of_an_indented_block_is_run_by_a_test() {
    let untested = untested(&Page::all());
    assert!(
        untested.is_empty(),
        "write a test that runs these, and name it in tests/docs/commands.rs:\n{}",
        untested.join("\n")
    );
    let mut sources = String::new();
    read_sources(&repository().join("tests"), &mut sources);
    read_sources(&repository().join("signers"), &mut sources);
    for (page, word, test) in RUN {
        let is_there = sources.contains(&format!("fn {test}()"));
        assert!(is_there, "{page}: {word}: there is no test {test}");
    }
}

/// Not run: they write into the repository. Each names a test and what writes the page.
#[test]
fn the_commands_that_renew_a_page_name_its_test() {
    let mut count = 0;
    for page in Page::all() {
        for (number, line) in page.indented() {
            let words: Vec<&str> = line
                .split_whitespace()
                .skip_while(|it| is_assignment(it))
                .collect();
            let is_there = match words[..] {
                ["cargo", "test", "-p", package, "--test", binary, filter] => {
                    let module = filter.trim_end_matches("::");
                    let tests = match package.strip_prefix("keygate-").unwrap() {
                        "tests" => repository().join("tests"),
                        name => repository().join("crates").join(name).join("tests"),
                    };
                    [tests.join(binary), tests.clone()]
                        .iter()
                        .any(|folder| folder.join(format!("{module}.rs")).is_file())
                }
                ["cargo", "run", "-p", "keygate-cli", "--", "schema", ">", to] => {
                    repository().join(to).is_file()
                }
                ["cargo", ..] => false,
                _ => continue,
            };
            assert!(is_there, "{}:{number}: {line}", page.path.display());
            count += 1;
        }
    }
    assert!(count > 3, "only {count} commands were found");
}

#[test]
fn a_command_without_a_test_is_named_with_file_and_line() {
    let text = "# A\n\n    KEY=1 curl x\n      -d y\n    {\"json\":1}\n    keygate check x\n\n    kubectl get x\n";
    let page = Page::new("docs/new.md", text);
    let expected = [
        "docs/new.md:3: KEY=1 curl x",
        "docs/new.md:8: kubectl get x",
    ];
    assert_eq!(untested(&[page]), expected);
}

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
