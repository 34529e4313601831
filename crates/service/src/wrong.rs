//! What is wrong with a request, field by field: all of it at once.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::words::words;

/// Most errors that an answer has. A body of 64 KiB could have thousands.
const MAX_ERRORS: usize = 100;

/// Errors that the sentence for people spells out.
const SPELLED: usize = 3;

words! {
    /// What is wrong with a field. `docs/errors.md` describes each.
    Fault {
        /// It is absent and must not be.
        Required = "required",
        /// Nothing here has this name.
        Unknown = "unknown",
        /// It is given more than once.
        Duplicate = "duplicate",
        /// It has the wrong JSON type.
        WrongType = "wrong_type",
        /// Its value is malformed or out of range.
        Invalid = "invalid",
        /// It cannot be combined with another field.
        Conflict = "conflict",
        /// It asks for more than the caller has.
        Beyond = "beyond_own_rights",
        /// It asks for more than the service allows.
        Limit = "beyond_limits",
    }
}

/// A step into JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(usize),
}

/// Where a value is in a body. Empty: the body itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer(Vec<Step>);

impl Pointer {
    /// An item of this value.
    #[must_use]
    pub fn item(mut self, at: usize) -> Self {
        self.0.push(Step::Item(at));
        self
    }

    /// The same value, of a body in which this one is a member.
    #[must_use]
    pub(crate) fn inside(mut self, member: impl Into<String>) -> Self {
        self.0.insert(0, Step::Member(member.into()));
        self
    }

    /// The same value, of a body in which this one is an item.
    #[must_use]
    pub(crate) fn inside_item(mut self, at: usize) -> Self {
        self.0.insert(0, Step::Item(at));
        self
    }

    /// The field that it is in or at.
    pub(crate) fn field(&self) -> Option<&str> {
        match self.0.first() {
            Some(Step::Member(name)) => Some(name),
            _ => None,
        }
    }

    /// As RFC 6901 writes it, such as `/scopes/3`.
    pub fn rfc_6901(&self) -> String {
        let step = |step: &Step| match step {
            Step::Member(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
            Step::Item(at) => format!("/{at}"),
        };
        self.0.iter().map(step).collect()
    }
}

impl From<&str> for Pointer {
    fn from(field: &str) -> Self {
        Self(vec![Step::Member(field.to_owned())])
    }
}

impl From<String> for Pointer {
    fn from(field: String) -> Self {
        Self(vec![Step::Member(field)])
    }
}

/// As people read it, such as `scopes[3]`.
impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Member(name) if place == 0 => f.write_str(name)?,
                Step::Member(name) => write!(f, ".{name}")?,
                Step::Item(at) => write!(f, "[{at}]")?,
            }
        }
        Ok(())
    }
}

/// One thing that is wrong, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    at: Pointer,
    fault: Fault,
    detail: String,
}

impl Wrong {
    /// Something that is wrong at this place. The detail goes on from its name: `must be …`.
    pub fn new(at: impl Into<Pointer>, fault: Fault, detail: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            fault,
            detail: detail.into(),
        }
    }

    /// A value of another form than this.
    pub fn invalid(at: impl Into<Pointer>, detail: impl Into<String>) -> Self {
        Self::new(at, Fault::Invalid, detail)
    }

    /// A field that is absent.
    pub fn required(at: impl Into<Pointer>) -> Self {
        Self::new(at, Fault::Required, "is required")
    }

    /// A field that is given more than once.
    pub fn duplicate(at: impl Into<Pointer>) -> Self {
        Self::new(at, Fault::Duplicate, "is given more than once")
    }

    /// A field that has no name of these.
    pub fn unknown(at: impl Into<Pointer>, known: &[&str]) -> Self {
        let detail = match known {
            [] => "is unknown: this resource takes no parameters".to_owned(),
            known => format!("is unknown; {}", expected(known)),
        };
        Self::new(at, Fault::Unknown, detail)
    }

    /// The item that is wrong, if this is about an item of a field.
    pub(crate) fn item(&self) -> Option<usize> {
        match self.at.0[..] {
            [Step::Member(_), Step::Item(at)] => Some(at),
            _ => None,
        }
    }

    /// The same, inside of a member or an item of a larger body.
    pub(crate) fn moved(self, into: impl FnOnce(Pointer) -> Pointer) -> Self {
        Self {
            at: into(self.at),
            ..self
        }
    }
}

/// Lists the names that are known, at least one.
pub(crate) fn expected(known: &[&str]) -> String {
    match known {
        [only] => format!("expected {only}"),
        several => format!("expected one of: {}", several.join(", ")),
    }
}

/// The place first; nothing has a name if the body itself is wrong.
impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at.0.is_empty() {
            true => write!(f, "the body {}", self.detail),
            false => write!(f, "{}: {}", self.at, self.detail),
        }
    }
}

/// Which part of a request its names are of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Body,
    Query,
    Header,
}

/// What is wrong with one part of a request; nothing at first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    part: Part,
    list: Vec<Wrong>,
    /// How many have no place in the list.
    more: usize,
}

impl Errors {
    /// What is wrong with the query.
    #[must_use]
    pub(crate) fn of_query(self) -> Self {
        Self {
            part: Part::Query,
            ..self
        }
    }

    /// What is wrong with a header.
    pub(crate) fn of_header(name: &str, detail: &str) -> Self {
        Self {
            part: Part::Header,
            ..Wrong::invalid(name, detail).into()
        }
    }

    /// The same, of a body in which this one is a member.
    #[must_use]
    pub(crate) fn inside(self, member: &str) -> Self {
        let list = self.list.into_iter();
        let moved = |wrong: Wrong| wrong.moved(|at| at.inside(member));
        Self {
            list: list.map(moved).collect(),
            ..self
        }
    }

    /// The same, of a body in which this one is an item of a member.
    #[must_use]
    pub(crate) fn inside_item(self, member: &str, place: usize) -> Self {
        let list = self.list.into_iter();
        let moved = |wrong: Wrong| wrong.moved(|at| at.inside_item(place).inside(member));
        Self {
            list: list.map(moved).collect(),
            ..self
        }
    }

    /// Adds an error.
    pub(crate) fn push(&mut self, wrong: Wrong) {
        match self.list.len() < MAX_ERRORS {
            true => self.list.push(wrong),
            false => self.more = self.more.saturating_add(1),
        }
    }

    /// Adds what is wrong with a value, or returns it.
    pub(crate) fn keep<T, E: Into<Self>>(&mut self, checked: Result<T, E>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(errors) => {
                let Self { list, more, .. } = errors.into();
                list.into_iter().for_each(|wrong| self.push(wrong));
                self.more = self.more.saturating_add(more);
                None
            }
        }
    }

    /// The value; if it is wrong, none that means anything.
    pub(crate) fn of<T: Default, E: Into<Self>>(&mut self, checked: Result<T, E>) -> T {
        self.keep(checked).unwrap_or_default()
    }

    /// Checks a field, unless something is wrong with it already.
    pub(crate) fn check<T, E: Into<Self>>(
        &mut self,
        field: &str,
        check: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.name(field) {
            true => None,
            false => self.keep(check(field)),
        }
    }

    /// Whether something is wrong with a field, so that it need not be looked at any more.
    pub(crate) fn name(&self, field: &str) -> bool {
        self.list
            .iter()
            .any(|wrong| wrong.at.field() == Some(field))
    }

    /// Whether there is room for no more.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MAX_ERRORS
    }

    /// Nothing is wrong, or these are the errors.
    ///
    /// # Errors
    /// These, if there are any.
    pub(crate) fn none(self) -> Result<(), Self> {
        match self.list.is_empty() {
            true => Ok(()),
            false => Err(self),
        }
    }

    /// Where each is, such as `scopes[3]`, and what the value must be.
    pub fn places(&self) -> impl Iterator<Item = (String, &str)> {
        let wrong = self.list.iter();
        wrong.map(|wrong| (wrong.at.to_string(), &*wrong.detail))
    }

    /// As an answer has them.
    pub(crate) fn shown(&self) -> Vec<Shown<'_>> {
        let shown = |wrong| Shown::new(self.part, wrong);
        self.list.iter().map(shown).collect()
    }
}

impl From<Wrong> for Errors {
    fn from(wrong: Wrong) -> Self {
        Self {
            list: vec![wrong],
            ..Self::default()
        }
    }
}

impl std::error::Error for Errors {}

/// A sentence for people.
impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = &self.list[..] {
            return only.fmt(f);
        }
        let count = self.list.len().saturating_add(self.more);
        write!(f, "{count} values are wrong")?;
        for (place, wrong) in self.list.iter().take(SPELLED).enumerate() {
            let before = if place == 0 { ": " } else { "; " };
            write!(f, "{before}{wrong}")?;
        }
        match count.saturating_sub(SPELLED) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// A value that is wrong. It has one of `pointer`, `parameter` and `header`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WrongValue")]
pub(crate) struct Shown<'a> {
    /// Where it is in the body (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pointer: Option<String>,
    /// Which parameter of the query it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    parameter: Option<String>,
    /// Which header it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    header: Option<String>,
    /// What it must be, for people.
    detail: &'a str,
    /// What is wrong with it, for programs.
    #[schemars(with = "Fault")]
    code: &'static str,
}

impl<'a> Shown<'a> {
    fn new(part: Part, wrong: &'a Wrong) -> Self {
        let of = |it| part == it;
        Self {
            pointer: of(Part::Body).then(|| wrong.at.rfc_6901()),
            parameter: of(Part::Query).then(|| wrong.at.to_string()),
            header: of(Part::Header).then(|| wrong.at.to_string()),
            detail: &wrong.detail,
            code: wrong.fault.word(),
        }
    }
}

#[cfg(test)]
mod tests;
