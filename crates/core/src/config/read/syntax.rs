//! Whether a text is JSON at all, and in which value it is not.
//!
//! This comes before everything else: what a field should hold is of no interest in a text
//! that breaks off. It knows no type.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{below, misshapen};
use crate::decision::problem::Problem;

/// Whether a text is JSON, nested no deeper than serde_json allows: 127 levels.
pub(crate) fn check_syntax(text: &str) -> Result<(), Problem> {
    let path = RefCell::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Any { path: &path }.deserialize(&mut json);
    let read = read.and_then(|()| json.end());
    read.map_err(|error| misshapen(path.take(), &error))
}

/// Any JSON. The path stays where an error is.
#[derive(Clone, Copy)]
struct Any<'a> {
    path: &'a RefCell<String>,
}

impl Any<'_> {
    /// Reads something in the member, or item, of this name.
    fn within<T, E>(self, step: &str, read: impl FnOnce(Self) -> Result<T, E>) -> Result<T, E> {
        let before = self.path.take();
        self.path.replace(below(&before, step));
        let read = read(self)?;
        self.path.replace(before);
        Ok(read)
    }
}

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// An item of a list. Its index counts only once something of it was found.
struct Item<'a>(Any<'a>, usize);

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let step = format!("[{}]", self.1);
        self.0.within(&step, |any| any.deserialize(deserializer))
    }
}

impl<'de> Visitor<'de> for Any<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        for index in 0_usize.. {
            if items.next_element_seed(Item(self, index))?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            self.within(&name, |any| members.next_value_seed(any))?;
        }
        Ok(())
    }
}
