//! From the text of JSON to a tree. Whether the text is JSON says serde_json, in its words;
//! what is here only takes it apart.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Error, Member, Tree, Value};

/// As deep as serde_json reads.
const MAX_DEPTH: usize = 127;

pub fn parse(text: &[u8]) -> Result<Tree, Error> {
    let is_json = serde_json::from_slice::<Json>(text);
    let whole = match std::str::from_utf8(text) {
        Ok(whole) => whole,
        Err(error) => {
            let at = error.valid_up_to();
            return Err(Error::new(&"invalid unicode code point").or_at(at));
        }
    };
    let tree = Parser { text: whole, at: 0 }.value(0);
    match is_json {
        Ok(Json) => tree,
        Err(error) => {
            // The path is that of the value in which the parser came to a halt as well.
            let nowhere = Error::new(&"");
            Err(tree.err().unwrap_or(nowhere).in_words(error.to_string()))
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Result<Tree, Error> {
        let first = self.peek();
        let start = self.at;
        if depth > MAX_DEPTH {
            return Err(self.wrong("recursion limit exceeded"));
        }
        let value = match first {
            Some(b'{') => Value::Map(self.members(depth)?),
            Some(b'[') => Value::List(self.items(depth)?),
            Some(b'"') => Value::Text(self.text()?),
            _ => self.word()?,
        };
        let end = self.at;
        Ok(Tree { value, start, end })
    }

    fn members(&mut self, depth: usize) -> Result<Vec<Member>, Error> {
        let mut members = Vec::new();
        self.skip(1);
        while self.peek() != Some(b'}') {
            let name = self.text()?;
            let name_end = self.at;
            self.pass(b':').map_err(|it| it.in_member(&name))?;
            let value = self.value(depth.saturating_add(1));
            let value = value.map_err(|it| it.in_member(&name))?;
            members.push(Member {
                name,
                name_end,
                value,
            });
            self.separate(b'}')?;
        }
        self.skip(1);
        Ok(members)
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Tree>, Error> {
        let mut items = Vec::new();
        self.skip(1);
        while self.peek() != Some(b']') {
            let item = self.value(depth.saturating_add(1));
            items.push(item.map_err(|it| it.in_item(items.len()))?);
            self.separate(b']')?;
        }
        self.skip(1);
        Ok(items)
    }

    /// Goes to what follows a value: the end, or after a comma the next.
    fn separate(&mut self, end: u8) -> Result<(), Error> {
        if self.peek() == Some(end) {
            return Ok(());
        }
        self.pass(b',')?;
        match self.peek() == Some(end) {
            true => Err(self.wrong("trailing comma")),
            false => Ok(()),
        }
    }

    fn text(&mut self) -> Result<String, Error> {
        let rest = self.rest();
        let mut is_escaped = false;
        let is_end = |(index, byte): &(usize, u8)| {
            let is_end = *byte == b'"' && !is_escaped && *index > 0;
            is_escaped = *byte == b'\\' && !is_escaped;
            is_end
        };
        let end = rest.bytes().enumerate().find(is_end);
        let quoted = end.and_then(|(last, _)| rest.get(..=last));
        let inner = quoted.and_then(|it| it.strip_prefix('"')?.strip_suffix('"'));
        let (Some(quoted), Some(inner)) = (quoted, inner) else {
            return Err(self.wrong("expected a string"));
        };
        self.skip(quoted.len());
        if !inner.contains('\\') {
            return Ok(inner.to_owned());
        }
        serde_json::from_str(quoted).map_err(|error| self.told(&error))
    }

    /// A number, or one of the three words.
    fn word(&mut self) -> Result<Value, Error> {
        let rest = self.rest();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        let length = rest.bytes().position(|byte| !fits(byte));
        let word = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
        let value = match word {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "" => return Err(self.wrong("expected value")),
            word => match (word.parse(), word.parse()) {
                (Ok(number), _) => Value::Unsigned(number),
                // There is no negative zero among whole numbers.
                (_, Ok(number)) if number != 0 => Value::Negative(number),
                _ => Value::Float(serde_json::from_str(word).map_err(|it| self.told(&it))?),
            },
        };
        self.skip(word.len());
        Ok(value)
    }

    /// The next byte that is no white space, to which it goes.
    fn peek(&mut self) -> Option<u8> {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let spaces = self.rest().bytes().take_while(is_space).count();
        self.skip(spaces);
        self.rest().bytes().next()
    }

    fn pass(&mut self, byte: u8) -> Result<(), Error> {
        if self.peek() != Some(byte) {
            return Err(self.wrong(&format!("expected `{}`", char::from(byte))));
        }
        self.skip(1);
        Ok(())
    }

    fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn wrong(&self, message: &str) -> Error {
        Error::new(&message).or_at(self.at)
    }

    /// The message without its place, which is one of a part of the text.
    fn told(&self, error: &serde_json::Error) -> Error {
        let message = error.to_string();
        self.wrong(message.split(" at line ").next().unwrap_or(&message))
    }
}

/// Any JSON, of which nothing is kept. serde's `IgnoredAny` would not do: serde_json skips
/// what is ignored, and looks at it less closely.
struct Json;

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Json {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(Self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<Self, Self>()?.is_some() {}
        Ok(Self)
    }
}
