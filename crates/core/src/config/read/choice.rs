//! Enums with fields, written as a name or as an object of one member.
//!
//! serde_json gives no place to some of their errors, such as a name alone where a value
//! belongs, so that they would be found at the list around them.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{skip_items, skip_members};

/// Implements `Deserialize` for an enum that derives it with `remote = "Self"`.
macro_rules! choice {
    ($Name:ident) => {
        impl<'de> serde::Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // The function that serde derives, not that of the trait.
                Self::deserialize($crate::config::read::ChoiceOnly(deserializer))
            }
        }

        #[cfg(feature = "schema")]
        impl serde::Serialize for $Name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }
    };
}

pub(in crate::config) use choice;

/// Gives an enum a name, or the one member of an object.
pub(in crate::config) struct ChoiceOnly<D>(pub(in crate::config) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ChoiceOnly<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Choice {
            visitor,
            name,
            names,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

struct Choice<V> {
    visitor: V,
    name: &'static str,
    names: &'static [&'static str],
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Choice<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an object with one member")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<V::Value, E> {
        let name: StrDeserializer<'_, E> = name.into_deserializer();
        name.deserialize_enum(self.name, self.names, self.visitor)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        skip_items(items)?;
        Err(de::Error::invalid_type(Unexpected::Seq, &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<V::Value, A::Error> {
        let Some(name) = members.next_key::<String>()? else {
            return Err(de::Error::invalid_length(0, &self));
        };
        if !self.names.contains(&name.as_str()) {
            members.next_value::<IgnoredAny>()?;
            skip_members(members)?;
            return Err(de::Error::unknown_variant(&name, self.names));
        }
        let one = Member {
            name,
            members: &mut members,
        };
        let value = self.visitor.visit_enum(one)?;
        match skip_members(members)? {
            0 => Ok(value),
            _ => Err(de::Error::custom("expected an object with one member")),
        }
    }
}

/// The one member: its name is the variant.
struct Member<'a, A> {
    name: String,
    members: &'a mut A,
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Member<'_, A> {
    type Error = A::Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), A::Error> {
        let name: StrDeserializer<'_, A::Error> = self.name.as_str().into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Member<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.members.next_value()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.members.next_value_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, A::Error> {
        Err(de::Error::invalid_type(
            Unexpected::NewtypeVariant,
            &visitor,
        ))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        Err(de::Error::invalid_type(
            Unexpected::NewtypeVariant,
            &visitor,
        ))
    }
}
