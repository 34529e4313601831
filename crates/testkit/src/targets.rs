//! Fuzz targets by name: one for each format of signed URLs and one for each other parser.

use crate::links::Requests;
use crate::parsers::{PARSERS, Parser};
use crate::vectors;

/// What gets the inputs of a fuzzer.
pub enum Target {
    /// The policies of a format's known answers.
    Format(Requests),
    /// Any other parser of untrusted bytes.
    Parser(&'static Parser),
}

/// The name of every target: the formats in alphabetical order, then the parsers.
pub fn names() -> impl Iterator<Item = &'static str> {
    vectors::formats().chain(PARSERS.iter().map(|it| it.name))
}

impl Target {
    /// The target of a name.
    ///
    /// # Panics
    /// When none has this name; the message lists those that there are.
    pub fn of(name: &str) -> Self {
        if let Some(parser) = PARSERS.iter().find(|it| it.name == name) {
            return Self::Parser(parser);
        }
        assert!(
            vectors::formats().any(|it| it == name),
            "no fuzz target is named {name:?}: there are {}",
            names().collect::<Vec<_>>().join(", ")
        );
        Self::Format(Requests::of(name))
    }

    /// Tries one input.
    ///
    /// # Panics
    /// When the input breaks a promise of the target.
    pub fn run(&self, data: &[u8]) {
        match self {
            Self::Format(requests) => requests.run(data),
            Self::Parser(parser) => (parser.run)(data),
        }
    }

    /// The first inputs of its corpus.
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Format(requests) => requests.seeds(),
            Self::Parser(parser) => (parser.seeds)(),
        }
    }
}
