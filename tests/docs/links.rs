//! Every link inside the repository leads somewhere, and every page is linked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use keygate_tests::repository;

use crate::markdown::Page;

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let broken = broken(&Page::all());
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn a_broken_link_is_named_with_file_and_line() {
    let pages = [
        Page::new("README.md", "# A\n[b](docs/b.md) [c](docs/b.md#c)\n"),
        Page::new(
            "docs/b.md",
            "# B\n\n[a](../README.md#a) [x](../none.md)\n\n[y](#gone) <img src=\"no.svg\">\n",
        ),
    ];
    assert_eq!(
        broken(&pages),
        [
            "README.md:2: docs/b.md#c: docs/b.md has no such heading",
            "docs/b.md:3: ../none.md: there is no such file",
            "docs/b.md:5: #gone: docs/b.md has no such heading",
            "docs/b.md:5: no.svg: there is no such file",
        ]
    );
}

#[test]
fn every_page_of_docs_can_be_reached_from_its_index() {
    let pages = Page::all();
    let index = PathBuf::from("docs/README.md");
    let mut reached = BTreeSet::from([index.clone()]);
    let mut next = vec![index];
    while let Some(path) = next.pop() {
        let page = pages.iter().find(|page| page.path == path);
        for (_, target) in page.into_iter().flat_map(targets) {
            let file = resolve(&path, target.split('#').next().unwrap());
            if file.extension().is_some_and(|it| it == "md") && reached.insert(file.clone()) {
                next.push(file);
            }
        }
    }
    let all = pages.iter().map(|page| &page.path);
    // The table of contents of the book, which is no page of it.
    let all = all.filter(|path| *path != Path::new("docs/SUMMARY.md"));
    let lost: Vec<_> = all
        .filter(|path| path.starts_with("docs") && !reached.contains(*path))
        .collect();
    assert!(lost.is_empty(), "docs/README.md does not lead to {lost:?}");
}

#[test]
fn each_common_goal_needs_at_most_three_pages() {
    let pages = Page::all();
    let index = pages
        .iter()
        .find(|page| page.path == Path::new("docs/README.md"));
    let rows: Vec<_> = index.unwrap().prose().collect();
    let start = rows
        .iter()
        .position(|(_, line)| *line == "## Five common goals");
    let rows = rows[start.unwrap() + 1..].iter();
    let rows = rows.take_while(|(_, line)| !line.starts_with("## "));
    let goals = rows.filter(|(_, line)| line.contains("]("));
    let counts: Vec<usize> = goals.map(|(_, line)| line.matches("](").count()).collect();
    assert_eq!(counts.len(), 5, "{counts:?}");
    assert!(counts.iter().all(|count| *count <= 3), "{counts:?}");
}

/// Comments and messages name pages, too: `docs/security.md`.
#[test]
fn every_page_that_a_source_file_names_exists() {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(repository())
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut gone = Vec::new();
    let mut named = 0;
    for path in listed.lines().filter(|path| !path.ends_with(".md")) {
        let Ok(text) = std::fs::read_to_string(repository().join(path)) else {
            continue;
        };
        for (index, line) in text.lines().enumerate() {
            for (at, _) in line.match_indices("docs/") {
                let rest = &line[at..];
                let is_name = |it: char| it.is_ascii_alphanumeric() || "/._-".contains(it);
                let end = rest.find(|it| !is_name(it)).unwrap_or(rest.len());
                let name = rest[..end].trim_end_matches('.');
                let is_own = !line[..at].ends_with(|it: char| it.is_ascii_alphanumeric());
                if is_own && name.ends_with(".md") {
                    named += 1;
                    let is_example = path.starts_with("tests/docs/");
                    if !is_example && !repository().join(name).is_file() {
                        gone.push(format!("{path}:{}: {name}", index + 1));
                    }
                }
            }
        }
    }
    assert!(named > 20, "only {named} names were found");
    assert!(
        gone.is_empty(),
        "these pages do not exist:\n{}",
        gone.join("\n")
    );
}

/// What is wrong, one line each: `FILE:LINE: TARGET: why`.
fn broken(pages: &[Page]) -> Vec<String> {
    let anchors: BTreeMap<&Path, Vec<String>> = pages
        .iter()
        .map(|page| (page.path.as_path(), page.anchors()))
        .collect();
    let mut broken = Vec::new();
    for page in pages {
        for (line, target) in targets(page) {
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = resolve(&page.path, file);
            let why = match anchors.get(path.as_path()) {
                Some(_) if anchor.is_empty() => continue,
                Some(anchors) if anchors.iter().any(|it| it == anchor) => continue,
                Some(_) => format!("{} has no such heading", path.display()),
                None if anchor.is_empty() && repository().join(&path).exists() => continue,
                None => "there is no such file".to_owned(),
            };
            broken.push(format!("{}:{line}: {target}: {why}", page.path.display()));
        }
    }
    broken
}

/// The links of a page into this repository, each with its line.
pub fn targets(page: &Page) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in page.prose() {
        let line = without_code(line);
        for (start, end) in [
            ("](", ')'),
            ("src=\"", '"'),
            ("srcset=\"", '"'),
            ("href=\"", '"'),
        ] {
            for (at, _) in line.match_indices(start) {
                let rest = &line[at + start.len()..];
                let target = rest.split(end).next().unwrap();
                if !target.contains("://") && !target.starts_with("mailto:") {
                    found.push((number, target.to_owned()));
                }
            }
        }
    }
    found
}

/// A line with blanks in place of what stands between back-ticks, unless a link is around it.
fn without_code(line: &str) -> String {
    let parts = line.split('`').enumerate();
    let kept = parts.map(|(index, part)| match index % 2 == 0 {
        true => part.to_owned(),
        false => " ".repeat(part.len()),
    });
    kept.collect::<Vec<_>>().join("`")
}

pub fn resolve(page: &Path, file: &str) -> PathBuf {
    if file.is_empty() {
        return page.to_owned();
    }
    let mut path = page.parent().unwrap().to_owned();
    for part in Path::new(file).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}
