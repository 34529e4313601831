//! JSON that knows where each of its values stands, and can be written again.
//!
//! serde_json says where a text is no JSON; where a field stands that has the wrong
//! meaning, nobody says. So the text is read once more, down to its leaves, and each
//! value is found in it by its address.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A value, at a byte of the text.
#[derive(Clone, Debug)]
pub struct Node {
    /// The byte at which it begins.
    pub at: usize,
    /// What it is.
    pub value: Value,
}

/// What a node is. Unlike serde_json's, an object keeps a name that is given twice.
#[derive(Clone, Debug)]
pub enum Value {
    Object(Vec<Member>),
    Array(Vec<Node>),
    /// A text, a number, true, false or null, as written.
    Leaf(String),
}

/// One member of an object.
#[derive(Clone, Debug)]
pub struct Member {
    /// The byte at which its name begins.
    pub at: usize,
    pub name: String,
    pub node: Node,
}

impl Node {
    /// Reads a text. `None` when it is no JSON, or too deep.
    pub fn parse(text: &str) -> Option<Self> {
        // It limits the depth, which nothing below does.
        serde_json::from_str::<serde_json::Value>(text).ok()?;
        Self::read(text, serde_json::from_str(text).ok()?)
    }

    fn read(text: &str, raw: &RawValue) -> Option<Self> {
        let at = |raw: &RawValue| raw.get().as_ptr().addr() - text.as_ptr().addr();
        let value = match raw.get().bytes().next()? {
            b'{' => {
                let Members(members) = serde_json::from_str(raw.get()).ok()?;
                let read = |(name, value): (&RawValue, &RawValue)| {
                    Some(Member {
                        at: at(name),
                        name: serde_json::from_str(name.get()).ok()?,
                        node: Self::read(text, value)?,
                    })
                };
                Value::Object(members.into_iter().map(read).collect::<Option<_>>()?)
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
                let read = items.into_iter().map(|item| Self::read(text, item));
                Value::Array(read.collect::<Option<_>>()?)
            }
            _ => Value::Leaf(raw.get().to_owned()),
        };
        Some(Self { at: at(raw), value })
    }

    /// Follows a path such as `rules[2].match.path` as far as it goes: the number of
    /// the child at each step, and what is left of the path.
    pub fn resolve<'p>(&self, path: &'p str) -> (Vec<usize>, &'p str) {
        let path = path.strip_prefix('.').unwrap_or(path);
        let mut best = (Vec::new(), path);
        for (index, child, rest) in self.children_at(path) {
            let (steps, rest) = child.resolve(rest);
            // A name may hold a dot: the reading that explains most is meant.
            if rest.len() < best.1.len() {
                best = ([vec![index], steps].concat(), rest);
            }
        }
        best
    }

    /// The children whose name begins the path, each with what is left of it.
    fn children_at<'p>(&self, path: &'p str) -> Vec<(usize, &Self, &'p str)> {
        match &self.value {
            Value::Object(members) => {
                let named = members.iter().enumerate().filter_map(|(index, member)| {
                    let rest = path.strip_prefix(member.name.as_str())?;
                    let ends = rest.is_empty() || rest.starts_with(['.', '[']);
                    ends.then_some((index, &member.node, rest))
                });
                named.collect()
            }
            Value::Array(items) => {
                let numbered = path.strip_prefix('[').and_then(|it| it.split_once(']'));
                let found = numbered.and_then(|(number, rest)| {
                    let index = number.parse().ok()?;
                    Some((index, items.get(index)?, rest))
                });
                found.into_iter().collect()
            }
            Value::Leaf(_) => Vec::new(),
        }
    }

    /// The node at the end of these steps.
    pub fn follow(&self, steps: &[usize]) -> Option<&Self> {
        steps
            .iter()
            .try_fold(self, |node, &step| match &node.value {
                Value::Object(members) => members.get(step).map(|it| &it.node),
                Value::Array(items) => items.get(step),
                Value::Leaf(_) => None,
            })
    }

    /// The node at the end of these steps.
    pub fn follow_mut(&mut self, steps: &[usize]) -> Option<&mut Self> {
        steps
            .iter()
            .try_fold(self, |node, &step| match &mut node.value {
                Value::Object(members) => members.get_mut(step).map(|it| &mut it.node),
                Value::Array(items) => items.get_mut(step),
                Value::Leaf(_) => None,
            })
    }
}

/// As JSON.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Object(members) => {
                f.write_str("{")?;
                for (index, member) in members.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    let name = serde_json::Value::from(member.name.as_str());
                    write!(f, "{comma}{name}:{}", member.node)?;
                }
                f.write_str("}")
            }
            Value::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            Value::Leaf(text) => f.write_str(text),
        }
    }
}

/// Line and column of a byte, both from 1, columns in characters.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
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

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{ \"caf\u{e9}\": [1, {\"a.b\": {\"c\": \"d\"}}],\n  \"a\": {}, \"a\": 2 }";

    #[test]
    fn a_path_is_found_in_the_text() {
        let root = Node::parse(TEXT).unwrap();
        for (path, found, left) in [
            ("", 0, ""),
            ("caf\u{e9}[0]", TEXT.find('1').unwrap(), ""),
            ("caf\u{e9}[1].a.b.c", TEXT.find("\"d\"").unwrap(), ""),
            ("a.x", TEXT.find("{}").unwrap(), "x"),
            ("b[7]", 0, "b[7]"),
        ] {
            let (steps, rest) = root.resolve(path);
            let node = root.follow(&steps).unwrap();
            assert_eq!(
                (node.at, rest.trim_start_matches('.')),
                (found, left),
                "{path}"
            );
        }
    }

    #[test]
    fn lines_and_columns_count_characters() {
        assert_eq!(line_and_column(TEXT, TEXT.find('1').unwrap()), (1, 12));
        assert_eq!(line_and_column(TEXT, TEXT.find("{}").unwrap()), (2, 8));
    }

    #[test]
    fn a_name_given_twice_is_kept_when_written_again() {
        let written = Node::parse(TEXT).unwrap().to_string();
        assert!(written.ends_with("\"a\":{},\"a\":2}"), "{written}");
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_none() {
        assert!(Node::parse("{").is_none());
        assert!(Node::parse(&"[".repeat(100_000)).is_none());
    }
}
