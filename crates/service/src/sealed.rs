//! Sealed data as a request has it: headers that the service is to seal, or data that its client
//! has sealed. No error repeats a name or a value, each of which may be a secret in a wrong place.

use std::fmt;

use keygate_core::keys::{NewAppKey, NotSealable, SealKey, Sealed, SealedHeaders};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use zeroize::Zeroizing;

use crate::wrong::{Pointer, Wrong};

/// `{"headers":{"authorization":"Bearer …"}}` in the body of a call that makes a key.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToSeal {
    headers: Written,
}

/// The members of an object, each as often as it was given.
struct Written(Vec<(String, Zeroizing<String>)>);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Written, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Written(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Headers that can be sealed, until a key is there to seal them with.
#[derive(Debug)]
pub(crate) struct Plain(SealedHeaders);

impl ToSeal {
    /// Checks every header.
    pub(crate) fn check(self) -> Result<Plain, Wrong> {
        let mut headers = SealedHeaders::none();
        for (name, mut value) in self.headers.0 {
            // The same memory, so that no copy is left.
            let value = Zeroizing::new(std::mem::take(&mut *value).into_bytes());
            headers.add(name, value).map_err(wrong)?;
        }
        headers.check().map_err(wrong)?;
        Ok(Plain(headers))
    }
}

fn wrong(error: NotSealable) -> Wrong {
    let at = Pointer::from("headers").inside("sealed");
    Wrong::invalid(at, error.to_string())
}

impl Plain {
    /// Seals the headers for the holder of a new key; `None` never, once they were checked.
    pub(crate) fn seal(&self, key: &NewAppKey, fill: &mut dyn FnMut(&mut [u8])) -> Option<Sealed> {
        Sealed::seal(&self.0, &SealKey::of_new(key), fill).ok()
    }
}
