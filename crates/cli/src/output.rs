//! Standard output: lines, of which a write may fail, and tables.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};

use keygate_service::shown::escaped;
use serde::Deserialize;
use serde_json::value::RawValue;
use unicode_width::UnicodeWidthStr as _;

use crate::error::CliError;

/// Prints a line. A reader that closes the pipe early (`keygate keys list | head`) is not an
/// error.
pub fn line(text: &str) -> Result<(), CliError> {
    match write(text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CliError::Usage(format!("cannot write the output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a line, flushed.
pub fn write(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// A key, a token or an edge as the service shows it: its members by name, still unread.
#[derive(Deserialize)]
pub struct Object(BTreeMap<String, Box<RawValue>>);

impl Object {
    /// A member as text, and a list with spaces between; `None` if it is absent or `null`.
    pub fn text(&self, name: &str) -> Option<String> {
        let json = self.0.get(name)?.get();
        match serde_json::from_str(json) {
            Ok(Member::Text(text)) => Some(text),
            Ok(Member::List(texts)) => Some(texts.join(" ")),
            Ok(Member::Null) => None,
            Err(_) => Some(json.to_owned()),
        }
    }
}

/// What can be shown otherwise than as JSON.
#[derive(Deserialize)]
#[serde(untagged)]
enum Member {
    Null,
    Text(String),
    List(Vec<String>),
}

/// A table of objects. A column has a head and the member that it shows.
pub fn objects<const N: usize>(columns: &[(&str, &str); N], objects: &[Object]) -> String {
    let cell = |object: &Object, member| object.text(member).unwrap_or_else(|| "-".to_owned());
    let row = |object| columns.map(|(_, member)| cell(object, member)).to_vec();
    let head = columns.map(|(head, _)| head.to_owned()).to_vec();
    let rows: Vec<_> = std::iter::once(head)
        .chain(objects.iter().map(row))
        .collect();
    table(&rows)
}

/// Columns as wide as their longest cell; the last is not padded. What a terminal would obey
/// rather than show is escaped.
pub fn table(rows: &[Vec<String>]) -> String {
    let escaped = |row: &Vec<String>| row.iter().map(|it| escaped(it).into_owned()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(escaped).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let padded: Vec<String> = cells
            .map(|(cell, width)| cell.clone() + &" ".repeat(width.saturating_sub(cell.width())))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_what_a_terminal_shows() {
        let rows = [
            ["a", "b"],
            ["caf\u{e9}", "c"],
            ["\u{65e5}\u{672c}", "d"],
            ["e\u{301}", "e"],
            ["xyz12", ""],
        ];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let expected = "a      b\ncaf\u{e9}   c\n\u{65e5}\u{672c}   d\ne\u{301}      e\nxyz12";
        assert_eq!(table(&rows), expected);
    }

    #[test]
    fn a_cell_cannot_command_the_terminal() {
        let rows = [["\u{1b}[2J\u{202e}x", "b"], ["a", "c"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let table = table(&rows);
        assert!(
            table.is_ascii() && table.contains(r"\u{202e}x  b"),
            "{table}"
        );
    }
}
