//! A TOML file as tables whose entries are read one by one. All that is wrong is said at once, in
//! our own words, with line and column; an entry that is not read is unknown.

use std::cell::RefCell;
use std::collections::BTreeMap;
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
    /// Where it begins.
    at: usize,
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
        at: 0,
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

    /// A list of words, each of which `parse` knows; not an empty one.
    pub fn words<T>(
        &mut self,
        name: &'static str,
        words: &[&str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.read(name, |value| {
            let told = || format!("must be a list of some of {}", words.join(", "));
            let items = value.as_array().filter(|items| !items.is_empty());
            let word = |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().and_then(&parse);
            let parsed: Option<Vec<T>> = items.ok_or_else(told)?.iter().map(word).collect();
            parsed.ok_or_else(told)
        })
    }

    /// A text that must be there.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if self.value(name).is_none() {
            self.push(self.at, name, "is missing");
        }
        self.text(name, read)
    }

    /// A table in this one; where it is not there, one without entries.
    pub fn table<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Table<'_>) -> T) -> T {
        let absent = DeTable::new();
        let (entries, at) = match self.value(name) {
            None => (&absent, self.at),
            Some(value) => match value.get_ref() {
                DeValue::Table(entries) => (entries, value.span().start),
                _ => {
                    self.push(value.span().start, name, "must be a table");
                    (&absent, self.at)
                }
            },
        };
        self.inner(name, entries, at, read)
    }

    /// A table in this one, if it is there.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Table<'_>) -> Option<T>,
    ) -> Option<T> {
        self.value(name)?;
        self.table(name, read)
    }

    /// A list of at most so many tables; where it is not there, an empty one. None for a table with
    /// an error.
    pub fn tables<T>(
        &mut self,
        name: &'static str,
        most: usize,
        mut read: impl FnMut(&mut Table<'_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(value) = self.value(name) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            let told = format!("must be a list of tables: write [[{name}]]");
            self.push(value.span().start, name, &told);
            return Vec::new();
        };
        if items.len() > most {
            let told = format!("must be at most {most} tables");
            self.push(value.span().start, name, &told);
        }
        let mut tables = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let (name, at) = (format!("{name}[{place}]"), item.span().start);
            match item.get_ref() {
                DeValue::Table(entries) => tables.extend(self.inner(&name, entries, at, &mut read)),
                _ => self.push(at, &name, "must be a table"),
            }
        }
        tables
    }

    /// A table of tables, by what `key` makes of their names; where it is not there, an empty one.
    pub fn named<K: Ord, T>(
        &mut self,
        name: &'static str,
        key: impl Fn(&str) -> Result<K, String>,
        mut read: impl FnMut(&mut Table<'_>) -> T,
    ) -> BTreeMap<K, T> {
        let Some(value) = self.value(name) else {
            return BTreeMap::new();
        };
        let DeValue::Table(entries) = value.get_ref() else {
            let told = format!("must be tables with names: write [{name}.NAME]");
            self.push(value.span().start, name, &told);
            return BTreeMap::new();
        };
        let mut tables = BTreeMap::new();
        for (own, value) in entries {
            let (at, path) = (own.span().start, format!("{name}.{}", own.get_ref()));
            match (key(own.get_ref()), value.get_ref()) {
                (Ok(key), DeValue::Table(entries)) => {
                    tables.insert(key, self.inner(&path, entries, at, &mut read));
                }
                (Ok(_), _) => self.push(at, &path, "must be a table"),
                (Err(told), _) => self.push(at, &path, &format!("the name {told}")),
            }
        }
        tables
    }

    /// Whether there is such an entry.
    pub fn has(&mut self, name: &'static str) -> bool {
        self.value(name).is_some()
    }

    /// An entry is wrong, though it could be read.
    pub fn wrong(&self, name: &str, told: &str) {
        self.wrong_at(name, name, told);
    }

    /// The same of a place in it, such as `scopes[3]`.
    pub fn wrong_at(&self, name: &str, place: &str, told: &str) {
        let mut entries = self.entries.iter();
        let entry = entries.find(|(found, _)| found.get_ref() == name);
        let at = entry.map_or(self.at, |(_, value)| value.span().start);
        self.push(at, place, told);
    }

    fn inner<T>(
        &self,
        name: &str,
        entries: &DeTable<'_>,
        at: usize,
        read: impl FnOnce(&mut Table<'_>) -> T,
    ) -> T {
        let mut table = Table {
            path: format!("{}{name}.", self.path),
            entries,
            at,
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
