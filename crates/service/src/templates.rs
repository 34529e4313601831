//! Templates of the operator: values of a new key that a request leaves out, under a name.
//!
//! A template grants nothing. What it adds counts as if the request had said it, and has to be
//! within the rights of the caller and the limits.

use std::collections::{BTreeMap, HashSet};

use keygate_core::UnixMillis;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::attributes::{Attributes, CREATE_FIELDS, CreateBody};
use crate::json::{Names, object};
use crate::limits::KeyLimits;
use crate::members::Members;
use crate::space::{Space, Spaces};
use crate::wrong::{Errors, Wrong, expected};

/// The field of a request that names a template.
pub(crate) const FIELD: &str = "template";

/// Fields of a request that differ for each key, or are secret.
const NEVER: [&str; 4] = ["account", "expires_at", "sealed", FIELD];

/// Values of a new key.
#[derive(Clone, Debug)]
pub struct Template {
    /// Fields of a request with their values, as JSON.
    members: Vec<(String, String)>,
    /// What they mean, for a key that is made in 1970.
    attributes: Attributes,
    /// The space of its keys; without it, that of the request.
    space: Option<Space>,
}

/// Templates by their names.
pub type Templates = BTreeMap<String, Template>;

impl Template {
    /// The fields that a template can have, named as in a request.
    pub fn fields() -> impl Iterator<Item = &'static str> {
        let fields = CREATE_FIELDS.iter().copied();
        fields.filter(|name| !NEVER.contains(name))
    }

    /// Checks the values of [`Self::fields`].
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn new(fields: &Map<String, Value>) -> Result<Self, Errors> {
        let mut body = fields.clone();
        body.insert("account".to_owned(), "any".into());
        let draft = object::<CreateBody>(&Value::from(body).to_string(), Names::Shown);
        // It was made of an object.
        let draft = draft.map_err(|_| Wrong::invalid(FIELD, "must be an object"))?;
        let asked = CreateBody::check(draft, UnixMillis(0))?;
        let members = fields.iter();
        Ok(Self {
            members: members
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect(),
            space: fields.get("space").map(|_| asked.attributes.space.clone()),
            attributes: asked.attributes,
        })
    }

    /// Its space, if it is for keys of one.
    pub(crate) fn space(&self) -> Option<&Space> {
        self.space.as_ref()
    }

    /// Rejects a template of which no key could be made.
    pub(crate) fn check(&self, limits: &KeyLimits) -> Result<(), Errors> {
        let ends = Attributes {
            // The limits give an end to a key without one.
            expires_at: self
                .attributes
                .expires_at
                .or(limits.default_end(UnixMillis(0))),
            ..self.attributes.clone()
        };
        limits.check(&ends, UnixMillis(0))
    }

    fn is_seen(&self, spaces: &Spaces) -> bool {
        self.space().is_none_or(|space| spaces.has(space))
    }

    /// The body of a request, with what this adds to it.
    fn complete(
        &self,
        body: &str,
        given: &[(String, &RawValue)],
    ) -> Result<Zeroizing<String>, Wrong> {
        let names: HashSet<&str> = given.iter().map(|(name, _)| name.as_str()).collect();
        let is_given = |name: &str| match name {
            "expires_in" => names.contains("expires_in") || names.contains("expires_at"),
            name => names.contains(name),
        };
        let asked = given.iter().find(|(name, _)| name == "space");
        let asked =
            asked.and_then(|(_, json)| serde_json::from_str::<Option<String>>(json.get()).ok());
        if let (Some(own), Some(Some(asked))) = (self.space(), asked)
            && asked != own.as_str()
        {
            let detail = format!("must be that of the template: {own}");
            return Err(Wrong::invalid("space", detail));
        }
        // The object is not empty: it names the template.
        let open = body.trim_ascii_end();
        let open = open.strip_suffix('}').unwrap_or(open);
        let mut whole = Zeroizing::new(String::with_capacity(body.len().saturating_mul(2)));
        whole.push_str(open);
        for (name, json) in self.members.iter().filter(|(name, _)| !is_given(name)) {
            whole.push_str(&format!(",\"{name}\":{json}"));
        }
        whole.push('}');
        Ok(whole)
    }
}

/// The body of a request, with what the template adds that it names; `None` if it names none, or is
/// no body of which that could be said.
///
/// # Errors
/// There is no such template for a caller that sees these spaces, or it is for another space.
pub(crate) fn completed(
    templates: &Templates,
    body: &str,
    spaces: &Spaces,
) -> Result<Option<Zeroizing<String>>, Wrong> {
    let Ok(Members::<String>(given)) = serde_json::from_str(body) else {
        return Ok(None);
    };
    let named = given.iter().filter(|(name, _)| name == FIELD);
    let [(_, json)] = named.collect::<Vec<_>>()[..] else {
        return Ok(None);
    };
    let Ok(Some(name)) = serde_json::from_str::<Option<String>>(json.get()) else {
        return Ok(None);
    };
    let mut seen = templates.iter().filter(|(_, it)| it.is_seen(spaces));
    match seen.clone().find(|(known, _)| **known == name) {
        Some((_, template)) => template.complete(body, &given).map(Some),
        None => Err(unknown(&name, &mut seen)),
    }
}

/// A name that could be one is repeated.
fn unknown<'a>(name: &str, seen: &mut dyn Iterator<Item = (&'a String, &'a Template)>) -> Wrong {
    let known: Vec<&str> = seen.map(|(name, _)| name.as_str()).collect();
    let expected = match known.is_empty() {
        true => "there are none".to_owned(),
        false => expected(&known),
    };
    let detail = match Space::parse(name) {
        Ok(_) => format!("there is no template {name}; {expected}"),
        Err(_) => format!("must be the name of a template; {expected}"),
    };
    Wrong::invalid(FIELD, detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(fields: Value) -> Template {
        let Value::Object(fields) = fields else {
            panic!("an object")
        };
        Template::new(&fields).unwrap()
    }

    fn templates() -> Templates {
        let ci = json!({ "scopes": ["files:read"], "expires_in": "30d", "name": "ci" });
        let staging = json!({ "space": "staging", "labels": ["team=core"] });
        BTreeMap::from([
            ("ci".to_owned(), template(ci)),
            ("staging".to_owned(), template(staging)),
        ])
    }

    #[test]
    fn a_template_adds_what_the_request_leaves_out() {
        let add = |body: &str| {
            let whole = completed(&templates(), body, &Spaces::All).unwrap();
            serde_json::from_str::<Value>(&whole.unwrap()).unwrap()
        };
        assert_eq!(
            add(" {\"template\": \"ci\"} \n"),
            json!({ "template": "ci", "scopes": ["files:read"], "expires_in": "30d", "name": "ci" })
        );
        // What is given wins, even if it is nothing.
        let given = r#"{"scopes":[],"name":null,"expires_at":null,"template":"ci"}"#;
        assert_eq!(add(given), serde_json::from_str::<Value>(given).unwrap());
    }

    #[test]
    fn a_body_that_names_no_template_is_left_as_it_is() {
        for body in [
            "{}",
            "",
            "[]",
            r#"{"template":null}"#,
            r#"{"template":7}"#,
            r#"{"template":"ci","template":"ci"}"#,
            r#"{"template":"ci""#,
        ] {
            let whole = completed(&templates(), body, &Spaces::All).unwrap();
            assert!(whole.is_none(), "{body}");
        }
    }

    #[test]
    fn a_template_that_is_unknown_or_of_another_space_is_named() {
        let ask = |body: &str, spaces: &Spaces| {
            let asked = completed(&templates(), body, spaces);
            asked.unwrap_err().to_string()
        };
        let other = Spaces::Only(Space::parse("other").unwrap());
        assert_eq!(
            ask(r#"{"template":"gold"}"#, &Spaces::All),
            "template: there is no template gold; expected one of: ci, staging"
        );
        assert_eq!(
            ask(r#"{"template":"staging"}"#, &other),
            "template: there is no template staging; expected ci"
        );
        assert_eq!(
            ask(r#"{"template":"a key?"}"#, &other),
            "template: must be the name of a template; expected ci"
        );
        assert_eq!(
            ask(r#"{"template":"staging","space":"default"}"#, &Spaces::All),
            "space: must be that of the template: staging"
        );
    }

    #[test]
    fn a_template_that_no_key_could_be_made_of_is_rejected() {
        for (fields, place) in [
            (json!({ "scopes": ["a b"] }), "scopes[0]"),
            (json!({ "expires_in": "soon" }), "expires_in"),
            (json!({ "metadata": [] }), "metadata"),
            (json!({ "rate_limit": 7 }), "rate_limit"),
        ] {
            let Value::Object(fields) = fields else {
                panic!("an object")
            };
            let errors = Template::new(&fields).unwrap_err();
            let places: Vec<String> = errors.places().map(|(place, _)| place).collect();
            assert_eq!(places, [place]);
        }
    }
}
