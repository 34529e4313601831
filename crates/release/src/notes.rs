//! The section of one version in the changelog.

use crate::Result;

/// Such a section.
#[derive(Debug, PartialEq)]
pub struct Notes<'t> {
    version: &'t str,
    date: &'t str,
    body: &'t str,
}

impl<'t> Notes<'t> {
    /// Finds `## VERSION (YYYY-MM-DD)` and what is below it. A section that is missing, has no date or
    /// is empty is an error.
    pub fn find(changelog: &'t str, version: &'t str) -> Result<Self> {
        let sections = changelog.split("\n## ").skip(1);
        let mut sections = sections.map(|it| it.split_once('\n').unwrap_or((it, "")));
        let found = sections.find_map(|(heading, body)| {
            let rest = heading.strip_prefix(version)?;
            (rest.is_empty() || rest.starts_with(' ')).then_some((rest, body))
        });
        let (rest, body) = found.ok_or_else(|| {
            format!("the changelog has no section {version}: move the lines of Unreleased to one")
        })?;
        let date = rest.trim().strip_prefix('(');
        let date = date.and_then(|it| it.strip_suffix(')'));
        let date = date.filter(|date| is_date(date)).ok_or_else(|| {
            format!(
                "the heading of {version} in the changelog needs a date: ## {version} (YYYY-MM-DD)"
            )
        })?;
        // Headings alone say nothing.
        let is_said = |line: &str| !line.trim().is_empty() && !line.starts_with('#');
        if !body.lines().any(is_said) {
            return Err(format!("the section {version} of the changelog is empty").into());
        }
        Ok(Self {
            version,
            date,
            body: body.trim(),
        })
    }

    /// The notes as a page.
    pub fn text(&self) -> String {
        let Self {
            version,
            date,
            body,
        } = self;
        format!("# Keygate {version} ({date})\n\n{body}\n")
    }

    /// The date as the changelog has it, with a line end.
    pub fn date(&self) -> String {
        format!("{}\n", self.date)
    }
}

/// Whether a text has the form `2026-11-30`.
fn is_date(text: &str) -> bool {
    let fits = |(index, byte): (usize, u8)| match index {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 10 && text.bytes().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGELOG: &str = "# Changelog\n\n## Unreleased\n\n- later\n\n## 0.1.1 (2027-01-02)\n\n\
        ### Fixed\n\n- a bug\n\n## 0.1.0 (2026-11-30)\n\n### Added\n\n## 0.0.9\n\n- old\n";

    #[test]
    fn the_notes_are_the_section_of_the_version() {
        let notes = Notes::find(CHANGELOG, "0.1.1").unwrap();
        let text = "# Keygate 0.1.1 (2027-01-02)\n\n### Fixed\n\n- a bug\n";
        assert_eq!(notes.text(), text);
        assert_eq!(notes.date(), "2027-01-02\n");
    }

    #[test]
    fn a_missing_an_empty_and_an_undated_section_are_errors() {
        for (version, told) in [
            ("0.2.0", "no section 0.2.0"),
            ("0.1", "no section 0.1:"),
            ("0.1.0", "the section 0.1.0 of the changelog is empty"),
            ("0.0.9", "needs a date: ## 0.0.9 (YYYY-MM-DD)"),
        ] {
            let error = Notes::find(CHANGELOG, version).unwrap_err().to_string();
            assert!(error.contains(told), "{version}: {error}");
        }
    }
}
