//! The written types from JSON text, each problem with its path, line and column.
//!
//! serde derives the types. What it leaves open is settled here: an object is no list, no
//! name is given twice, and no message quotes a value that may be a secret. It knows no
//! field by its name.

mod choice;
mod locate;
mod object;
mod quiet;
mod syntax;

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

pub(super) use choice::{ChoiceOnly, choice};
pub(super) use object::{ObjectOnly, object};
pub(super) use quiet::Quiet;
pub(super) use syntax::check_syntax;

use crate::decision::problem::{Place, Problem, Wrong};
use crate::text::json::without_place;

/// Reads JSON text that is found at `path`. Places are those in this text.
pub(super) fn read<'de, T: Deserialize<'de>>(path: &str, text: &'de str) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = T::deserialize(&mut json)
        .map_err(|error| misshapen(below(path, &locate::path_at(text, &error)), &error))?;
    json.end()
        .map_err(|error| misshapen(path.to_owned(), &error))?;
    Ok(value)
}

#[cold]
fn misshapen(path: String, error: &serde_json::Error) -> Problem {
    // The place within the part is reported separately.
    let message = without_place(error);
    let message = match error.classify() {
        Category::Eof => "the JSON ends before it is complete: is the end cut off?".to_owned(),
        Category::Syntax => format!("is not valid JSON: {message}"),
        Category::Data | Category::Io => message,
    };
    let line = error.line();
    // After a line break, serde_json counts no column.
    let column = error.column().max(1);
    Problem {
        path,
        wrong: Wrong::Text(message),
        place: Some(Place { line, column }),
    }
}

/// The path of what is at `inner` in what is at `path`.
fn below(path: &str, inner: &str) -> String {
    let separator = match path.is_empty() || inner.is_empty() || inner.starts_with('[') {
        true => "",
        false => ".",
    };
    format!("{path}{separator}{inner}")
}

/// Where this part of the text begins.
pub(super) fn place_in(text: &[u8], part: &RawValue) -> Place {
    let at = part.get().as_ptr().addr();
    let at = at.saturating_sub(text.as_ptr().addr());
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.iter().rposition(|byte| *byte == b'\n');
    let line_start = line_start.map_or(0, |at| at.saturating_add(1));
    let newlines = before.iter().filter(|byte| **byte == b'\n').count();
    Place {
        line: newlines.saturating_add(1),
        column: before.len().saturating_sub(line_start).saturating_add(1),
    }
}

/// Members in the order of the text, each name once.
#[derive(Debug)]
pub(super) struct UniqueMap<V>(pub Vec<(String, V)>);

impl<V> Default for UniqueMap<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for UniqueMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Members<V> {
            type Value = UniqueMap<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members: Vec<(String, V)> = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if members.iter().any(|(taken, _)| *taken == name) {
                        return Err(de::Error::custom(format!(
                            "\"{name}\" is given more than \
                                                              once"
                        )));
                    }
                    members.push((name, map.next_value()?));
                }
                Ok(UniqueMap(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// Passes over a list where none belongs. serde_json then places the error at its end, and at
/// none of its items.
pub(super) fn skip_items<'de, A: SeqAccess<'de>>(mut items: A) -> Result<(), A::Error> {
    while items.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

/// Passes over the rest of an object, so that an error is placed at its end, and at none of its
/// members. Returns how many there were.
pub(super) fn skip_members<'de, A: MapAccess<'de>>(mut members: A) -> Result<usize, A::Error> {
    let mut count = 0_usize;
    while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
        count = count.saturating_add(1);
    }
    Ok(count)
}

/// A member that something else reads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Elsewhere;

impl<'de> Deserialize<'de> for Elsewhere {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}
