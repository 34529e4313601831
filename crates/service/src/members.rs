//! The members of a JSON object, values unread, duplicates included.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Names and values in the order of the text. A name is a `String`, or unread too.
pub(crate) struct Members<'a, Name>(pub(crate) Vec<(Name, &'a RawValue)>);

impl<'de, Name: Deserialize<'de>> Deserialize<'de> for Members<'de, Name> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each<Name>(PhantomData<Name>);

        impl<'de, Name: Deserialize<'de>> Visitor<'de> for Each<Name> {
            type Value = Members<'de, Name>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Each(PhantomData))
    }
}
