//! A TOML file as tables whose entries are read one by one. All that is wrong is said at once, in
//! our own words, with line and column; an entry that is not read is unknown.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::document::line_and_column;
use crate::similar::did_you_mean;

/// What is wrong, at a byte of the text.
struct Wrong {
    at: usize,
    told: String,
}

/// A table under way.
pub struct Table<'t> {
    /// Its name, such as `limits.`; empty for the file itself.
    path: String,
    entries: &'t DeTable<'t>,
    /// What was asked for.
    known: Vec<&'static str>,
    wrong: &'t RefCell<Vec<Wrong>>,
}

/// Reads a text as the table that `read` knows.
///
/// # Errors
/// A line `LINE:COLUMN: NAME: what is wrong` for each error, in the order of the file.
pub fn parse<T>(text: &str, read: impl FnOnce(&mut Table<'_>) -> T) -> Result<T, Vec<String>> {
    let line = |Wrong { at, told }: &Wrong| {
        let (line, column) = line_and_column(text, *at);
        format!("{line}:{column}: {told}")
    };
    let parsed = DeTable::parse(text).map_err(|error| {
        let told = match error.message().contains("duplicate key") {
            true => "this name is given more than once",
            false => "this is not TOML: write `name = value`, with texts in quotes",
        };
        let at = error.span().map_or(0, |span| span.start);
        let told = told.to_owned();
        vec![line(&Wrong { at, told })]
    })?;
    let wrong = RefCell::default();
    let mut root = Table {
        path: String::new(),
        entries: parsed.get_ref(),
        known: Vec::new(),
        wrong: &wrong,
    };
    let value = read(&mut root);
    root.end();
    let mut wrong = wrong.take();
    wrong.sort_by_key(|it| it.at);
    match wrong.is_empty() {
        true => Ok(value),
        false => Err(wrong.iter().map(line).collect()),
    }
}

impl<'t> Table<'t> {
    /// An entry that `read` makes something of, or says what it must be.
    pub fn read<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.value(name)?;
        match read(value.get_ref()) {
            Ok(value) => Some(value),
            Err(told) => {
                self.push(value.span().start, name, &told);
                None
            }
        }
    }

    /// A text that `read` makes something of, or says what it must be.
    pub fn text<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.read(name, |value| {
            read(value.as_str().ok_or("must be a text in quotes")?)
        })
    }

    /// A whole number.
    pub fn number(&mut self, name: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        self.read(name, |value| {
            let number = value.as_integer();
            let number = number.and_then(|it| u32::from_str_radix(it.as_str(), it.radix()).ok());
            number.filter(|it| range.contains(it)).ok_or_else(|| {
                let (least, most) = range.into_inner();
                format!("must be a whole number from {least} to {most}")
            })
        })
    }

    /// A list of texts that are all as `check` says.
    pub fn texts(
        &mut self,
        name: &'static str,
        check: impl Fn(&str) -> Result<(), &'static str>,
    ) -> Option<Vec<String>> {
        self.read(name, |value| {
            let items = value.as_array().ok_or("must be a list of texts")?;
            let text = |item: &Spanned<DeValue<'_>>| {
                let text = item.get_ref().as_str().ok_or("must be a list of texts")?;
                check(text).map(|()| text.to_owned()).map_err(str::to_owned)
            };
            items.iter().map(text).collect()
        })
    }

    /// A table in this one; where it is not there, one without entries.
    pub fn table<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Table<'_>) -> T) -> T {
        let absent = DeTable::new();
        let entries = match self.value(name) {
            None => &absent,
            Some(value) => match value.get_ref() {
                DeValue::Table(entries) => entries,
                _ => {
                    self.push(value.span().start, name, "must be a table");
                    &absent
                }
            },
        };
        let mut table = Table {
            path: format!("{}{name}.", self.path),
            entries,
            known: Vec::new(),
            wrong: self.wrong,
        };
        let value = read(&mut table);
        table.end();
        value
    }

    fn value(&mut self, name: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.known.push(name);
        let mut entries = self.entries.iter();
        let entry = entries.find(|(found, _)| found.get_ref() == name);
        entry.map(|(_, value)| value)
    }

    /// Whatever was not read is unknown.
    fn end(&self) {
        for (name, _) in self.entries {
            let (at, name) = (name.span().start, name.get_ref());
            if !self.known.contains(&name.as_ref()) {
                let meant = did_you_mean(name, self.known.iter().copied());
                self.push(at, name, &format!("is unknown{meant}"));
            }
        }
    }

    fn push(&self, at: usize, name: &str, told: &str) {
        let told = format!("{}{}: {told}", self.path, name.escape_debug());
        self.wrong.borrow_mut().push(Wrong { at, told });
    }
}
