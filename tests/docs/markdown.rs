//! As much of Markdown as these tests need: headings, prose and code, with their lines.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use keygate_tests::repository;

/// A page, by its path in the repository.
pub struct Page {
    pub path: PathBuf,
    text: String,
}

/// A fenced block.
pub struct Fence {
    /// The line of its mark.
    pub line: usize,
    /// The first word behind the mark.
    pub language: String,
    pub text: String,
}

/// What a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Prose,
    Fenced,
    /// Indented behind an empty line.
    Indented,
}

/// A line with its number, as editors count.
pub type Line<'a> = (usize, &'a str);

impl Page {
    pub fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }

    /// Every page of the repository.
    pub fn all() -> Vec<Self> {
        let mut paths = Vec::new();
        for place in [
            "",
            "docs",
            "docs/formats",
            "docs/guides",
            "signers",
            "signers/go",
            "signers/node",
            "signers/php",
            "signers/python",
            ".github",
            ".github/ISSUE_TEMPLATE",
        ] {
            let Ok(entries) = fs::read_dir(repository().join(place)) else {
                continue;
            };
            let names = entries.map(|entry| entry.unwrap().file_name());
            let names = names.filter_map(|name| name.into_string().ok());
            let pages = names.filter(|name| name.ends_with(".md"));
            paths.extend(pages.map(|name| Path::new(place).join(name)));
        }
        paths.sort();
        assert!(paths.len() > 30, "only {} pages were found", paths.len());
        let read = |path: PathBuf| Self {
            text: fs::read_to_string(repository().join(&path)).unwrap(),
            path,
        };
        paths.into_iter().map(read).collect()
    }

    /// Each line, and what it is.
    fn lines(&self) -> impl Iterator<Item = (Line<'_>, Kind)> {
        let mut fence = None;
        let mut is_code = false;
        let mut is_after_blank = true;
        self.text.lines().enumerate().map(move |(index, line)| {
            let start = line.trim_start();
            let was_fenced = fence.is_some();
            match fence {
                None if start.starts_with("```") => fence = Some("```"),
                Some(mark) if start == mark => fence = None,
                _ => {}
            }
            let is_indented = line.starts_with("    ") && !start.starts_with(['-', '|']);
            is_code = is_indented && (is_code || is_after_blank);
            is_after_blank = line.trim().is_empty();
            let kind = match was_fenced || fence.is_some() {
                true => Kind::Fenced,
                false if is_code => Kind::Indented,
                false => Kind::Prose,
            };
            ((index + 1, line), kind)
        })
    }

    /// The lines that are prose.
    pub fn prose(&self) -> impl Iterator<Item = Line<'_>> {
        let prose = self.lines().filter(|(_, kind)| *kind == Kind::Prose);
        prose.map(|(line, _)| line)
    }

    /// The lines that are code, without their indentation.
    pub fn code(&self) -> impl Iterator<Item = Line<'_>> {
        let code = self.lines().filter(|(_, kind)| *kind != Kind::Prose);
        code.map(|((number, line), _)| (number, line.trim_start()))
    }

    /// The lines of indented blocks, without their indentation.
    pub fn indented(&self) -> impl Iterator<Item = Line<'_>> {
        let code = self.lines().filter(|(_, kind)| *kind == Kind::Indented);
        code.map(|((number, line), _)| (number, line.trim_start()))
    }

    /// The fenced blocks.
    pub fn fences(&self) -> Vec<Fence> {
        let mut fences: Vec<Fence> = Vec::new();
        let mut is_open = false;
        for (index, line) in self.text.lines().enumerate() {
            match line.trim_start().strip_prefix("```") {
                Some(info) => {
                    is_open = !is_open;
                    if is_open {
                        fences.push(Fence {
                            line: index + 1,
                            language: info.split(' ').next().unwrap_or_default().to_owned(),
                            text: String::new(),
                        });
                    }
                }
                None => {
                    if let Some(open) = fences.last_mut().filter(|_| is_open) {
                        open.text += &format!("{line}\n");
                    }
                }
            }
        }
        fences
    }

    /// The anchors of the headings, as GitHub makes them.
    pub fn anchors(&self) -> Vec<String> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let headings = self.prose().filter_map(|(_, line)| {
            let text = line.trim_start_matches('#');
            let level = line.len() - text.len();
            (1..=6).contains(&level).then(|| text.strip_prefix(' '))?
        });
        let slugs = headings.map(slug).map(|slug| {
            let before = seen.entry(slug.clone()).or_default();
            *before += 1;
            match *before {
                1 => slug,
                count => format!("{slug}-{}", count - 1),
            }
        });
        slugs.collect()
    }
}

/// The anchor of a heading: letters, digits, `-` and `_` stay, a blank becomes `-`.
pub fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        _ if letter.is_alphanumeric() => Some(letter.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

#[test]
fn an_anchor_is_the_heading_in_lower_case_without_punctuation() {
    let page = Page::new(
        "x.md",
        "# A `b_c`: D-e, f\n\n    # no heading\n```\n# nor this\n```\n## Twice\n## Twice\n",
    );
    assert_eq!(page.anchors(), ["a-b_c-d-e-f", "twice", "twice-1"]);
}
