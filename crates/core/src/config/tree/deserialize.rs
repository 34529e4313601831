//! What serde derives reads a tree through this, for the tests that compare it with our own
//! reader.
//!
//! Each method takes the values that its type can be made of, and no other; serde_json does
//! the same, but for an object in the place of which it takes a list of its values.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::{Error, Member, Tree, Value};

impl Tree {
    /// Makes a type of it as serde would.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(self)
    }

    fn placed<T>(&self, read: Result<T, Error>) -> Result<T, Error> {
        read.map_err(|it| it.or_at(self.end))
    }
}

/// What a visitor expects.
struct Words<'a>(&'a dyn Expected);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What was found, in the words of JSON.
struct InJson<'a>(Unexpected<'a>);

impl fmt::Display for InJson<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Unit => f.write_str("null"),
            Unexpected::Float(value) => write!(f, "floating point `{value:?}`"),
            found => found.fmt(f),
        }
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(&message)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::mismatch("type", &InJson(found), &Words(expected))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::mismatch("value", &InJson(found), &Words(expected))
    }
}

macro_rules! forward {
    ($($from:ident)* => $to:ident) => { $(
        fn $from<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.$to(visitor)
        }
    )* };
}

impl<'de> Deserializer<'de> for &'de Tree {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Unsigned(value) => visitor.visit_u64(*value),
            Value::Negative(value) => visitor.visit_i64(*value),
            Value::Float(text) => visitor.visit_f64(serde_json::from_str(text).unwrap()),
            Value::Text(text) => visitor.visit_str(text),
            Value::List(_) => return self.deserialize_seq(visitor),
            Value::Map(_) => return self.deserialize_map(visitor),
        })
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Bool(value) => self.placed(visitor.visit_bool(value)),
            _ => Err(self.mismatch(&Words(&visitor))),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(match self.value {
            Value::Unsigned(value) => visitor.visit_u64(value),
            Value::Negative(value) => visitor.visit_i64(value),
            Value::Float(ref text) => visitor.visit_f64(serde_json::from_str(text).unwrap()),
            _ => Err(self.mismatch(&Words(&visitor))),
        })
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.value {
            Value::Text(text) => self.placed(visitor.visit_str(text)),
            _ => Err(self.mismatch(&Words(&visitor))),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => self.placed(visitor.visit_unit()),
            _ => Err(self.mismatch(&Words(&visitor))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Value::List(items) = &self.value else {
            return Err(self.mismatch(&Words(&visitor)));
        };
        let mut items = Items {
            rest: items.iter().enumerate(),
        };
        let read = visitor.visit_seq(&mut items).and_then(|read| {
            if items.rest.len() > 0 {
                return Err(Error::new(&"trailing characters"));
            }
            Ok(read)
        });
        self.placed(read)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Value::Map(members) = &self.value else {
            return Err(self.mismatch(&Words(&visitor)));
        };
        let mut members = Members {
            rest: members.iter(),
            current: None,
        };
        let read = visitor.visit_map(&mut members).and_then(|read| {
            if members.rest.len() > 0 {
                return Err(Error::new(&"trailing comma"));
            }
            Ok(read)
        });
        // Of a name that is given twice, the second.
        let at = members.current.map_or(self.end, |it| it.name_end);
        read.map_err(|it| it.or_at(at))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let variant = match &self.value {
            Value::Text(name) => Variant { name, value: None },
            Value::Map(members) => match members.as_slice() {
                [Member { name, value, .. }] => Variant {
                    name,
                    value: Some(value),
                },
                _ => return Err(Error::new(&"expected value").or_at(self.end)),
            },
            _ => return Err(Error::new(&"expected value").or_at(self.end)),
        };
        self.placed(visitor.visit_enum(variant))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_f32 deserialize_f64 => deserialize_u64
    }

    forward! {
        deserialize_char deserialize_string deserialize_identifier
        deserialize_bytes deserialize_byte_buf => deserialize_str
    }
}

struct Items<'de> {
    rest: std::iter::Enumerate<std::slice::Iter<'de, Tree>>,
}

impl<'de> SeqAccess<'de> for &mut Items<'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let Some((index, item)) = self.rest.next() else {
            return Ok(None);
        };
        seed.deserialize(item)
            .map(Some)
            .map_err(|it| it.in_item(index))
    }
}

struct Members<'de> {
    rest: std::slice::Iter<'de, Member>,
    current: Option<&'de Member>,
}

impl<'de> MapAccess<'de> for &mut Members<'de> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        self.current = self.rest.next();
        let Some(member) = self.current else {
            return Ok(None);
        };
        seed.deserialize(StrDeserializer::new(&member.name))
            .map(Some)
            .map_err(|it: Error| it.or_at(member.name_end).in_member(&member.name))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let Some(member) = self.current else {
            return Err(Error::new(&"a value without its name"));
        };
        seed.deserialize(&member.value)
            .map_err(|it| it.in_member(&member.name))
    }
}

/// A variant by its name, and what it holds.
struct Variant<'de> {
    name: &'de str,
    value: Option<&'de Tree>,
}

impl<'de> Variant<'de> {
    fn held(&self, expected: &'static str) -> Result<&'de Tree, Error> {
        self.value
            .ok_or_else(|| Error::invalid_type(Unexpected::UnitVariant, &expected))
    }
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        seed.deserialize(StrDeserializer::new(self.name))
            .map(|variant| (variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.value {
            None => Ok(()),
            Some(value) => value.read::<()>().map_err(|it| it.in_member(self.name)),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.held("newtype variant")?)
            .map_err(|it| it.in_member(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.held("tuple variant")?
            .deserialize_seq(visitor)
            .map_err(|it| it.in_member(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.held("struct variant")?
            .deserialize_map(visitor)
            .map_err(|it| it.in_member(self.name))
    }
}
