//! Structs from objects alone: serde_json would take a list of their values, too.

use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// Implements `Deserialize` for a struct that derives it with `remote = "Self"`.
macro_rules! object {
    ($Name:ident $(<$life:lifetime>)?) => {
        impl<'de $(: $life, $life)?> serde::Deserialize<'de> for $Name $(<$life>)? {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // The function that serde derives, not that of the trait.
                Self::deserialize($crate::config::read::ObjectOnly(deserializer))
            }
        }
    };
}

pub(in crate::config) use object;

/// Gives a struct the members of an object, and nothing else.
pub(crate) struct ObjectOnly<D>(pub D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ObjectOnly<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map struct enum
        identifier ignored_any
    }
}
