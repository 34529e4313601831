//! YAML as a [`Node`]: policies, and the templates of `keygate render`.
//!
//! A plain value is what JSON would make of it: `true`, `false`, `null` or a number. Everything
//! else is text, also `off` and `01`, which older readers of YAML take for a boolean and a number.
//! serde-saphyr reads YAML with the same parser, but gives away neither the place of a name nor
//! the end of a value.

use granit_parser::{
    Event, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle, options,
};

use super::{Member, Node, Value};

/// The deepest nesting that is read. serde_json reads 128 levels.
const DEEPEST: usize = 100;

/// Why a text cannot be read, at a byte of it.
#[derive(Debug)]
pub struct Problem {
    pub at: usize,
    pub message: String,
}

/// Reads a text with one document.
///
/// # Errors
/// It is not YAML, has several documents, or uses what JSON does not have: aliases, tags and names
/// that are not text.
pub fn parse(text: &str) -> Result<Node, Problem> {
    let options = options! { emit_comments: false };
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        end: 0,
        length: text.len(),
    };
    let mut root = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            _ if root.is_some() => {
                return Err(problem(&span, "has more than one YAML document"));
            }
            event => root = Some(reader.node(event, &span, 0)?),
        }
    }
    root.ok_or_else(|| Problem {
        at: 0,
        message: "has no YAML document".to_owned(),
    })
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    /// Where the last value ended that was not a block of others.
    end: usize,
    length: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.unreadable(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn unreadable(&self, error: &ScanError) -> Problem {
        let at = error.marker().byte_offset();
        Problem {
            at: at.unwrap_or(self.length),
            message: format!("is not valid YAML: {}", error.info()),
        }
    }

    fn node(&mut self, event: Event<'t>, span: &Span, depth: usize) -> Result<Node, Problem> {
        if depth > DEEPEST {
            return Err(problem(span, "is nested too deeply"));
        }
        let tag = event.tag();
        let is_text = tag.is_some_and(|it| it.is_yaml_core_schema_tag("str"));
        if tag.is_some() && !is_text {
            return Err(problem(span, "has a YAML tag: remove it"));
        }
        let at = start(span);
        let value = match event {
            Event::Scalar(text, style, ..) => {
                self.end = end(span);
                Value::Leaf(match style {
                    ScalarStyle::Plain if !is_text => plain(&text),
                    _ => quoted(&text),
                })
            }
            Event::SequenceStart(style, ..) => {
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        self.close(style, &span);
                        break Value::Array(items);
                    }
                    items.push(self.node(event, &span, depth + 1)?);
                }
            }
            Event::MappingStart(style, ..) => {
                let mut members = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::MappingEnd {
                        self.close(style, &span);
                        break Value::Object(members);
                    }
                    let Event::Scalar(name, ..) = event else {
                        return Err(problem(&span, "has a name that is not text"));
                    };
                    let (event, below) = self.next()?;
                    members.push(Member {
                        at: start(&span),
                        name: name.into_owned(),
                        node: self.node(event, &below, depth + 1)?,
                    });
                }
            }
            Event::Alias(_) => {
                return Err(problem(span, "has a YAML alias: write the value again"));
            }
            _ => return Err(problem(span, "is not valid YAML")),
        };
        Ok(Node {
            at,
            end: self.end.max(at),
            value,
        })
    }

    /// A block ends where the last value in it does, a list in brackets after the bracket.
    fn close(&mut self, style: StructureStyle, span: &Span) {
        if style == StructureStyle::Flow {
            self.end = end(span);
        }
    }
}

fn problem(span: &Span, message: &str) -> Problem {
    Problem {
        at: start(span),
        message: message.to_owned(),
    }
}

fn start(span: &Span) -> usize {
    span.start.byte_offset().unwrap_or_default()
}

fn end(span: &Span) -> usize {
    span.end.byte_offset().unwrap_or_default()
}

fn plain(text: &str) -> String {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => "null".to_owned(),
        "true" | "True" | "TRUE" => "true".to_owned(),
        "false" | "False" | "FALSE" => "false".to_owned(),
        _ => match serde_json::from_str::<serde_json::Number>(text) {
            Ok(_) => text.to_owned(),
            Err(_) => quoted(text),
        },
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_reads_as_the_json_that_it_stands_for() {
        let text = "# a comment\n\
                    a: off\nb: [1, 01, 1.5, yes, null, 'x', \"\\n\", 0x1F, 1_000]\n\
                    c:\n- d: true\n  e: |\n    two\n    lines\n- !!str 7\n\
                    f: {\"g\": 2026-11-30, h: 12:30, i: }\n";
        let expected = "{\"a\":\"off\",\
            \"b\":[1,\"01\",1.5,\"yes\",null,\"x\",\"\\n\",\"0x1F\",\"1_000\"],\
            \"c\":[{\"d\":true,\"e\":\"two\\nlines\\n\"},\"7\"],\
            \"f\":{\"g\":\"2026-11-30\",\"h\":\"12:30\",\"i\":null}}";
        assert_eq!(parse(text).unwrap().to_string(), expected);
    }

    #[test]
    fn every_value_knows_where_it_begins_and_ends() {
        let text = "é: x\na: # one\n  # two\n  - b: 'y' # three\n    c: |\n      z\n\nd: { e: 1 } # four\n";
        let root = parse(text).unwrap();
        for (path, expected) in [
            ("\u{e9}", "x"),
            ("a", "- b: 'y' # three\n    c: |\n      z"),
            ("a[0]", "b: 'y' # three\n    c: |\n      z"),
            ("a[0].b", "'y'"),
            // The value of a block begins with its first line.
            ("a[0].c", "z"),
            ("d", "{ e: 1 }"),
            ("d.e", "1"),
        ] {
            let (steps, rest) = root.resolve(path);
            let node = root.follow(&steps).unwrap();
            assert_eq!(rest, "", "{path}");
            assert_eq!(text[node.at..node.end].trim_end(), expected, "{path}");
        }
    }

    #[test]
    fn what_json_does_not_have_is_rejected_with_its_place() {
        for (text, at, message) in [
            (
                "a: &x 1\nb: *x\n",
                11,
                "has a YAML alias: write the value again",
            ),
            ("a: !secret x\n", 11, "has a YAML tag: remove it"),
            ("? [a]\n: b\n", 2, "has a name that is not text"),
            ("a: 1\n---\nb: 2\n", 9, "has more than one YAML document"),
            ("# nothing\n", 0, "has no YAML document"),
        ] {
            let problem = parse(text).unwrap_err();
            assert_eq!(
                (problem.at, problem.message.as_str()),
                (at, message),
                "{text}"
            );
        }
        let problem = parse("a: [1\nb: 2\n").unwrap_err();
        assert!(
            problem.message.starts_with("is not valid YAML: "),
            "{problem:?}"
        );
        let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
        assert_eq!(parse(&deep).unwrap_err().message, "is nested too deeply");
    }
}
