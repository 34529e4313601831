//! JSON of a body for serde, every rejection in our own words and with its place. Neither what
//! serde says of a value nor the value itself reaches a caller.

mod object;

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, IntoDeserializer as _, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use serde_json::value::RawValue;

use crate::members::Members;
use crate::wrong::{Fault, Pointer, Wrong, expected};
pub(crate) use object::{Draft, Names, NoObject, object};

/// Why a value is not of the type that was asked for.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// A required field of the object is absent.
    Missing(&'static str),
    /// A field has no name of these.
    Unknown(&'static [&'static str]),
    /// Something else.
    Wrong(Wrong),
}

impl Unfit {
    fn new(fault: Fault, detail: impl Into<String>) -> Self {
        Self::Wrong(Wrong::new(Pointer::default(), fault, detail))
    }

    fn form(what: &str) -> Self {
        Self::new(Fault::WrongType, format!("must be {what}"))
    }

    fn moved(self, into: impl FnOnce(Pointer) -> Pointer) -> Wrong {
        match self {
            Self::Missing(field) => Wrong::required(field),
            Self::Unknown(known) => {
                let detail = format!("has an unknown field; {}", expected(known));
                Wrong::new(Pointer::default(), Fault::Unknown, detail)
            }
            Self::Wrong(wrong) => wrong,
        }
        .moved(into)
    }
}

/// A value, unread.
#[derive(Clone, Copy)]
struct Json<'a> {
    value: &'a RawValue,
    /// If it is a list: items to leave out, whose errors are known.
    skipped: &'a [usize],
}

impl<'de> Json<'de> {
    fn new(value: &'de RawValue) -> Self {
        Self {
            value,
            skipped: &[],
        }
    }

    fn first(self) -> Option<u8> {
        self.value.get().bytes().next()
    }

    fn read<T: Deserialize<'de>>(self, form: &str) -> Result<T, Unfit> {
        serde_json::from_str(self.value.get()).map_err(|_| Unfit::form(form))
    }

    /// An integer. JSON Schema counts `1.0` and `1e3` among them, and some clients write them so.
    fn integer<T: DeserializeOwned>(self, form: &str) -> Result<T, Unfit> {
        let read: Result<T, Unfit> = self.read(form);
        read.or_else(|unfit| {
            let digits = digits(self.value.get());
            let read = digits.and_then(|it| serde_json::from_str(&it).ok());
            read.ok_or(unfit)
        })
    }

    fn text(self) -> Result<String, Unfit> {
        match self.first() {
            // What is left to be wrong with the JSON of a string.
            Some(b'"') => serde_json::from_str(self.value.get()).map_err(|_| {
                Unfit::new(Fault::Invalid, "must not contain half of a surrogate pair")
            }),
            _ => Err(Unfit::form("a string")),
        }
    }
}

/// The digits of a number that is an integer in another form, such as `1.0` and `1e3`. Not by way of
/// an `f64`, which has no place for each of them.
fn digits(number: &str) -> Option<String> {
    /// Zeros that a number of 64 bits can end with.
    const MOST: usize = 20;
    let (sign, number) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, fraction].concat();
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let exponent: i64 = exponent.parse().ok()?;
    let kept = all.trim_end_matches('0');
    if kept.is_empty() {
        return Some("0".to_owned());
    }
    let removed = i64::try_from(all.len().saturating_sub(kept.len())).ok()?;
    let behind = i64::try_from(fraction.len()).ok()?;
    let zeros = removed.saturating_sub(behind).saturating_add(exponent);
    let zeros = usize::try_from(zeros).ok().filter(|it| *it <= MOST)?;
    let kept = kept.trim_start_matches('0');
    Some(format!("{sign}{kept}{}", "0".repeat(zeros)))
}

macro_rules! numbers {
    ($($method:ident $visit:ident $read:ident $Type:ty, $form:literal;)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
                visitor.$visit(self.$read::<$Type>($form)?)
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Json<'de> {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unfit> {
        Err(Unfit::form("of the type that the documentation says"))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_bool(self.read("true or false")?)
    }

    numbers! {
        deserialize_u32 visit_u32 integer u32, "a whole number, 0 or more";
        deserialize_u64 visit_u64 integer u64, "a whole number, 0 or more";
        deserialize_i64 visit_i64 integer i64, "a whole number";
        deserialize_f64 visit_f64 read f64, "a number";
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self.first() {
            Some(b'n') => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        match name {
            AnyJson::NAME => visitor.visit_str(self.value.get()),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let items: Vec<&RawValue> = self.read("a list")?;
        visitor.visit_seq(Items {
            items: items.into_iter().enumerate(),
            skipped: self.skipped,
        })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        if self.first() != Some(b'{') {
            return Err(Unfit::form("an object"));
        }
        let form = "an object, no name of which contains half of a surrogate pair";
        let Members::<String>(members) = self.read(form)?;
        visitor.visit_map(Inner {
            members: members.into_iter(),
            current: None,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        self.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct enum
        identifier ignored_any
    }
}

/// The items of a list that are still to be read.
struct Items<'a> {
    items: std::iter::Enumerate<std::vec::IntoIter<&'a RawValue>>,
    skipped: &'a [usize],
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Unfit;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unfit> {
        let skipped = self.skipped;
        let Some((at, item)) = self.items.find(|(at, _)| !skipped.contains(at)) else {
            return Ok(None);
        };
        let item = seed.deserialize(Json::new(item));
        item.map(Some)
            .map_err(|unfit| Unfit::Wrong(unfit.moved(|inner| inner.inside_item(at))))
    }
}

/// The members of an object inside of the body that are still to be read, and the one whose name
/// was.
struct Inner<'a> {
    members: std::vec::IntoIter<(String, &'a RawValue)>,
    current: Option<(String, &'a RawValue)>,
}

impl<'de> MapAccess<'de> for Inner<'de> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unfit> {
        let Some(member) = self.members.next() else {
            return Ok(None);
        };
        let (name, _) = self.current.insert(member);
        let name: StrDeserializer<'_, Unfit> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        let Some((name, value)) = &self.current else {
            return Err(Unfit::form("read after its name"));
        };
        let value = seed.deserialize(Json::new(value));
        value.map_err(|unfit| Unfit::Wrong(unfit.moved(|inner| inner.inside(name))))
    }
}

impl de::Error for Unfit {
    /// From the types of this project, whose words are ours.
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Fault::Invalid, message.to_string())
    }

    fn invalid_type(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Self::form("of the type that the documentation says")
    }

    fn invalid_value(_: de::Unexpected<'_>, _: &dyn de::Expected) -> Self {
        Self::new(
            Fault::Invalid,
            "must be a value that the documentation names",
        )
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Wrong(Wrong::duplicate(field))
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Self::Unknown(known)
    }
}

impl std::error::Error for Unfit {}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "{field} is missing"),
            Self::Unknown(_) => f.write_str("a field is unknown"),
            Self::Wrong(wrong) => wrong.fmt(f),
        }
    }
}

/// Any JSON, as it was written.
#[derive(Clone, Debug)]
pub(crate) struct AnyJson(pub(crate) Box<RawValue>);

impl AnyJson {
    /// What it is called when it asks for its text.
    const NAME: &str = "keygate::AnyJson";
}

impl<'de> Deserialize<'de> for AnyJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = AnyJson;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AnyJson, E> {
                let json = RawValue::from_string(text.to_owned());
                json.map(AnyJson).map_err(|_| E::custom("must be JSON"))
            }
        }

        deserializer.deserialize_newtype_struct(Self::NAME, Text)
    }
}
