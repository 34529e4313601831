//! What is wrong with the structure of a policy, by the schema of its types.
//!
//! The schema says more than structure: patterns, ranges and lengths are left to the
//! compiler, whose messages say why. Of several alternatives the one counts that `type` and
//! `format`, or the only member of an object, name.

use std::fmt;
use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{JsonType, ValidationError, Validator};
use serde_json::Value;

use crate::similar::did_you_mean;

/// A step from a value to one in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Member(String),
    Item(usize),
}

/// What is wrong in one place.
#[derive(Debug, PartialEq)]
pub struct Wrong {
    /// The way to the value.
    pub steps: Vec<Step>,
    pub fault: Fault,
    /// What to say of it. It quotes no value: that may be a secret.
    pub message: String,
}

#[derive(Debug, PartialEq)]
pub enum Fault {
    /// The object has a member of this name and should not; these it may have.
    Unknown(String, Vec<&'static str>),
    /// The object has no member of this name and should.
    Missing(String),
    /// Something like this should be there.
    Instead(Value),
    /// The value is the member of an object that should be something like this.
    Name(Value),
    /// A wrong value, as opposed to a wrong name.
    Held(Value),
}

static SCHEMA: LazyLock<Value> = LazyLock::new(keygate_core::config::schema);

static VALIDATOR: LazyLock<Option<Validator>> =
    LazyLock::new(|| jsonschema::validator_for(&SCHEMA).ok());

/// Everything that is wrong with the structure of this policy.
pub fn faults(policy: &Value) -> Vec<Wrong> {
    let errors = VALIDATOR.iter().flat_map(|it| it.iter_errors(policy));
    errors.flat_map(|error| of_error(&error, policy)).collect()
}

/// What is said of each field of this policy that is unknown. `others` are not offered instead of
/// a field that is so many steps from the root.
pub fn unknown_fields(policy: &Value, depth: usize, others: &[&str]) -> Vec<String> {
    let told = |wrong: Wrong| match wrong.fault {
        Fault::Unknown(name, mut known) => {
            known.retain(|it| wrong.steps.len() != depth || !others.contains(it));
            Some(unknown(&name, &known))
        }
        _ => None,
    };
    faults(policy).into_iter().filter_map(told).collect()
}

fn unknown(name: &str, known: &[&str]) -> String {
    match did_you_mean(name, known.iter().copied()) {
        meant if meant.is_empty() => {
            let all: Vec<String> = known.iter().map(|it| format!("`{it}`")).collect();
            format!("unknown field `{name}`, expected {}", one_of(&all))
        }
        meant => format!("unknown field `{name}`{meant}"),
    }
}

fn of_error(error: &ValidationError<'_>, policy: &Value) -> Vec<Wrong> {
    let at = error.instance_path();
    let wrong = |fault, message| {
        vec![Wrong {
            steps: steps(at),
            fault,
            message,
        }]
    };
    match error.kind() {
        Kind::Type { kind } => {
            let names: Vec<String> = types(kind).map(|it| type_name(it).to_owned()).collect();
            let stand_in = types(kind).next().map_or(Value::Null, stand_in);
            wrong(
                Fault::Instead(stand_in),
                format!("expected {}", one_of(&names)),
            )
        }
        Kind::Enum { options } => {
            let mut options = options.as_array().into_iter().flatten();
            let names: Vec<String> = options
                .clone()
                .map(|it| format!("`{}`", it.as_str().unwrap_or_default()))
                .collect();
            let first = options.next().cloned().unwrap_or_default();
            let given = policy.pointer(at.as_str()).and_then(Value::as_str);
            let known = names.iter().map(|it| it.trim_matches('`'));
            let meant = did_you_mean(given.unwrap_or_default(), known);
            wrong(
                Fault::Instead(first),
                format!("expected {}{meant}", one_of(&names)),
            )
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            wrong(
                Fault::Missing(name.to_owned()),
                format!("missing field `{name}`"),
            )
        }
        Kind::AdditionalProperties { unexpected } => {
            let known = known_fields(error.schema_path());
            let of_name = |name: &String| Wrong {
                steps: steps(at),
                fault: Fault::Unknown(name.clone(), known.clone()),
                message: unknown(name, &known),
            };
            unexpected.iter().map(of_name).collect()
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            of_alternatives(at, context, policy)
        }
        _ => Vec::new(),
    }
}

/// What is wrong with a value of which none of several alternatives holds.
fn of_alternatives(
    at: &Location,
    context: &[Vec<ValidationError<'static>>],
    policy: &Value,
) -> Vec<Wrong> {
    let Some(value) = policy.pointer(at.as_str()) else {
        return Vec::new();
    };
    let all = |errors: &Errors<'_>| {
        let errors = errors.iter();
        errors.flat_map(|error| of_error(error, policy)).collect()
    };
    let mut leaves = Vec::new();
    expand(at, context, &mut leaves);
    // A provider. What is wrong with `type` and `format` themselves, its reader says.
    if leaves.iter().any(|errors| is_by_type(errors, at)) {
        let mut named = leaves.iter().filter(|errors| is_named(errors, at));
        return match (named.next(), named.next()) {
            (Some(errors), None) => all(errors),
            _ => Vec::new(),
        };
    }
    let fitting = leaves
        .iter()
        .filter(|errors| !errors.iter().any(|it| is_of_another_kind(it, at)));
    let fitting: Vec<&Errors<'_>> = fitting.collect();
    let is_inside = |errors: &&&Errors<'_>| errors.iter().all(|it| it.instance_path() != at);
    match fitting.as_slice() {
        [only] => return all(only),
        several => {
            if let Some(errors) = several.iter().find(is_inside) {
                return all(errors);
            }
        }
    }
    let choices: Vec<Choice> = leaves.iter().filter_map(|it| choice(it, at)).collect();
    let expected: Vec<String> = choices.iter().map(ToString::to_string).collect();
    let names = choices.iter().filter_map(|it| match it {
        Choice::Name(name) => Some(name.as_str()),
        Choice::Member(_) | Choice::Type(_) => None,
    });
    let meant = did_you_mean(value.as_str().unwrap_or_default(), names);
    let expected = format!("expected {}{meant}", one_of(&expected));
    let stand_in = stand_in_of(&choices);
    let mut steps = steps(at);
    let has_plain = choices.iter().any(|it| matches!(it, Choice::Type(_)));
    match value.as_object().filter(|it| it.len() == 1) {
        // Not plain, and an object of one member: its name is the wrong one.
        Some(members) if has_plain && !fitting.is_empty() => {
            let name = members.keys().next().cloned().unwrap_or_default();
            let message = format!("unknown value `{name}`, {expected}");
            steps.push(Step::Member(name));
            vec![Wrong {
                steps,
                fault: Fault::Name(stand_in),
                message,
            }]
        }
        // A name that holds nothing, and here holds something.
        Some(members) if members.keys().any(|it| is_name(&choices, it)) => {
            steps.extend(members.keys().cloned().map(Step::Member));
            let is_held = members.values().any(|it| !it.is_null());
            let wrong = Wrong {
                steps,
                fault: Fault::Held(stand_in),
                message: "expected null".to_owned(),
            };
            is_held.then_some(wrong).into_iter().collect()
        }
        _ => vec![Wrong {
            steps,
            fault: Fault::Instead(stand_in),
            message: expected,
        }],
    }
}

type Errors<'e> = Vec<&'e ValidationError<'static>>;

/// The errors of each alternative; alternatives of alternatives count one by one.
fn expand<'e>(
    at: &Location,
    context: &'e [Vec<ValidationError<'static>>],
    leaves: &mut Vec<Errors<'e>>,
) {
    for errors in context {
        match errors.as_slice() {
            [only] if only.instance_path() == at => match only.kind() {
                Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                    expand(at, context, leaves);
                }
                _ => leaves.push(vec![only]),
            },
            several => leaves.push(several.iter().collect()),
        }
    }
}

/// Whether this alternative has a `type`, which the value does not name.
fn is_by_type(errors: &Errors<'_>, at: &Location) -> bool {
    errors.iter().any(|error| match error.kind() {
        Kind::Constant { .. } | Kind::Type { .. } => *error.instance_path() == at.join("type"),
        Kind::Required { property } => error.instance_path() == at && property == "type",
        _ => false,
    })
}

/// Whether `type` and `format` are those of this alternative.
fn is_named(errors: &Errors<'_>, at: &Location) -> bool {
    let (kind, format) = (at.join("type"), at.join("format"));
    !errors
        .iter()
        .any(|it| *it.instance_path() == kind || *it.instance_path() == format)
}

/// Whether the value itself is of another kind than this alternative.
fn is_of_another_kind(error: &ValidationError<'_>, at: &Location) -> bool {
    let is_kind = matches!(
        error.kind(),
        Kind::Type { .. } | Kind::Constant { .. } | Kind::Enum { .. }
    );
    is_kind && error.instance_path() == at
}

/// What a value may be.
enum Choice {
    Name(String),
    /// An object with one member of this name.
    Member(String),
    Type(JsonType),
}

fn is_name(choices: &[Choice], name: &str) -> bool {
    choices
        .iter()
        .any(|it| matches!(it, Choice::Name(known) if known == name))
}

impl Choice {
    fn stand_in(&self) -> Value {
        match self {
            Self::Name(name) => name.as_str().into(),
            Self::Member(name) => serde_json::json!({ name.as_str(): null }),
            Self::Type(json) => stand_in(*json),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "`{name}`"),
            Self::Member(name) => write!(f, "{{`{name}`: …}}"),
            Self::Type(json) => f.write_str(type_name(*json)),
        }
    }
}

/// A value of a plain type if there is one. Else the second name: the first is often the
/// default, which may bind what depends on it more than the others do.
fn stand_in_of(choices: &[Choice]) -> Value {
    let plain = choices.iter().find(|it| matches!(it, Choice::Type(_)));
    let chosen = plain.or(choices.get(1)).or(choices.first());
    chosen.map_or(Value::Null, Choice::stand_in)
}

/// What an alternative would have the value be; `None` for `null`, which means to leave it out.
fn choice(errors: &Errors<'_>, at: &Location) -> Option<Choice> {
    let own = errors.iter().find(|it| it.instance_path() == at)?;
    let constant = errors.iter().find_map(|it| match it.kind() {
        Kind::Constant { expected_value } => expected_value.as_str(),
        _ => None,
    });
    if let Some(name) = constant {
        return Some(Choice::Name(name.to_owned()));
    }
    let schema = schema_of(own.schema_path());
    let required = schema.and_then(|it| it.get("required")?.as_array());
    if let Some([name]) = required.map(Vec::as_slice) {
        return Some(Choice::Member(name.as_str()?.to_owned()));
    }
    match own.kind() {
        Kind::Type { kind } => types(kind).next().map(Choice::Type),
        _ => None,
    }
}

/// The schema that has this keyword.
fn schema_of(keyword: &Location) -> Option<&'static Value> {
    let (parent, _) = keyword.as_str().rsplit_once('/')?;
    SCHEMA.pointer(parent)
}

fn known_fields(keyword: &Location) -> Vec<&'static str> {
    let known = schema_of(keyword).and_then(|it| it.get("properties")?.as_object());
    let names = known.into_iter().flat_map(|it| it.keys());
    names.map(String::as_str).collect()
}

fn one_of(all: &[String]) -> String {
    match all {
        [] => "something else".to_owned(),
        [one] => one.clone(),
        [one, other] => format!("{one} or {other}"),
        _ => format!("one of {}", all.join(", ")),
    }
}

/// Without `null`, which means to leave it out.
fn types(kind: &TypeKind) -> impl Iterator<Item = JsonType> {
    let (one, several) = match kind {
        TypeKind::Single(one) => (Some(*one), None),
        TypeKind::Multiple(several) => (None, Some(several.iter())),
    };
    let all = one.into_iter().chain(several.into_iter().flatten());
    all.filter(|it| *it != JsonType::Null)
}

fn stand_in(json: JsonType) -> Value {
    match json {
        JsonType::Array => Value::Array(Vec::new()),
        JsonType::Boolean => false.into(),
        JsonType::Integer | JsonType::Number => 0.into(),
        JsonType::Null => Value::Null,
        JsonType::Object => serde_json::json!({}),
        JsonType::String => "".into(),
    }
}

fn type_name(json: JsonType) -> &'static str {
    match json {
        JsonType::Array => "a list",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::Null => "null",
        JsonType::Object => "an object",
        JsonType::String => "a string",
    }
}

fn steps(at: &Location) -> Vec<Step> {
    let step = |segment: LocationSegment<'_>| match segment {
        LocationSegment::Property(name) => Step::Member(name.into_owned()),
        LocationSegment::Index(index) => Step::Item(index),
    };
    at.iter().map(step).collect()
}
