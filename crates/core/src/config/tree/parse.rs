//! From the text of JSON to a tree.

use super::{Error, Member, Tree, Value};
use crate::text::json::{self, Kind};

pub fn parse(text: &[u8]) -> Result<Tree, Error> {
    let value = json::Value::read(text)?;
    Ok(tree(text, value))
}

fn tree(text: &[u8], from: json::Value<'_>) -> Tree {
    let value = match from.kind {
        Kind::Word => word(from.raw),
        Kind::Text(text) => Value::Text(text),
        Kind::List(items) => Value::List(items.into_iter().map(|it| tree(text, it)).collect()),
        Kind::Object(members) => {
            let members = members.into_iter().map(|(name, value)| Member {
                name,
                name_end: name_end(text, value.start),
                value: tree(text, value),
            });
            Value::Map(members.collect())
        }
    };
    Tree {
        value,
        start: from.start,
        end: from.start.saturating_add(from.raw.len()),
    }
}

/// `null`, `true`, `false` or a number.
fn word(word: &str) -> Value {
    match word {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        word => match (word.parse(), word.parse()) {
            (Ok(number), _) => Value::Unsigned(number),
            // There is no negative zero among whole numbers.
            (_, Ok(number)) if number != 0 => Value::Negative(number),
            _ => Value::Float(word.to_owned()),
        },
    }
}

/// The offset behind the name of a member whose value begins at `start`.
fn name_end(text: &[u8], start: usize) -> usize {
    let before = text.get(..start).unwrap_or_default().trim_ascii_end();
    let name = before.strip_suffix(b":").unwrap_or(before);
    name.trim_ascii_end().len()
}
