//! The JSON (RFC 8259) that the filter reads and writes: its configuration, tokens, and
//! what the key service says. Strict and small; serde is ten times as large there.

mod write;

pub use write::Object;
pub(crate) use write::{escape, quote};

/// So many arrays and objects may stand within each other, as in serde_json.
const MAX_DEPTH: usize = 127;

/// A value, and its text without the blanks around it.
#[derive(Debug)]
pub struct Value<'a> {
    /// As it was written.
    pub raw: &'a str,
    pub(crate) kind: Kind<'a>,
}

#[derive(Debug)]
pub(crate) enum Kind<'a> {
    /// `null`, `true`, `false` or a number.
    Word,
    Text(String),
    List(Vec<Value<'a>>),
    Object(Members<'a>),
}

/// The members of an object in their order.
pub type Members<'a> = Vec<(String, Value<'a>)>;

impl<'a> Value<'a> {
    /// Reads a text that holds one value and nothing else. `None` for anything else.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let mut parser = Parser {
            rest: std::str::from_utf8(text).ok()?,
        };
        parser.whole()
    }

    /// A text.
    pub fn text(self) -> Option<String> {
        match self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number that fits, without fraction or exponent.
    pub fn number(&self) -> Option<u64> {
        // No `+` stands before a number, and a text begins with a quote.
        self.raw.parse().ok()
    }

    /// `true` or `false`.
    pub fn flag(&self) -> Option<bool> {
        match self.raw {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.raw == "null"
    }

    /// The items of an array.
    pub fn list(self) -> Option<Vec<Self>> {
        match self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// An array of texts.
    pub fn texts(self) -> Option<Vec<String>> {
        self.list()?.into_iter().map(Self::text).collect()
    }

    /// The members of an object.
    pub fn members(self) -> Option<Members<'a>> {
        match self.kind {
            Kind::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The members of these names of an object that has each once at most; others are
    /// passed over.
    pub fn open<const COUNT: usize>(self, names: [&str; COUNT]) -> Option<[Option<Self>; COUNT]> {
        let mut found = [const { None }; COUNT];
        pick(self.members()?, &names, &mut found, false)?;
        Some(found)
    }

    /// The same of an object that has no others.
    pub fn closed<const COUNT: usize>(self, names: [&str; COUNT]) -> Option<[Option<Self>; COUNT]> {
        let mut found = [const { None }; COUNT];
        pick(self.members()?, &names, &mut found, true)?;
        Some(found)
    }
}

fn pick<'a>(
    members: Members<'a>,
    names: &[&str],
    found: &mut [Option<Value<'a>>],
    is_closed: bool,
) -> Option<()> {
    for (name, value) in members {
        match found.iter_mut().zip(names).find(|it| *it.1 == name) {
            Some((slot, _)) if slot.is_some() => return None,
            Some((slot, _)) => *slot = Some(value),
            None if is_closed => return None,
            None => {}
        }
    }
    Some(())
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn whole(&mut self) -> Option<Value<'a>> {
        let value = self.value(0)?;
        self.skip_blanks();
        match self.rest.is_empty() {
            true => Some(value),
            false => None,
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        self.skip_blanks();
        let start = self.rest;
        let first = start.bytes().next()?;
        if depth >= MAX_DEPTH && matches!(first, b'{' | b'[') {
            return None;
        }
        let kind = match first {
            b'{' => Kind::Object(self.members(depth)?),
            b'[' => Kind::List(self.items(depth)?),
            b'"' => Kind::Text(self.text()?),
            _ => {
                self.word()?;
                Kind::Word
            }
        };
        let length = start.len().checked_sub(self.rest.len())?;
        Some(Value {
            raw: start.get(..length)?,
            kind,
        })
    }

    fn members(&mut self, depth: usize) -> Option<Members<'a>> {
        let mut members = Vec::new();
        let mut goes_on = self.opens(b'}');
        while goes_on {
            self.skip_blanks();
            if !self.rest.starts_with('"') {
                return None;
            }
            let name = self.text()?;
            members.push((name, self.member(depth)?));
            goes_on = self.goes_on(b'}')?;
        }
        Some(members)
    }

    fn member(&mut self, depth: usize) -> Option<Value<'a>> {
        self.skip_blanks();
        self.byte(b':')?;
        self.value(depth.saturating_add(1))
    }

    fn items(&mut self, depth: usize) -> Option<Vec<Value<'a>>> {
        let mut items = Vec::new();
        let mut goes_on = self.opens(b']');
        while goes_on {
            items.push(self.value(depth.saturating_add(1))?);
            goes_on = self.goes_on(b']')?;
        }
        Some(items)
    }

    /// Goes into an array or object; `false` when it is empty, and then behind it.
    fn opens(&mut self, end: u8) -> bool {
        self.rest = self.rest.get(1..).unwrap_or_default();
        self.skip_blanks();
        self.byte(end).is_none()
    }

    fn goes_on(&mut self, end: u8) -> Option<bool> {
        self.skip_blanks();
        if self.byte(end).is_some() {
            return Some(false);
        }
        self.byte(b',')?;
        self.skip_blanks();
        match self.rest.bytes().next() == Some(end) {
            true => None,
            false => Some(true),
        }
    }

    fn text(&mut self) -> Option<String> {
        self.byte(b'"')?;
        let mut text = String::new();
        loop {
            let is_end = |it: char| it < ' ' || it == '"' || it == '\\';
            let end = self.rest.find(is_end).unwrap_or(self.rest.len());
            let (plain, rest) = self.rest.split_at_checked(end)?;
            text.push_str(plain);
            self.rest = rest;
            match rest.bytes().next() {
                Some(b'"') => {
                    self.rest = rest.get(1..)?;
                    return Some(text);
                }
                Some(b'\\') => {
                    self.rest = rest.get(1..)?;
                    text.push(self.escaped()?);
                }
                Some(_) => return None,
                None => return None,
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let short = self.rest.bytes().next()?;
        let character = match short {
            b'"' | b'\\' | b'/' => char::from(short),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.rest = self.rest.get(1..)?;
                return self.unicode();
            }
            _ => return None,
        };
        self.rest = self.rest.get(1..)?;
        Some(character)
    }

    /// What `\u` stands before: one unit of UTF-16, or two.
    fn unicode(&mut self) -> Option<char> {
        let unit = self.unit()?;
        let Some(high) = unit.checked_sub(0xd800).filter(|it| *it < 0x400) else {
            return char::from_u32(unit);
        };
        let rest = self.rest.strip_prefix("\\u")?;
        self.rest = rest;
        let unit = self.unit()?;
        let low = unit.checked_sub(0xdc00).filter(|it| *it < 0x400)?;
        char::from_u32((high << 10).checked_add(low)?.checked_add(0x10000)?)
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u32> {
        let digits = self.rest.get(..4).unwrap_or_default();
        let is_hex = digits.bytes().all(|it| it.is_ascii_hexdigit());
        match u32::from_str_radix(digits, 16) {
            Ok(unit) if is_hex => {
                self.rest = self.rest.get(4..)?;
                Some(unit)
            }
            _ => None,
        }
    }

    /// `null`, `true`, `false` or a number.
    fn word(&mut self) -> Option<()> {
        for word in ["null", "true", "false"] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Some(());
            }
        }
        let _ = self.byte(b'-');
        if self.byte(b'0').is_none() && self.digits().is_none() {
            return None;
        }
        if self.byte(b'.').is_some() && self.digits().is_none() {
            return None;
        }
        if self.byte(b'e').or_else(|| self.byte(b'E')).is_some() {
            let _ = self.byte(b'+').or_else(|| self.byte(b'-'));
            self.digits()?;
        }
        Some(())
    }

    /// At least one digit.
    fn digits(&mut self) -> Option<()> {
        let rest = self.rest.trim_start_matches(|it: char| it.is_ascii_digit());
        let is_some = rest.len() < self.rest.len();
        self.rest = rest;
        is_some.then_some(())
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(char::from(byte))?;
        Some(())
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }
}

#[cfg(test)]
mod tests;
