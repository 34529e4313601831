//! The reader of the written types against what serde derives for them.

use std::fmt::{self, Debug};
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::tree::{self, Elsewhere, Start, Tree, UniqueMap};
use super::written::{self, Group, Requirement};
use crate::answer::Json;

/// What the two make of a text: the value as `Debug` shows it, or the path and the message.
type Made = Result<String, (String, String)>;

/// Values in which every member finds one that fits.
pub struct Values(Vec<String>);

impl Values {
    /// Shows that both readers make the same of objects of this type, and keeps one.
    pub fn agree<T: Start + DeserializeOwned + Debug>(&mut self) {
        let names = listed(&same::<T>("{\"?\": 0}").unwrap_err().1);
        let mut fitting: Vec<Vec<String>> = Vec::new();
        for name in &names {
            let is_fit = |value: &String| {
                let made = same::<T>(&format!("{{\"{name}\": {value}}}"));
                match made {
                    Ok(_) => true,
                    // Others are missing.
                    Err((path, _)) => path.is_empty(),
                }
            };
            let message = same::<T>(&format!("{{\"{name}\": \"?\"}}"));
            let words = message
                .map_err(|it| listed(&it.1))
                .err()
                .unwrap_or_default();
            let words = words.iter().flat_map(|word| {
                [
                    format!("\"{word}\""),
                    format!("{{\"{word}\": null}}"),
                    format!("{{\"{word}\": \"x\"}}"),
                    format!("{{\"{word}\": 1, \"?\": 2}}"),
                ]
            });
            let values: Vec<String> = self.0.iter().cloned().chain(words).collect();
            let values: Vec<String> = values.into_iter().filter(is_fit).collect();
            assert!(!values.is_empty(), "nothing fits {name}");
            fitting.push(values);
        }
        let object = |but: usize, value: Option<&str>| {
            let members = names.iter().zip(&fitting).enumerate();
            let members = members.filter_map(|(index, (name, values))| {
                let value = match index == but {
                    true => value,
                    // Short: what is kept is a value for others.
                    false => {
                        let given = values.iter().filter(|it| *it != "null");
                        given.min_by_key(|it| it.len()).map(String::as_str)
                    }
                };
                value.map(|it| format!("\"{name}\": {it}"))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(",\n"))
        };
        for (index, values) in fitting.iter().enumerate() {
            let _ = same::<T>(&object(index, None));
            for value in values {
                same::<T>(&object(index, Some(value))).unwrap();
            }
            let (name, value) = (&names[index], &values[0]);
            let twice = format!("{value}, \"{name}\": {value}");
            let twice = same::<T>(&object(index, Some(&twice))).unwrap_err();
            assert!(twice.1.starts_with("duplicate field"), "{twice:?}");
        }
        for value in ["null", "true", "7", "-7", "7.5", "\"x\"", "[]", "{}"] {
            let _ = same::<T>(value);
        }
        self.0.push(object(usize::MAX, None));
    }
}

/// Both readers, whose results must be one.
fn same<T: Start + DeserializeOwned + Debug>(text: &str) -> Made {
    let tree = Tree::parse(text.as_bytes()).unwrap();
    let made = |made: Result<T, tree::Error>| match made {
        Ok(value) => Ok(format!("{value:?}")),
        Err(error) => Err((error.path().to_owned(), error.message(text.as_bytes()))),
    };
    let ours = made(tree.form());
    assert_eq!(ours, made(tree.read()), "{text}");
    ours
}

/// The names that a message lists.
fn listed(message: &str) -> Vec<String> {
    let Some((_, names)) = message.split_once(", expected ") else {
        return Vec::new();
    };
    let names = names.split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

#[test]
fn every_written_type_is_read_as_serde_would() {
    let mut values = Values(Vec::new());
    for value in [
        "null",
        "true",
        "0",
        "-1",
        "65535",
        "65536",
        "18446744073709551615",
        "1.5",
        "\"text\"",
        "[]",
        "{}",
        "[\"a\", \"b\"]",
        "[\"a\", 1]",
        "[{\"query\": \"a\"}, {\"header\": \"b\"}]",
        "[{\"path\": \"a\"}, {\"header\": 1}]",
        "[\"bearer\", {\"basic\": null}, {\"cookie\": \"c\"}]",
        "[\"bearer\", {\"basic\": 1}]",
        "[\"authorization\", {\"cookie\": \"c\"}]",
        "[\"query\"]",
        "[\"query\", \"cookies\"]",
        "{\"a\": \"b\", \"c\": \"d\"}",
        "{\"a\": \"b\", \"a\": \"d\"}",
        "{\"a\": [1, -1, 1.5, {\"b\": null}, true]}",
        "{\"any\": [\"a\", {\"all\": [\"b\", \"c\"]}]}",
        "{\"any\": [\"a\", {\"one\": [\"b\", \"c\"]}]}",
        "{\"any\": [], \"all\": []}",
        "{\"all\": [1]}",
    ] {
        values.0.push(value.to_owned());
    }
    super::signed_url::agree(&mut values);
    values.agree::<super::session::JwtProvider>();
    values.agree::<written::AppKeyProvider>();
    values.agree::<super::assertion::Assertion>();
    values.agree::<written::Identity>();
    values.agree::<written::KeyService>();
    values.agree::<written::Challenge>();
    values.agree::<super::brand::Written>();
    values.agree::<written::HeaderMatch>();
    values.0.push(listing(&values));
    values.agree::<written::Match>();
    values.agree::<written::NeededScopes>();
    values.0.push(listing(&values));
    values.agree::<written::Rule>();
    values.0.push(listing(&values));
    values.agree::<written::RingSecret>();
    values.0.push(format!("{{\"r\": {}}}", listing(&values)));
    values.agree::<written::Response>();
    values
        .0
        .push(format!("{{\"r\": {}}}", values.0.last().unwrap()));
    values.agree::<written::Policy>();
    for text in [
        "{\"type\": \"a\"}",
        "{\"type\": \"a\", \"b\": 1, \"format\": \"c\"}",
        "{\"type\": \"a\", \"type\": \"a\"}",
        "{\"type\": 1}",
        "{\"format\": \"c\"}",
        "[]",
    ] {
        let _ = same::<written::ProviderType>(text);
    }
}

/// A list of the value that came last.
fn listing(values: &Values) -> String {
    format!("[{}]", values.0.last().unwrap())
}

impl<'de> Deserialize<'de> for Requirement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrGroup;

        impl<'de> Visitor<'de> for NameOrGroup {
            type Value = Requirement;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a provider, \"nothing\", {\"any\": […]} or {\"all\": […]}")
            }

            fn visit_str<E>(self, name: &str) -> Result<Requirement, E> {
                Ok(Requirement::Name(name.to_owned()))
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Requirement, M::Error> {
                Group::deserialize(MapAccessDeserializer::new(map)).map(Requirement::Group)
            }
        }

        deserializer.deserialize_any(NameOrGroup)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for UniqueMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Members<V> {
            type Value = UniqueMap<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members: Vec<(String, V)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, V>()? {
                    if members.iter().any(|(taken, _)| *taken == name) {
                        return Err(de::Error::custom(format!("\"{name}\" is given twice")));
                    }
                    members.push((name, value));
                }
                Ok(UniqueMap(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Word("null".to_owned()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Word(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json::Word(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Word(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
                Ok(Json::Word(value.to_string()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Json, E> {
                Ok(Json::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Json, A::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(items)).map(Json::List)
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Json, A::Error> {
                let members = UniqueMap::deserialize(MapAccessDeserializer::new(members))?;
                Ok(Json::Object(members.0))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

impl From<IgnoredAny> for Elsewhere {
    fn from(_: IgnoredAny) -> Self {
        Self
    }
}
