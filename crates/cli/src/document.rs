//! JSON or YAML that knows the position of each value, and can be written again.
//!
//! jsonc-parser keeps the places; all that it would take beyond JSON is switched off. This
//! knows no policy: fields are found by their path.

pub mod yaml;

use std::fmt;

use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, ast};
use serde::{Serialize, Serializer};
use serde_json::error::Category;

/// JSON as RFC 8259 has it.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// A value, at a byte of the text.
#[derive(Clone, Debug)]
pub struct Node {
    /// The byte at which it begins.
    pub at: usize,
    /// The byte after its last one.
    pub end: usize,
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
    /// Reads a text. `None` when it is not JSON, or too deep.
    pub fn parse(text: &str) -> Option<Self> {
        // The reader's limits, which jsonc-parser does not have: depth, control characters,
        // numbers beyond f64.
        serde_json::from_str::<serde_json::Value>(text).ok()?;
        let parsed = jsonc_parser::parse_to_ast(text, &CollectOptions::default(), &STRICT);
        Some(Self::read(text, &parsed.ok()?.value?))
    }

    fn read(text: &str, from: &ast::Value<'_>) -> Self {
        let range = from.range();
        let value = match from {
            ast::Value::Object(object) => {
                let read = |member: &ast::ObjectProp<'_>| Member {
                    at: member.name.start(),
                    name: member.name.as_str().to_owned(),
                    node: Self::read(text, &member.value),
                };
                Value::Object(object.properties.iter().map(read).collect())
            }
            ast::Value::Array(array) => {
                let items = array.elements.iter();
                Value::Array(items.map(|item| Self::read(text, item)).collect())
            }
            _ => Value::Leaf(
                text.get(range.start..range.end)
                    .unwrap_or("null")
                    .to_owned(),
            ),
        };
        Self {
            at: range.start,
            end: range.end,
            value,
        }
    }

    /// A text in place of this value, at its position.
    pub fn replaced_by(&self, text: &str) -> Self {
        Self {
            value: Value::Leaf(serde_json::Value::from(text).to_string()),
            ..*self
        }
    }

    /// The text that this value is, if it is one.
    pub fn as_text(&self) -> Option<String> {
        match &self.value {
            Value::Leaf(json) => serde_json::from_str(json).ok(),
            Value::Object(_) | Value::Array(_) => None,
        }
    }

    /// The same without places.
    pub fn to_value(&self) -> serde_json::Value {
        match &self.value {
            Value::Object(members) => {
                let members = members.iter();
                members
                    .map(|it| (it.name.clone(), it.node.to_value()))
                    .collect()
            }
            Value::Array(items) => items.iter().map(Self::to_value).collect(),
            Value::Leaf(text) => serde_json::from_str(text).unwrap_or_default(),
        }
    }

    /// Follows a path such as `rules[2].match.path` as far as it goes: the number of
    /// the child at each step, and what is left of the path.
    pub fn resolve<'p>(&self, path: &'p str) -> (Vec<usize>, &'p str) {
        let path = path.strip_prefix('.').unwrap_or(path);
        let mut best = (Vec::new(), path);
        for (index, child, rest) in self.children_at(path) {
            let (steps, rest) = child.resolve(rest);
            // A name may contain a dot: the reading that explains most is meant.
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

    /// The member of this name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        match &self.value {
            Value::Object(members) => members.iter().find(|it| it.name == name),
            Value::Array(_) | Value::Leaf(_) => None,
        }
    }

    /// Adds a member, `null`, at the position of the object.
    pub fn add(&mut self, name: &str) {
        if let Value::Object(members) = &mut self.value {
            members.push(Member {
                at: self.at,
                name: name.to_owned(),
                node: Self {
                    at: self.at,
                    end: self.at,
                    value: Value::Leaf("null".to_owned()),
                },
            });
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

/// In the order of the text.
impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Object(members) => {
                serializer.collect_map(members.iter().map(|it| (&it.name, &it.node)))
            }
            Value::Array(items) => serializer.collect_seq(items),
            Value::Leaf(json) => serde_json::from_str::<serde_json::Value>(json)
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer),
        }
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

/// Why a text cannot be read as JSON.
pub fn unreadable(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Eof => format!(
            "the JSON ends before it is complete (line {})",
            error.line()
        ),
        Category::Syntax | Category::Data | Category::Io => error.to_string(),
    }
}

/// Line and column of a byte, both from 1, columns in characters.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
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
    fn invalid_or_too_deep_json_is_rejected() {
        assert!(Node::parse("{").is_none());
        assert!(Node::parse(&"[".repeat(100_000)).is_none());
    }
}
