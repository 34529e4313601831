//! The path of a problem from its line and column.
//!
//! It reads the text a second time, level by level, and only when there is a problem. The
//! crate `serde_path_to_error` follows the path while it reads, through a wrapper around each
//! deserializer and visitor: every written type is compiled twice. That is 120 kB, a tenth of the
//! module, and more than is left of the bound on the start of an Envoy (docs/performance.md). It is
//! what the key service uses.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::below;

/// The path of the innermost member or item at the place of this error. The text is JSON.
#[cold]
pub(super) fn path_at(text: &str, error: &serde_json::Error) -> String {
    let mut path = String::new();
    let Some(at) = offset(text, error.line(), error.column()) else {
        return path;
    };
    let mut value = text.trim_ascii();
    while let Some((step, inner)) = step_towards(text, value, at) {
        path = below(&path, &step);
        match inner {
            Some(inner) => value = inner,
            None => break,
        }
    }
    path
}

/// The offset of the byte in this column. serde_json counts both from 1; column 0 is the end of
/// the line before, and `None` what comes before the text.
fn offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
    let before: usize = lines.map(str::len).sum();
    before.saturating_add(column).checked_sub(1)
}

/// Where this part of the text begins, in bytes.
fn start(text: &str, part: &str) -> usize {
    part.as_ptr().addr().saturating_sub(text.as_ptr().addr())
}

/// The member or item of `value` at this offset: its step in the path, and its value unless
/// the offset is within its name. `None` if it is `value` as a whole.
fn step_towards<'a>(text: &str, value: &'a str, at: usize) -> Option<(String, Option<&'a str>)> {
    let first = start(text, value);
    let last = first.saturating_add(value.len()).saturating_sub(1);
    if at < first || at >= last {
        return None;
    }
    if value.starts_with('{') {
        let Members(members) = serde_json::from_str(value).ok()?;
        let begun = |(name, _): &&(&RawValue, _)| start(text, name.get()) <= at;
        let (name, inner) = members.iter().take_while(begun).last()?;
        if start(text, inner.get()) <= at {
            let name = serde_json::from_str(name.get()).ok()?;
            return Some((name, Some(inner.get())));
        }
        // A name that is given twice is a problem of the object.
        let is_name = |(other, _): &&(&RawValue, _)| other.get() == name.get();
        let is_twice = members.iter().filter(is_name).nth(1).is_some();
        let name = serde_json::from_str(name.get()).ok()?;
        (!is_twice).then_some((name, None))
    } else {
        let items: Vec<&RawValue> = serde_json::from_str(value).ok()?;
        let begun = |item: &&RawValue| found_at(text, item.get()) <= at;
        let (index, item) = (0_usize..)
            .zip(items)
            .take_while(|(_, it)| begun(it))
            .last()?;
        Some((format!("[{index}]"), Some(item.get())))
    }
}

/// Where serde_json says that an item has the wrong type: at its first byte, or, as it does
/// not read a list or an object for that, at the comma or bracket before it.
fn found_at(text: &str, item: &str) -> usize {
    let first = start(text, item);
    if !item.starts_with(['[', '{']) {
        return first;
    }
    let before = text.get(..first).unwrap_or_default().trim_ascii_end();
    before.len().saturating_sub(1)
}

/// Names and values of an object, duplicates included.
struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}
