//! What a route says of itself: parameters, bodies, answers, and every way in which it rejects.

use axum::http::{Method, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::code::Code;
use crate::roles::Action;

/// Describes a type, and the types that it refers to.
pub(super) type Describe = fn(&mut SchemaGenerator) -> Schema;

/// A part of the API, under which a client finds a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Of keys.
    Keys,
    /// Of tokens, and what they do.
    Tokens,
    /// For edges.
    Edges,
    /// For everyone else.
    Service,
}

impl Group {
    /// Its name and what it is for.
    pub(super) const ALL: [(Self, &'static str, &'static str); 4] = [
        (
            Self::Keys,
            "keys",
            "API keys: create, find, change, replace and revoke them.",
        ),
        (
            Self::Tokens,
            "tokens",
            "Tokens of operators and edges, and the audit log.",
        ),
        (
            Self::Edges,
            "edges",
            "What Envoy calls, and how far each Envoy has followed the change feed.",
        ),
        (
            Self::Service,
            "service",
            "Probes, metrics and public documents.",
        ),
    ];

    /// The name alone.
    pub(super) fn name(self) -> &'static str {
        let row = Self::ALL.iter().find(|(group, ..)| *group == self);
        row.map_or("", |(_, name, _)| name)
    }
}

/// A route's own part of the description.
pub(crate) struct Operation {
    pub(super) group: Group,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Describe>,
    pub(super) answers: Vec<Answer>,
    pub(super) has_etag: bool,
    /// The ids of operations that take the `id` of its answers.
    pub(super) next: &'static [&'static str],
    codes: Vec<Code>,
}

/// A parameter of the query, or a header.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) about: &'static str,
    pub(super) schema: Describe,
}

/// Where a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// All fields of the type, each a parameter.
    Fields,
    Query,
    Header,
}

/// An answer that is no rejection.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) about: &'static str,
    pub(super) content_type: &'static str,
    pub(super) schema: Describe,
}

/// The database cannot be asked.
const OF_STORE: [Code; 2] = [Code::DatabaseUnavailable, Code::Overloaded];

impl Operation {
    /// Begins one, with its name for programs and what it does.
    pub(crate) fn new(group: Group, id: &'static str, summary: &'static str) -> Self {
        Self {
            group,
            id,
            summary,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            has_etag: false,
            next: &[],
            codes: Vec::new(),
        }
    }

    /// It takes this JSON.
    pub(crate) fn body<T: JsonSchema>(self) -> Self {
        Self {
            body: Some(SchemaGenerator::subschema_for::<T>),
            ..self
        }
    }

    /// It takes the fields of this type as parameters of the query.
    pub(crate) fn query_of<T: JsonSchema>(self) -> Self {
        self.parameter("", Place::Fields, "", T::json_schema)
    }

    /// It takes this parameter of the query.
    pub(crate) fn query<T: JsonSchema>(self, name: &'static str, about: &'static str) -> Self {
        self.parameter(
            name,
            Place::Query,
            about,
            SchemaGenerator::subschema_for::<T>,
        )
    }

    /// It takes this header.
    pub(crate) fn header<T: JsonSchema>(self, name: &'static str, about: &'static str) -> Self {
        self.parameter(
            name,
            Place::Header,
            about,
            SchemaGenerator::subschema_for::<T>,
        )
    }

    fn parameter(
        mut self,
        name: &'static str,
        place: Place,
        about: &'static str,
        schema: Describe,
    ) -> Self {
        self.parameters.push(Parameter {
            name,
            place,
            about,
            schema,
        });
        self
    }

    /// It answers with this JSON.
    pub(crate) fn answer<T: JsonSchema>(self, status: StatusCode, about: &'static str) -> Self {
        self.answer_as::<T>(status, "application/json", about)
    }

    /// It answers with this, as content of another type.
    pub(crate) fn answer_as<T: JsonSchema>(
        mut self,
        status: StatusCode,
        content_type: &'static str,
        about: &'static str,
    ) -> Self {
        self.answers.push(Answer {
            status,
            about,
            content_type,
            schema: SchemaGenerator::subschema_for::<T>,
        });
        self
    }

    /// Its answers have the entity tag of a key.
    pub(crate) fn etag(self) -> Self {
        Self {
            has_etag: true,
            ..self
        }
    }

    /// These operations take the `id` of its answers.
    pub(crate) fn leads_to(self, next: &'static [&'static str]) -> Self {
        Self { next, ..self }
    }

    /// It asks the database.
    pub(crate) fn stored(self) -> Self {
        self.codes(&OF_STORE)
    }

    /// It rejects with these codes too, apart from those that follow from its action and its parts.
    pub(crate) fn codes(mut self, codes: &[Code]) -> Self {
        self.codes.extend(codes);
        self
    }

    /// All codes with which it rejects, in the order of [`Code::ALL`].
    pub(super) fn all_codes(&self, method: &Method, action: Action) -> Vec<Code> {
        use Code::*;
        let mut codes = self.codes.clone();
        codes.extend([Internal, Timeout]);
        if action != Action::Open {
            codes.extend([MissingToken, InvalidToken, WrongRole]);
        }
        if action.takes_assertions() {
            codes.extend([TwoCredentials, InvalidAssertion]);
        }
        let is_change = *method != Method::GET;
        if action.scopes().is_some() {
            codes.push(InsufficientScope);
            // Even without a body.
            codes.extend(is_change.then_some(UnsupportedMediaType));
        }
        if is_change {
            codes.extend([InvalidBody, BodyTooLarge, BodyTimeout]);
        }
        if self.body.is_some() {
            codes.extend([UnsupportedMediaType, InvalidField]);
        }
        if !self.parameters.is_empty() {
            codes.push(InvalidField);
        }
        let all = Code::ALL.iter();
        all.filter(|code| codes.contains(code)).copied().collect()
    }
}
