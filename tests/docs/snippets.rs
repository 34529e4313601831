//! Every fenced block of a page is run by a test, and those of the formats by one here.

use std::fs;
use std::path::Path;

use keygate_core::Policy;
use keygate_tests::repository;
use serde_json::{Value, json};

use crate::markdown::{Fence, Page};

/// Languages of what a program prints.
const OUTPUT: [&str; 1] = ["text"];

/// A page or a folder, a language, how many blocks its test runs (all, if it does not choose
/// them), and the tests.
const RUN: &[(&str, &str, Option<usize>, &[&str])] = &[
    (
        "README.md",
        "sh",
        None,
        &[
            "every_command_of_the_readme_prints_what_the_readme_says",
            "the_readme_leads_from_the_archive_to_the_first_answers_in_five_minutes",
        ],
    ),
    (
        "docs/envoy.md",
        "yaml",
        Some(2),
        &[
            "the_cors_of_the_page_answers_a_preflight",
            "the_object_store_of_the_page_is_loaded_by_envoy",
        ],
    ),
    (
        "docs/postgresql.md",
        "yaml",
        None,
        &["a_killed_service_rejects_no_request_and_a_revocation_at_the_other_is_heard"],
    ),
    (
        "docs/five-minutes.md",
        "sh",
        None,
        &["the_commands_of_five_minutes_print_what_the_page_says"],
    ),
    (
        "docs/formats",
        "json",
        None,
        &["every_provider_of_the_pages_about_formats_is_valid"],
    ),
    (
        "docs/formats/s3.md",
        "python",
        Some(1),
        &["the_line_for_boto3_asks_for_signature_version_4"],
    ),
    (
        "docs/http-api.md",
        "json",
        Some(5),
        &[
            "the_objects_of_the_page_have_the_members_that_the_service_sends",
            "the_revocation_of_the_page_revokes_what_it_counts",
        ],
    ),
    (
        "docs/guides",
        "json requests",
        None,
        &["every_policy_of_a_guide_decides_as_the_guide_says"],
    ),
    (
        "docs/guides",
        "sh",
        None,
        &["every_command_of_a_guide_prints_what_the_guide_says"],
    ),
    (
        "docs/hook.md",
        "json",
        Some(3),
        &["the_call_and_the_answers_of_the_page_are_those_of_the_service"],
    ),
    (
        "docs/leaks.md",
        "json",
        Some(2),
        &["the_report_and_the_answer_of_the_page_are_those_of_the_service"],
    ),
    (
        "docs/operations.md",
        "sh",
        Some(1),
        &[
            "the_backup_of_a_running_service_has_every_key",
            "the_command_for_a_backup_copies_the_keys",
        ],
    ),
    (
        "docs/operations.md",
        "toml",
        Some(1),
        &["the_file_of_the_page_says_what_the_page_says"],
    ),
    (
        "docs/policy.md",
        "json",
        None,
        &["every_example_of_the_policy_page_is_valid"],
    ),
    (
        "docs/render.md",
        "yaml",
        Some(1),
        &["the_yaml_of_the_page_about_rendering_is_valid"],
    ),
    (
        "docs/policy.md",
        "requests",
        None,
        &["every_example_of_the_policy_page_is_valid"],
    ),
    (
        "docs/sessions.md",
        "json",
        Some(1),
        &["the_example_of_the_documentation_is_a_policy"],
    ),
    (
        "docs/signed-urls.md",
        "json",
        Some(1),
        &["every_provider_of_the_pages_about_formats_is_valid"],
    ),
    (
        "docs/signing.md",
        "sh",
        None,
        &["every_block_of_the_page_is_run"],
    ),
    (
        "docs/signing.md",
        "php python js",
        None,
        &["every_block_of_the_page_is_run"],
    ),
    (
        "docs/signing.md",
        "go ruby",
        None,
        &["every_block_of_the_page_is_run"],
    ),
    (
        "docs/signing.md",
        "java",
        None,
        &["every_block_of_the_page_is_run"],
    ),
    (
        "docs/webhooks.md",
        "json",
        Some(1),
        &["the_event_of_the_page_has_the_members_that_the_service_sends"],
    ),
    (
        "docs/webhooks.md",
        "python",
        Some(1),
        &["the_lines_of_the_page_verify_an_event"],
    ),
    (
        "signers",
        "php python js go sh rust",
        Some(1),
        &[
            "every_example_makes_links_that_verify_with_a_copied_file",
            "the_lines_for_rust_are_those_of_the_example",
        ],
    ),
];

/// The rows about a block.
fn rows<'r>(
    page: &'r Page,
    fence: &'r Fence,
) -> impl Iterator<
    Item = &'static (
        &'static str,
        &'static str,
        Option<usize>,
        &'static [&'static str],
    ),
> + 'r {
    RUN.iter().filter(|(place, languages, ..)| {
        page.path.starts_with(place) && languages.split(' ').any(|it| it == fence.language)
    })
}

/// What no test runs, one line each: `FILE:LINE: LANGUAGE`.
fn untested(pages: &[Page]) -> Vec<String> {
    let mut found = Vec::new();
    for page in pages {
        let fences = page.fences();
        for fence in &fences {
            let same = fences.iter().filter(|it| it.language == fence.language);
            let count = same.count();
            let is_run = rows(page, fence).any(|row| row.2.is_none_or(|chosen| chosen == count));
            if !is_run && !OUTPUT.contains(&fence.language.as_str()) {
                let place = page.path.display();
                found.push(format!("{place}:{}: {}", fence.line, fence.language));
            }
        }
    }
    found
}

#[test]
fn every_block_of_a_page_is_run_by_a_test() {
    let untested = untested(&Page::all());
    assert!(
        untested.is_empty(),
        "write a test that runs these, and name it in tests/docs/snippets.rs:\n{}",
        untested.join("\n")
    );
}

#[test]
fn a_block_without_a_test_is_named_with_file_and_line() {
    let text = "# A\n\n```text\nprinted\n```\n\n```sh\nrm x\n```\n\n  ```\n  no language\n  ```\n";
    let new = Page::new("docs/new.md", text);
    // One more than the test of the page runs.
    let toml = "```toml\na = 1\n```\n";
    let more = Page::new("docs/operations.md", &toml.repeat(2));
    assert_eq!(
        untested(&[new, more]),
        [
            "docs/new.md:7: sh",
            "docs/new.md:11: ",
            "docs/operations.md:1: toml",
            "docs/operations.md:4: toml",
        ]
    );
}

#[test]
fn every_test_that_runs_blocks_exists_and_each_row_has_a_block() {
    let mut sources = String::new();
    for place in [
        "tests",
        "crates/core/tests",
        "crates/service/tests",
        "crates/cli/src",
        "crates/cli/tests",
    ] {
        read_sources(&repository().join(place), &mut sources);
    }
    let pages = Page::all();
    for row in RUN {
        for test in row.3 {
            let is_there = sources.contains(&format!("fn {test}()"));
            assert!(is_there, "{}: there is no test {test}", row.0);
        }
        let is_of_row = |page: &Page| {
            let fences = page.fences();
            fences
                .iter()
                .any(|fence| rows(page, fence).any(|it| std::ptr::eq(it, row)))
        };
        assert!(pages.iter().any(is_of_row), "{} has no {}", row.0, row.1);
    }
}

pub fn read_sources(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, sources);
        } else if path.extension().is_some_and(|it| it == "rs") {
            sources.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// A whole policy around the part that a page shows: a provider, or rings and providers.
fn whole(part: &str) -> Value {
    let part = serde_json::from_str(part).or_else(|_| serde_json::from_str(&format!("{{{part}}}")));
    let mut policy: Value = part.expect("a page shows JSON");
    if policy.get("type").is_some() {
        policy = json!({ "providers": { "it": policy } });
    }
    let providers = policy["providers"].as_object().unwrap().clone();
    for provider in providers.values() {
        // A page may leave out the ring.
        let ring = provider["secrets"].as_str().unwrap();
        if policy["secrets"].get(ring).is_none() {
            let entry = match provider["algorithm"].as_str() {
                // RFC 8032 section 7.1, test 1.
                Some("ed25519") => {
                    json!({ "id": "1", "public_key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" })
                }
                _ => json!({ "id": "1", "env": "SECRET" }),
            };
            policy["secrets"][ring] = json!([entry]);
        }
    }
    let rings = policy["secrets"].as_object_mut().unwrap();
    for entry in rings.values_mut().filter_map(Value::as_array_mut).flatten() {
        let key = entry.get("public_key").and_then(Value::as_str);
        if key.is_some_and(|key| key.contains('…')) {
            entry["public_key"] = include_str!("../../crates/core/tests/keys/rsa2048.pub").into();
        }
    }
    let first = providers.keys().next().unwrap();
    let rules = json!([{ "name": "all", "match": { "path": "/**" }, "require": first }]);
    for (name, value) in [
        ("version", json!(1)),
        ("unmatched", json!("deny")),
        ("rules", rules),
    ] {
        let members = policy.as_object_mut().unwrap();
        members.entry(name).or_insert(value);
    }
    policy
}

#[test]
fn every_provider_of_the_pages_about_formats_is_valid() {
    let mut count = 0;
    for page in Page::all() {
        let is_about_formats =
            page.path.starts_with("docs/formats") || page.path.ends_with("docs/signed-urls.md");
        let fences = page.fences().into_iter();
        for fence in fences.filter(|it| is_about_formats && it.language == "json") {
            let policy = whole(&fence.text).to_string();
            // 32 bytes or more in every encoding.
            let environment = |_: &str| Some("30".repeat(32).into_bytes());
            let checked = Policy::parse(policy.as_bytes(), &environment);
            let place = page.path.display();
            assert_eq!(checked.err(), None, "{place}:{}: {policy}", fence.line);
            count += 1;
        }
    }
    assert!(count > 14, "only {count} blocks were found");
}

/// With modules of those names in place of the libraries.
#[test]
fn the_line_for_boto3_asks_for_signature_version_4() {
    let pages = Page::all();
    let page = pages
        .iter()
        .find(|it| it.path.ends_with("docs/formats/s3.md"));
    let fences = page.unwrap().fences();
    let lines = &fences
        .iter()
        .find(|it| it.language == "python")
        .unwrap()
        .text;
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    fs::create_dir(dir.path().join("botocore")).unwrap();
    write("botocore/__init__.py", "from . import config\n");
    write("botocore/config.py", "Config = dict\n");
    write(
        "boto3.py",
        "def client(service, *, region_name, config):\n    print(service, region_name, config)\n",
    );
    write("main.py", &format!("import boto3, botocore\n{lines}"));
    let output = std::process::Command::new("python3")
        .arg("main.py")
        .current_dir(dir.path())
        .output()
        .expect("python3 is installed");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = "s3 us-east-1 {'signature_version': 's3v4'}\n";
    assert_eq!(printed, expected, "{told}");
}
