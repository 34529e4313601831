//! A JSON object as a struct. All that is wrong with its members is found at once: each of them
//! that does not fit is reported and left out, and the rest is read again without it. Members with
//! unknown names are left out together, so that the number of reads has a bound.

use std::collections::HashSet;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, IntoDeserializer as _, MapAccess};
use serde_json::value::RawValue;

use super::{Json, Unfit};
use crate::members::Members;
use crate::wrong::{Errors, Pointer, Wrong};

/// Most bytes of a name that an error repeats.
const MAX_NAME: usize = 64;

/// What could be read of a body, and what is wrong with the rest.
#[derive(Debug)]
pub(crate) struct Draft<T> {
    /// Without the members that are wrong; `None` if one of them is required.
    pub(crate) body: Option<T>,
    /// Empty if nothing is wrong.
    pub(crate) errors: Errors,
}

impl<T> Draft<T> {
    /// The body, if nothing is wrong with it.
    ///
    /// # Errors
    /// All that is wrong.
    pub(crate) fn complete(self) -> Result<T, Errors> {
        self.errors.clone().none()?;
        self.body.ok_or(self.errors)
    }
}

/// Why a text is no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoObject {
    /// It is something else.
    Other,
    /// It is not JSON, from this place on, each counted from 1.
    Syntax { line: usize, column: usize },
}

/// Whether errors may repeat names that are not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// They are names of fields, misspelled.
    Shown,
    /// They may be secrets in a wrong place.
    Hidden,
}

/// Reads the members of an object, each at most once.
///
/// # Errors
/// [`NoObject`] if there are none to read.
pub(crate) fn object<T: DeserializeOwned>(text: &str, names: Names) -> Result<Draft<T>, NoObject> {
    // serde would also take `["alice"]` for a struct, field by field.
    let is_object = text.trim_ascii_start().starts_with('{');
    let members: Result<Members<'_, &RawValue>, _> = serde_json::from_str(text);
    let Members(members) = members.map_err(|error| match is_object || error.is_syntax() {
        true => NoObject::Syntax {
            line: error.line(),
            column: error.column(),
        },
        false => NoObject::Other,
    })?;
    Ok(Reader::new(members, names).read())
}

/// A member that may still fit.
struct Member<'a> {
    name: String,
    value: &'a RawValue,
    /// Items of its list that do not fit.
    skipped: Vec<usize>,
}

struct Reader<'a> {
    members: Vec<Member<'a>>,
    names: Names,
    /// Names that were given before.
    again: Vec<String>,
    /// Names that are no fields.
    unknown: HashSet<String>,
    errors: Errors,
}

impl<'a> Reader<'a> {
    fn new(members: Vec<(&'a RawValue, &'a RawValue)>, names: Names) -> Self {
        let mut reader = Self {
            members: Vec::new(),
            names,
            again: Vec::new(),
            unknown: HashSet::new(),
            errors: Errors::default(),
        };
        let mut seen = HashSet::new();
        for (name, value) in members {
            let Ok(name) = serde_json::from_str::<String>(name.get()) else {
                let detail = "has a field whose name contains half of a surrogate pair";
                let wrong = Wrong::invalid(Pointer::default(), detail);
                reader.errors.push(wrong);
                continue;
            };
            if !seen.insert(name.clone()) {
                reader.again.push(name);
                continue;
            }
            reader.members.push(Member {
                name,
                value,
                skipped: Vec::new(),
            });
        }
        reader
    }

    fn read<T: DeserializeOwned>(mut self) -> Draft<T> {
        let body = loop {
            if self.errors.is_full() {
                break None;
            }
            let mut fields = Fields {
                members: self.members.iter(),
                current: None,
                place: 0,
            };
            let read = T::deserialize(MapAccessDeserializer::new(&mut fields));
            // Counted from 1.
            let place = fields.place.checked_sub(1);
            match (read, place) {
                (Ok(body), _) => break Some(body),
                (Err(Unfit::Missing(field)), _) => {
                    if !self.errors.name(field) {
                        self.errors.push(Wrong::required(field));
                    }
                    break None;
                }
                (Err(unfit), Some(place)) if place < self.members.len() => {
                    self.leave_out(place, unfit);
                }
                (Err(unfit), _) => {
                    self.errors.push(unfit.moved(|at| at));
                    break None;
                }
            }
        };
        for name in std::mem::take(&mut self.again) {
            if !self.unknown.contains(&name) {
                self.errors.push(Wrong::duplicate(name));
            }
        }
        Draft {
            body,
            errors: self.errors,
        }
    }

    fn leave_out(&mut self, place: usize, unfit: Unfit) {
        let wrong = match unfit {
            Unfit::Unknown(known) => return self.leave_out_unknown(place, known),
            unfit => unfit.moved(|at| at),
        };
        match (wrong.item(), self.members.get_mut(place)) {
            // Its other items may be wrong, too.
            (Some(item), Some(member)) => member.skipped.push(item),
            _ => drop(self.members.remove(place)),
        }
        self.errors.push(wrong);
    }

    /// Leaves out the member in this place, and every other that has none of these names. One at a
    /// time would read a body of 64 KiB thousands of times.
    fn leave_out_unknown(&mut self, place: usize, known: &'static [&'static str]) {
        let first = self.members.remove(place);
        let is_unknown = |member: &mut Member<'_>| !known.contains(&member.name.as_str());
        let others = self.members.extract_if(.., is_unknown);
        let mut has_hidden = false;
        for Member { name, .. } in std::iter::once(first).chain(others) {
            match self.names == Names::Shown && name.len() <= MAX_NAME {
                true => self.errors.push(Wrong::unknown(name.as_str(), known)),
                false => has_hidden = true,
            }
            self.unknown.insert(name);
        }
        // Without their names, all of them are one.
        if has_hidden {
            self.errors.push(Unfit::Unknown(known).moved(|at| at));
        }
    }
}

/// The members that are still to be read, and the one whose name was.
struct Fields<'a> {
    members: std::slice::Iter<'a, Member<'a>>,
    current: Option<&'a Member<'a>>,
    /// Of the current one, counted from 1.
    place: usize,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unfit> {
        self.current = self.members.next();
        self.place = self.place.saturating_add(1);
        let Some(member) = self.current else {
            return Ok(None);
        };
        let name: StrDeserializer<'_, Unfit> = member.name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        let Some(member) = self.current else {
            return Err(Unfit::form("read after its name"));
        };
        let json = Json {
            value: member.value,
            skipped: &member.skipped,
        };
        let value = seed.deserialize(json);
        value.map_err(|unfit| Unfit::Wrong(unfit.moved(|inner| inner.inside(&member.name))))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde::{Deserialize, Deserializer};
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it is read counts")]
    struct Body {
        id: String,
        #[serde(default)]
        tags: Vec<String>,
        note: Option<String>,
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it is read counts")]
    struct Inner {
        count: u64,
    }

    /// Each error as `pointer code`.
    fn wrong(text: &str) -> Vec<String> {
        let draft = object::<Body>(text, Names::Shown).unwrap();
        let shown = json!(draft.errors.shown());
        let each = shown.as_array().unwrap().iter();
        each.map(|it| format!("{} {}", it["pointer"], it["code"]).replace('"', ""))
            .collect()
    }

    #[test]
    fn every_member_that_does_not_fit_is_reported() {
        assert!(wrong(r#" {"id":"a","tags":["b"],"note":null} "#).is_empty());
        for (text, expected) in [
            ("{}", &["/id required"][..]),
            (r#"{"id":7}"#, &["/id wrong_type"]),
            (
                r#"{"id":"a","id":"a","\u0069d":"a"}"#,
                &["/id duplicate", "/id duplicate"],
            ),
            (
                r#"{"id":"a","tags":[1,"b",null],"note":[],"nóte":1}"#,
                &[
                    "/tags/0 wrong_type",
                    "/tags/2 wrong_type",
                    "/note wrong_type",
                    "/nóte unknown",
                ],
            ),
            (r#"{"id":"a","x":1,"x":2}"#, &["/x unknown"]),
            (r#"{"id":"a","note":"\ud800"}"#, &["/note invalid"]),
            (r#"{"id":"a","\ud800":1}"#, &[" invalid"]),
            (
                r#"{"id":"a","inner":{"count":-1}}"#,
                &["/inner/count wrong_type"],
            ),
            (r#"{"id":"a","inner":{}}"#, &["/inner/count required"]),
            (
                r#"{"id":"a","inner":{"count":1,"x":1}}"#,
                &["/inner unknown"],
            ),
            (r#"{"id":"a","inner":[]}"#, &["/inner wrong_type"]),
        ] {
            assert_eq!(wrong(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_without_members_is_no_object() {
        let read = |text| object::<Body>(text, Names::Shown).unwrap_err();
        for text in [r#"["a"]"#, "null", "\"a\"", "7"] {
            assert_eq!(read(text), NoObject::Other, "{text}");
        }
        for (text, line, column) in [
            (r#"{"id":"a"} x"#, 1, 12),
            ("{\n\"id\":}", 2, 6),
            ("{", 1, 1),
        ] {
            assert_eq!(read(text), NoObject::Syntax { line, column }, "{text}");
        }
    }

    thread_local! {
        /// How often a body was read.
        static READS: Cell<usize> = const { Cell::new(0) };
    }

    /// A body that counts how often it is read.
    struct Counted;

    impl<'de> Deserialize<'de> for Counted {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            READS.set(READS.get() + 1);
            Body::deserialize(deserializer).map(|_| Self)
        }
    }

    #[test]
    fn thousands_of_errors_are_neither_listed_nor_all_looked_for() {
        let members: Vec<String> = (0..9000).map(|at| format!(r#""a{at}":0"#)).collect();
        let text = format!("{{{}}}", members.join(","));
        // Hidden, all unknown names are one error; the other is the missing id.
        for (names, listed) in [(Names::Shown, 100), (Names::Hidden, 2)] {
            READS.set(0);
            let draft = object::<Counted>(&text, names).unwrap();
            assert_eq!(draft.errors.shown().len(), listed);
            assert!(READS.get() <= 2, "{names:?}: read {} times", READS.get());
        }
    }
}
