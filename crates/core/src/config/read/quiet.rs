//! Values that no message may quote: a secret may be written where its name belongs.
//!
//! A visitor makes its own error out of what it found and what it expected. Here that error
//! is of a type that drops what was found, so that no text of serde has to be searched.

use std::fmt;
use std::ops::Deref;

use serde::de::{
    self, Deserialize, Deserializer, Expected, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use super::skip_items;

/// A value of which no message quotes anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(serde::Serialize), serde(transparent))]
pub(crate) struct Quiet<T>(pub T);

impl<T> Deref for Quiet<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Quiet<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(Quietly(deserializer)).map(Self)
    }
}

/// What was expected, without what was found.
#[derive(Debug)]
struct Untold(String);

impl Untold {
    fn expected(expected: &dyn fmt::Display) -> Self {
        Self(format!("is invalid, expected {expected}"))
    }

    fn none_of(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|it| format!("`{it}`")).collect();
        Self::expected(&format_args!("one of {}", names.join(", ")))
    }
}

impl std::error::Error for Untold {}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl de::Error for Untold {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self("is invalid".to_owned())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(&expected.to_string())
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(&expected.to_string())
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::none_of(expected)
    }
}

/// What a type is made of.
#[derive(Clone, Copy)]
enum Form {
    List,
    Object,
    Plain,
}

struct Quietly<D>(D);

impl<'de, D: Deserializer<'de>> Quietly<D> {
    // serde_json quotes what it finds where it knows what should be there. So it is asked
    // for anything, and the visitor judges.
    fn read<V: Visitor<'de>>(self, visitor: V, form: Form) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(QuietVisitor { visitor, form })
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Quietly<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.read(visitor, Form::Plain)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.read(visitor, Form::List)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.read(visitor, Form::Object)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct tuple tuple_struct struct enum identifier
        ignored_any
    }
}

struct QuietVisitor<V> {
    visitor: V,
    form: Form,
}

impl<V> QuietVisitor<V> {
    fn mismatch<'de, E: de::Error>(&self) -> E
    where
        V: Visitor<'de>,
    {
        E::custom(<Untold as de::Error>::invalid_type(
            Unexpected::Other(""),
            &self.visitor,
        ))
    }
}

macro_rules! plain {
    ($($visit:ident($Value:ty);)*) => { $(
        fn $visit<E: de::Error>(self, value: $Value) -> Result<V::Value, E> {
            self.visitor.$visit::<Untold>(value).map_err(E::custom)
        }
    )* };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for QuietVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    plain! {
        visit_bool(bool);
        visit_u64(u64);
        visit_i64(i64);
        visit_f64(f64);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
    }

    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit::<Untold>().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        match self.form {
            Form::List => self.visitor.visit_seq(items),
            Form::Object | Form::Plain => {
                skip_items(items)?;
                Err(self.mismatch())
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        match self.form {
            Form::Object => self.visitor.visit_map(members),
            Form::List | Form::Plain => Err(self.mismatch()),
        }
    }
}
