//! The JSON (RFC 8259) that is read and written while requests are served: tokens, and
//! what the key service says. Strict and small; whoever has a written type for everything
//! takes serde, which is ten times as large in the filter.

mod write;

pub use write::Object;
pub(crate) use write::quote;

/// As deep as serde_json reads.
const MAX_DEPTH: usize = 127;

/// A value, and its text without the blanks around it.
#[derive(Debug)]
pub struct Value<'a> {
    /// As it was written.
    pub raw: &'a str,
    kind: Kind<'a>,
}

#[derive(Debug)]
enum Kind<'a> {
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
        let value = parser.value(0)?;
        parser.skip_blanks();
        parser.rest.is_empty().then_some(value)
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
    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        self.skip_blanks();
        let start = self.rest;
        let kind = match start.bytes().next()? {
            b'{' => Kind::Object(self.members(depth)?),
            b'[' => Kind::List(self.items(depth)?),
            b'"' => Kind::Text(self.text()?),
            _ => {
                self.word()?;
                Kind::Word
            }
        };
        let length = start.len().checked_sub(self.rest.len())?;
        let raw = start.get(..length)?;
        (depth <= MAX_DEPTH).then_some(Value { raw, kind })
    }

    fn members(&mut self, depth: usize) -> Option<Members<'a>> {
        let mut members = Vec::new();
        let mut goes_on = self.opens(b'}');
        while goes_on {
            self.skip_blanks();
            let name = self.text()?;
            self.skip_blanks();
            self.byte(b':')?;
            members.push((name, self.below(depth)?));
            goes_on = self.goes_on(b'}')?;
        }
        Some(members)
    }

    fn items(&mut self, depth: usize) -> Option<Vec<Value<'a>>> {
        let mut items = Vec::new();
        let mut goes_on = self.opens(b']');
        while goes_on {
            items.push(self.below(depth)?);
            goes_on = self.goes_on(b']')?;
        }
        Some(items)
    }

    fn below(&mut self, depth: usize) -> Option<Value<'a>> {
        match depth {
            MAX_DEPTH.. => None,
            depth => self.value(depth.saturating_add(1)),
        }
    }

    /// Goes into an array or object; `false` when it is empty, and then behind it.
    fn opens(&mut self, end: u8) -> bool {
        self.rest = self.rest.get(1..).unwrap_or_default();
        self.skip_blanks();
        self.byte(end).is_none()
    }

    fn goes_on(&mut self, end: u8) -> Option<bool> {
        self.skip_blanks();
        match self.byte(b',') {
            Some(()) => Some(true),
            None => self.byte(end).map(|()| false),
        }
    }

    fn text(&mut self) -> Option<String> {
        self.byte(b'"')?;
        let mut text = String::new();
        loop {
            let end = self
                .rest
                .find(|it: char| it < ' ' || it == '"' || it == '\\')?;
            let (plain, rest) = self.rest.split_at_checked(end)?;
            text.push_str(plain);
            self.rest = rest.get(1..)?;
            match rest.bytes().next()? {
                b'"' => return Some(text),
                b'\\' => text.push(self.escaped()?),
                _ => return None,
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let byte = self.rest.bytes().next()?;
        // Within a character there is nothing that an escape could be.
        self.rest = self.rest.get(1..)?;
        Some(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.unit()?;
                let Some(high) = unit.checked_sub(0xd800).filter(|it| *it < 0x400) else {
                    return char::from_u32(unit);
                };
                self.rest = self.rest.strip_prefix("\\u")?;
                let low = self.unit()?.checked_sub(0xdc00).filter(|it| *it < 0x400)?;
                char::from_u32((high << 10).checked_add(low)?.checked_add(0x10000)?)?
            }
            _ => return None,
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        self.rest = rest;
        let is_hex = digits.bytes().all(|it| it.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)
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
        if self.byte(b'0').is_none() {
            self.digits()?;
        }
        if self.byte(b'.').is_some() {
            self.digits()?;
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
