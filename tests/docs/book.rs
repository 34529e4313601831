//! The book: every page of docs/ is in it, and in what mdBook makes of it every link leads somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::links::{resolve, targets};
use crate::markdown::Page;

const SUMMARY: &str = "docs/SUMMARY.md";

#[test]
fn every_page_of_docs_is_in_the_summary_once() {
    let pages = Page::all();
    let summary = pages.iter().find(|page| page.path == Path::new(SUMMARY));
    let listed = targets(summary.unwrap()).into_iter();
    let listed: Vec<PathBuf> = listed
        .map(|(_, target)| resolve(Path::new(SUMMARY), &target))
        .collect();
    let once: BTreeSet<&PathBuf> = listed.iter().collect();
    assert_eq!(once.len(), listed.len(), "{SUMMARY} has a page twice");
    let of_docs = pages.iter().map(|page| &page.path);
    let of_docs = of_docs.filter(|path| path.starts_with("docs") && *path != Path::new(SUMMARY));
    let missing: Vec<_> = of_docs.filter(|path| !once.contains(path)).collect();
    assert!(missing.is_empty(), "{SUMMARY} lacks {missing:?}");
}

/// In the folder that `scripts/book` prints.
#[test]
fn every_link_of_the_built_book_leads_somewhere() {
    let Some(folder) = std::env::var_os("KEYGATE_BOOK") else {
        let missing = "KEYGATE_BOOK is not set: the links of the book are not checked (make book)";
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("!!! SKIPPED: {missing}");
        return;
    };
    let folder = PathBuf::from(folder);
    let mut files = Vec::new();
    collect(&folder, &mut files);
    let read = |path: &PathBuf| fs::read_to_string(path).unwrap();
    let is_page = |path: &&PathBuf| path.extension().is_some_and(|it| it == "html");
    let pages: BTreeMap<PathBuf, String> = files
        .iter()
        .filter(is_page)
        .map(|path| (path.strip_prefix(&folder).unwrap().to_owned(), read(path)))
        .collect();
    let chapters = Page::all();
    let chapters = chapters.iter().filter(|page| page.path.starts_with("docs"));
    assert!(pages.len() > chapters.count(), "only {} pages", pages.len());
    let exists = |path: &Path| folder.join(path).is_file();
    let broken = broken(&pages, exists);
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, files),
            false => files.push(path),
        }
    }
}

/// What is wrong, one line each: `FILE: TARGET: why`. A reader without a network has no script,
/// style, font or picture of another host.
fn broken(pages: &BTreeMap<PathBuf, String>, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let ids: BTreeMap<&Path, BTreeSet<&str>> = pages
        .iter()
        .map(|(path, text)| (path.as_path(), values(text, "id").collect()))
        .collect();
    let mut broken = Vec::new();
    for (path, text) in pages {
        let loaded = values(text, "src").map(|it| (it, true));
        let linked = values(text, "href").map(|it| (it, false));
        for (target, is_loaded) in loaded.chain(linked) {
            let why = if target.contains("://") {
                is_loaded.then_some("is loaded from another host")
            } else if target.starts_with("data:") || target.starts_with("mailto:") {
                None
            } else {
                let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
                let mut file = resolve(path, file.split('?').next().unwrap());
                if !exists(&file) {
                    file = file.join("index.html");
                }
                match ids.get(file.as_path()) {
                    _ if !exists(&file) => Some("there is no such file"),
                    Some(ids) if !anchor.is_empty() && !ids.contains(anchor) => {
                        Some("there is no such heading")
                    }
                    _ => None,
                }
            };
            broken.extend(why.map(|why| format!("{}: {target}: {why}", path.display())));
        }
    }
    broken
}

/// The values of an attribute. mdBook writes each between double quotes, and escapes those of text.
fn values<'t>(text: &'t str, attribute: &str) -> impl Iterator<Item = &'t str> {
    let start = format!(" {attribute}=\"");
    let places: Vec<usize> = text
        .match_indices(&start)
        .map(|(at, _)| at + start.len())
        .collect();
    places
        .into_iter()
        .filter_map(|at| text[at..].split('"').next())
}

#[test]
fn a_broken_link_of_the_book_is_named_with_its_page() {
    let page = |path: &str, text: &str| (PathBuf::from(path), text.to_owned());
    let pages = BTreeMap::from([
        page("index.html", "<h1 id=\"a\">A</h1> <a href=\"docs/b.html#b\">"),
        page(
            "docs/b.html",
            "<h1 id=\"b\">B</h1> <a href=\"../index.html#a\"> <a href=\"#c\"> <a href=\"..\">
             <a href=\"https://example.com\"> <img src=\"https://example.com/a.png\"> <img src=\"no.svg\">",
        ),
    ]);
    let exists = |path: &Path| pages.contains_key(path);
    assert_eq!(
        broken(&pages, exists),
        [
            "docs/b.html: https://example.com/a.png: is loaded from another host",
            "docs/b.html: no.svg: there is no such file",
            "docs/b.html: #c: there is no such heading",
        ]
    );
}
