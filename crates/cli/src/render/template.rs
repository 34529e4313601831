//! A file of `envoy/` as a template: its values are replaced, its comments stay.
//!
//! The comments say what must not be changed and why, so the text is edited in place. The
//! crates yamlpatch and yaml-edit do that too. The first needs a parser in C (tree-sitter), and the
//! second has 36,000 lines; `document::yaml` knows the places of values already.

use std::ops::Range;

use serde::Serialize;

use crate::document::{Node, Value, yaml};
use crate::error::CliError;

/// What marks a line that a user must look at.
pub const CHANGE: &str = "CHANGE";

/// Such a file. A path is that of a value, such as `spec.wasm[0].code`.
pub struct Template {
    text: String,
}

impl Template {
    /// The file of this text. `comment` goes to its start, in place of the paragraph about the
    /// example, if the first comment has several.
    pub fn new(text: &str, comment: &str) -> Self {
        const BETWEEN: &str = "#\n";
        let paragraphs = text.split_once(&format!("\n{BETWEEN}"));
        let rest = paragraphs.filter(|(first, _)| first.lines().all(|line| line.starts_with('#')));
        let rest = rest.map_or(text, |(_, rest)| rest);
        let between = if rest.starts_with('#') { BETWEEN } else { "" };
        Self {
            text: format!("{comment}{between}{rest}"),
        }
    }

    /// The text as it is now.
    pub fn into_text(self) -> String {
        self.text
    }

    /// Replaces a value. What the example says to change there is then done, so the comment goes.
    pub fn set(&mut self, path: &str, value: &impl Serialize) -> Result<(), CliError> {
        let (node, text) = (self.find(path)?, yaml_of(value)?);
        let starts_line = self.text[self.line(node.at)..node.at].trim().is_empty();
        let is_block = starts_line && matches!(node.value, Value::Object(_) | Value::Array(_));
        let text = match is_block {
            true => indented(&text, node.at - self.line(node.at)),
            // In the line of its name.
            false if text.trim_end().contains('\n') || !is_leaf(&node) => json_of(value)?,
            false => text.trim_end().to_owned(),
        };
        self.text.replace_range(node.at..node.end, &text);
        self.drop_change(node.at, node.at + text.len());
        Ok(())
    }

    /// Replaces the lines of a value that is a block of text (`|`).
    pub fn set_block(&mut self, path: &str, text: &str) -> Result<(), CliError> {
        let node = self.find(path)?;
        let text = indented(text.trim_end(), node.at - self.line(node.at));
        self.text.replace_range(node.at..node.end, &text);
        Ok(())
    }

    /// Adds a member to an object whose members are in lines of their own.
    pub fn add(&mut self, path: &str, name: &str, value: &impl Serialize) -> Result<(), CliError> {
        let node = self.find(path)?;
        let member = std::collections::BTreeMap::from([(name, value)]);
        let column = node.at - self.line(node.at);
        let lines = indented(&yaml_of(&member)?, column);
        let end = self.line_end(node.end);
        let text = format!("\n{}{lines}", " ".repeat(column));
        self.text.insert_str(end, &text);
        Ok(())
    }

    /// Removes an item of a list whose items are in lines of their own, with the comment above it.
    pub fn remove(&mut self, path: &str) -> Result<(), CliError> {
        let lines = self.lines_of(path)?;
        self.text.replace_range(lines, "");
        Ok(())
    }

    /// Adds a copy of the first items of such a list right after them.
    pub fn repeat(&mut self, list: &str, count: usize) -> Result<(), CliError> {
        let first = self.lines_of(&format!("{list}[0]"))?;
        let last = self.lines_of(&format!("{list}[{}]", count - 1))?;
        let copy = self.text[first.start..last.end].to_owned();
        self.text.insert_str(last.end, &copy);
        Ok(())
    }

    /// The lines of an item of such a list, from the first column on.
    pub fn excerpt(&self, path: &str) -> Result<String, CliError> {
        let text = &self.text[self.lines_of(path)?];
        let indent = text.len() - text.trim_start().len();
        let line = |line: &str| format!("{}\n", line.get(indent..).unwrap_or_default());
        Ok(text.trim_end().lines().map(line).collect())
    }

    fn find(&self, path: &str) -> Result<Node, CliError> {
        let broken = || {
            CliError::Usage(format!(
                "a template of this release has no {path}: report this"
            ))
        };
        let root = yaml::parse(&self.text).map_err(|_| broken())?;
        let (steps, rest) = root.resolve(path);
        let node = root.follow(&steps).filter(|_| rest.is_empty());
        let mut node = node.cloned().ok_or_else(broken)?;
        // A block of text ends with a line of its own.
        let text = &self.text[node.at..node.end];
        node.end = node.at + text.trim_end().len();
        Ok(node)
    }

    /// The lines of an item of a list and of the comments above it.
    fn lines_of(&self, path: &str) -> Result<Range<usize>, CliError> {
        let node = self.find(path)?;
        let mut start = self.line(node.at);
        while let Some(above) = start.checked_sub(1).map(|end| self.line(end)) {
            if !self.text[above..start].trim_start().starts_with('#') {
                break;
            }
            start = above;
        }
        let end = self.line_end(node.end.max(node.at)) + 1;
        Ok(start..end.min(self.text.len()))
    }

    /// Where the line of a byte begins.
    fn line(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// Where the line of a byte ends.
    fn line_end(&self, at: usize) -> usize {
        self.text[at..]
            .find('\n')
            .map_or(self.text.len(), |length| at + length)
    }

    /// Removes the comments that say to change the value of these bytes: after it, and above it.
    fn drop_change(&mut self, start: usize, end: usize) {
        let line_end = self.line_end(end);
        if let Some(at) = self.text[end..line_end].find(&format!(" # {CHANGE}")) {
            self.text.replace_range(end + at..line_end, "");
        }
        let line = self.line(start);
        let mut above = line;
        while let Some(before) = above.checked_sub(1).map(|newline| self.line(newline)) {
            let comment = self.text[before..above].trim_start();
            if !comment.starts_with('#') {
                return;
            }
            above = before;
            if comment.starts_with(&format!("# {CHANGE}")) {
                self.text.replace_range(above..line, "");
                return;
            }
        }
    }
}

fn is_leaf(node: &Node) -> bool {
    matches!(node.value, Value::Leaf(_))
}

/// As YAML, quoted where YAML 1.1, which kubectl reads, takes a text for something else.
pub fn yaml_of(value: &impl Serialize) -> Result<String, CliError> {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(value, options).map_err(|error| unwritable(&error))
}

/// As JSON in one line, which is YAML as well.
fn json_of(value: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string(value).map_err(|error| unwritable(&error))
}

fn unwritable(error: &dyn std::fmt::Display) -> CliError {
    CliError::Usage(format!("cannot write this policy: {error}"))
}

/// With so many spaces before each line but the first and the empty ones.
pub fn indented(text: &str, spaces: usize) -> String {
    let newline = format!("\n{}", " ".repeat(spaces));
    let lines = text.trim_end().replace('\n', &newline);
    lines
        .replace(&format!("{newline}\n"), "\n\n")
        .replace(&format!("{newline}\n"), "\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = "\
# An example.
#
# Security.
a:
  # SECURITY: stays
  b: x # CHANGE: this
  # CHANGE: that,
  # and more
  c: { d: [y] } # stays
  # CHANGE: not this
  e:
    # stays
    - f: 1

    # about g
    - g: |
        {
        }
h: 2
";

    #[test]
    fn values_are_replaced_and_comments_stay() {
        let mut template = Template::new(TEXT, "# New.\n");
        template.set("a.b", &"off").unwrap();
        template.set("a.c.d", &["p", "q"]).unwrap();
        template.set_block("a.e[1].g", "[\n\n  1\n]\n").unwrap();
        template
            .add("a.e[0]", "i", &json!({ "j": [true] }))
            .unwrap();
        let expected = "\
# New.
#
# Security.
a:
  # SECURITY: stays
  b: \"off\"
  c: { d: [\"p\",\"q\"] } # stays
  # CHANGE: not this
  e:
    # stays
    - f: 1
      i:
        j:
        - true

    # about g
    - g: |
        [

          1
        ]
h: 2
";
        assert_eq!(template.into_text(), expected);
    }

    #[test]
    fn items_are_removed_and_repeated_with_their_comments() {
        let mut template = Template::new(TEXT, "");
        template.remove("a.e[0]").unwrap();
        template.repeat("a.e", 1).unwrap();
        let excerpt = template.excerpt("a.e[1]").unwrap();
        assert_eq!(excerpt, "# about g\n- g: |\n    {\n    }\n");
        template.set("a.e", &json!([{ "k": "l" }, "m"])).unwrap();
        let text = template.into_text();
        assert!(
            text.ends_with("  e:\n\n    # about g\n    - k: l\n    - m\nh: 2\n"),
            "{text}"
        );
        assert!(Template::new(TEXT, "").set("a.z", &1).is_err());
    }
}
