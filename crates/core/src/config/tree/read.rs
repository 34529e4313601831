//! The written types from a tree: each is a slot that takes its value.
//!
//! What serde derives is a state machine for every type, and there are many types. Here
//! what they have in common exists once, behind `dyn`. The words of complaints are serde's.

use super::{Error, Member, Tree, Value};
use crate::answer::Json;

/// A slot for one value of a configuration.
pub trait Read {
    /// Takes the value, in place of what was there.
    ///
    /// # Errors
    /// [`Error`] with the path, below this value, of what is not of the right form. What the
    /// slot then holds means nothing.
    fn read(&mut self, tree: &Tree) -> Result<(), Error>;
}

/// A slot before anything was read.
pub trait Start: Read + Sized {
    /// Whether it must be given where it is a member.
    const IS_NEEDED: bool = true;

    /// Something for [`Read::read`] to replace.
    fn start() -> Self;
}

/// What the members of an object are.
pub struct Shape {
    /// What to say of a value that is no object.
    pub expected: &'static str,
    /// The names of its members.
    pub names: &'static [&'static str],
    /// For each name, whether it must be given.
    pub needed: &'static [bool],
    /// Whether members of other names are left alone.
    pub is_open: bool,
}

/// One of several names, and what it holds.
pub struct Choice<'a> {
    /// Which of the names.
    pub index: usize,
    name: &'a str,
    held: Option<&'a Tree>,
    end: usize,
}

impl Tree {
    /// Makes a written type of it.
    ///
    /// # Errors
    /// As [`Read::read`].
    pub fn form<T: Start>(&self) -> Result<T, Error> {
        let mut form = T::start();
        form.read(self)?;
        Ok(form)
    }

    /// Gives each member to the slot of its name.
    ///
    /// # Errors
    /// The first that is wrong in the order of the text; then the first that is missing.
    #[inline(never)]
    pub fn fields(&self, shape: &Shape, slots: &mut [&mut dyn Read]) -> Result<(), Error> {
        let Value::Map(members) = &self.value else {
            return Err(self.mismatch(&shape.expected));
        };
        for (index, member) in members.iter().enumerate() {
            let slot = shape.names.iter().position(|it| *it == member.name);
            let Some((slot, name)) = slot.and_then(|it| slots.get_mut(it).zip(shape.names.get(it)))
            else {
                if shape.is_open {
                    continue;
                }
                return Err(not_one_of("field", &member.name, shape.names)
                    .or_at(member.name_end)
                    .in_member(&member.name));
            };
            if stands_before(members, index) {
                let message = format_args!("duplicate field `{name}`");
                return Err(Error::new(&message).or_at(member.name_end));
            }
            slot.read(&member.value)
                .map_err(|it| it.in_member(&member.name))?;
        }
        for (name, is_needed) in shape.names.iter().zip(shape.needed) {
            if *is_needed && !members.iter().any(|it| it.name == *name) {
                let message = format_args!("missing field `{name}`");
                return Err(Error::new(&message).or_at(self.end));
            }
        }
        Ok(())
    }

    /// A name alone, or an object of one member of that name.
    ///
    /// # Errors
    /// When it is neither, or none of these names.
    #[inline(never)]
    pub fn choice(&self, names: &'static [&'static str]) -> Result<Choice<'_>, Error> {
        let (name, held) = match &self.value {
            Value::Text(name) => (name, None),
            Value::Map(members) => match members.as_slice() {
                [Member { name, value, .. }] => (name, Some(value)),
                _ => return Err(Error::new(&"expected value").or_at(self.end)),
            },
            _ => return Err(Error::new(&"expected value").or_at(self.end)),
        };
        let Some(index) = names.iter().position(|it| it == name) else {
            return Err(not_one_of("variant", name, names).or_at(self.end));
        };
        Ok(Choice {
            index,
            name,
            held,
            end: self.end,
        })
    }

    /// The index of a name that holds nothing.
    ///
    /// # Errors
    /// As [`Tree::choice`] and [`Choice::alone`].
    #[inline(never)]
    pub fn word(&self, names: &'static [&'static str]) -> Result<usize, Error> {
        let choice = self.choice(names)?;
        choice.alone()?;
        Ok(choice.index)
    }

    /// The index of a name, and what it holds, of an object of nothing else.
    ///
    /// # Errors
    /// When it is not, in the words of `expected`, or when the value is not.
    pub fn group<T: Start>(
        &self,
        expected: &'static str,
        names: &'static [&'static str],
    ) -> Result<(usize, T), Error> {
        let Value::Map(members) = &self.value else {
            return Err(Error::mismatch("type", self, &expected).or_at(self.end));
        };
        let Some((first, rest)) = members.split_first() else {
            return Err(Error::mismatch("type", self, &"enum").or_at(self.end));
        };
        let Some(index) = names.iter().position(|it| *it == first.name) else {
            return Err(not_one_of("variant", &first.name, names)
                .or_at(first.name_end)
                .in_member(&first.name));
        };
        let held = first.value.form();
        let held = held.map_err(|it| it.in_member(&first.name))?;
        match rest {
            [] => Ok((index, held)),
            _ => Err(Error::new(&"trailing comma").or_at(first.name_end)),
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    #[inline(never)]
    fn each(&self, take: &mut dyn FnMut(&Self) -> Result<(), Error>) -> Result<(), Error> {
        let Value::List(items) = &self.value else {
            return Err(self.mismatch(&"a sequence"));
        };
        for (index, item) in items.iter().enumerate() {
            take(item).map_err(|it| it.in_item(index))?;
        }
        Ok(())
    }

    #[inline(never)]
    fn each_member(
        &self,
        take: &mut dyn FnMut(&str, &Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Value::Map(members) = &self.value else {
            return Err(self.mismatch(&"an object"));
        };
        for (index, member) in members.iter().enumerate() {
            let name = &member.name;
            take(name, &member.value).map_err(|it| it.in_member(name))?;
            if stands_before(members, index) {
                let message = format!("\"{name}\" is given twice");
                return Err(Error::new(&message).or_at(member.name_end));
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn number(&self, most: u64, expected: &'static str) -> Result<u64, Error> {
        match self.value {
            Value::Unsigned(value) if value <= most => Ok(value),
            Value::Unsigned(_) | Value::Negative(_) => {
                Err(Error::mismatch("value", self, &expected).or_at(self.end))
            }
            _ => Err(self.mismatch(&expected)),
        }
    }
}

impl Choice<'_> {
    /// Nothing may be held.
    ///
    /// # Errors
    /// When something is.
    #[inline(never)]
    pub fn alone(&self) -> Result<(), Error> {
        match self.held {
            None => Ok(()),
            Some(Tree {
                value: Value::Null, ..
            }) => Ok(()),
            Some(held) => Err(held.mismatch(&"unit").in_member(self.name)),
        }
    }

    /// Reads what is held.
    ///
    /// # Errors
    /// When nothing is, or something wrong.
    #[inline(never)]
    pub fn held(&self, slot: &mut dyn Read) -> Result<(), Error> {
        let Some(held) = self.held else {
            let message = "invalid type: unit variant, expected newtype variant";
            return Err(Error::new(&message).or_at(self.end));
        };
        slot.read(held).map_err(|it| it.in_member(self.name))
    }
}

#[cold]
fn not_one_of(kind: &str, name: &str, names: &'static [&'static str]) -> Error {
    let names: Vec<String> = names.iter().map(|it| format!("`{it}`")).collect();
    let expected = match names.as_slice() {
        [one] => one.clone(),
        [one, other] => format!("{one} or {other}"),
        _ => format!("one of {}", names.join(", ")),
    };
    Error::new(&format_args!(
        "unknown {kind} `{name}`, expected {expected}"
    ))
}

fn stands_before(members: &[Member], index: usize) -> bool {
    let name = members.get(index).map(|it| &it.name);
    members.iter().take(index).any(|it| Some(&it.name) == name)
}

impl Read for String {
    fn read(&mut self, tree: &Tree) -> Result<(), Error> {
        match tree.text() {
            Some(text) => text.clone_into(self),
            None => return Err(tree.mismatch(&"a string")),
        }
        Ok(())
    }
}

impl Start for String {
    fn start() -> Self {
        Self::new()
    }
}

impl Read for bool {
    fn read(&mut self, tree: &Tree) -> Result<(), Error> {
        match tree.value {
            Value::Bool(value) => *self = value,
            _ => return Err(tree.mismatch(&"a boolean")),
        }
        Ok(())
    }
}

impl Start for bool {
    fn start() -> Self {
        false
    }
}

macro_rules! numbers {
    ($($Number:ident)*) => { $(
        impl Read for $Number {
            fn read(&mut self, tree: &Tree) -> Result<(), Error> {
                let most = u64::try_from(Self::MAX).unwrap_or(u64::MAX);
                let number = tree.number(most, stringify!($Number))?;
                *self = Self::try_from(number).unwrap_or_default();
                Ok(())
            }
        }

        impl Start for $Number {
            fn start() -> Self {
                0
            }
        }
    )* };
}

numbers! { u16 u64 usize }

impl<T: Start> Read for Option<T> {
    fn read(&mut self, tree: &Tree) -> Result<(), Error> {
        *self = match tree.value {
            Value::Null => None,
            _ => Some(tree.form()?),
        };
        Ok(())
    }
}

impl<T: Start> Start for Option<T> {
    const IS_NEEDED: bool = false;

    fn start() -> Self {
        None
    }
}

impl<T: Start> Read for Vec<T> {
    fn read(&mut self, tree: &Tree) -> Result<(), Error> {
        self.clear();
        tree.each(&mut |item| {
            self.push(item.form()?);
            Ok(())
        })
    }
}

impl<T: Start> Start for Vec<T> {
    fn start() -> Self {
        Self::new()
    }
}

/// Members in the order of the text, each name once.
#[derive(Debug)]
pub struct UniqueMap<V>(pub Vec<(String, V)>);

impl<V> Default for UniqueMap<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V: Start> Read for UniqueMap<V> {
    fn read(&mut self, tree: &Tree) -> Result<(), Error> {
        self.0.clear();
        tree.each_member(&mut |name, value| {
            self.0.push((name.to_owned(), value.form()?));
            Ok(())
        })
    }
}

impl<V: Start> Start for UniqueMap<V> {
    fn start() -> Self {
        Self::default()
    }
}

/// A member that something else reads.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(
    test,
    derive(serde::Deserialize),
    serde(from = "serde::de::IgnoredAny")
)]
pub struct Elsewhere;

impl Read for Elsewhere {
    fn read(&mut self, _tree: &Tree) -> Result<(), Error> {
        Ok(())
    }
}

impl Start for Elsewhere {
    fn start() -> Self {
        Self
    }
}

impl Read for Json {
    fn read(&mut self, tree: &Tree) -> Result<(), Error> {
        *self = match &tree.value {
            Value::Null => Self::Word("null".to_owned()),
            Value::Bool(value) => Self::Word(value.to_string()),
            Value::Unsigned(value) => Self::Word(value.to_string()),
            Value::Negative(value) => Self::Word(value.to_string()),
            Value::Float(text) => Self::Word(text.clone()),
            Value::Text(text) => Self::Text(text.clone()),
            Value::List(_) => Self::List(tree.form()?),
            Value::Map(_) => Self::Object(tree.form::<UniqueMap<Self>>()?.0),
        };
        Ok(())
    }
}

impl Start for Json {
    fn start() -> Self {
        Self::Word("null".to_owned())
    }
}
