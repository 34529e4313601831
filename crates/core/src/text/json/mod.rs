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
    /// The offset of its first byte in the text.
    pub(crate) start: usize,
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
        Self::read(text).ok()
    }

    /// The same.
    ///
    /// # Errors
    /// [`Fault`] with the place at which it is no JSON.
    pub(crate) fn read(text: &'a [u8]) -> Result<Self, Fault> {
        let whole = std::str::from_utf8(text).map_err(|error| Fault {
            what: "invalid unicode code point",
            at: error.valid_up_to(),
            path: String::new(),
        })?;
        let mut parser = Parser {
            length: whole.len(),
            rest: whole,
            fault: None,
        };
        let value = parser.whole();
        // Whatever gives no value notes why.
        value.ok_or_else(|| parser.fault.unwrap_or_default())
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

/// Why a text is no JSON.
#[derive(Debug, Default)]
pub(crate) struct Fault {
    pub what: &'static str,
    /// The offset behind the byte that does not fit, or that of the end.
    pub at: usize,
    /// The path of the value in which it is, such as `rules[2].match`.
    pub path: String,
}

impl Fault {
    #[cold]
    fn within(&mut self, step: &str) {
        self.path = below(step, &self.path);
    }
}

/// The path of what is at `path` in a member, or in an item `[0]`.
#[cold]
pub(crate) fn below(step: &str, path: &str) -> String {
    let separator = match path.bytes().next() {
        None | Some(b'[') => "",
        Some(_) => ".",
    };
    format!("{step}{separator}{path}")
}

struct Parser<'a> {
    length: usize,
    rest: &'a str,
    fault: Option<Fault>,
}

impl<'a> Parser<'a> {
    fn whole(&mut self) -> Option<Value<'a>> {
        let value = self.value(0)?;
        self.skip_blanks();
        match self.rest.is_empty() {
            true => Some(value),
            false => self.stop("trailing characters"),
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        self.skip_blanks();
        let start = self.rest;
        let Some(first) = start.bytes().next() else {
            return self.stop("EOF while parsing a value");
        };
        if depth >= MAX_DEPTH && matches!(first, b'{' | b'[') {
            return self.stop("recursion limit exceeded");
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
            start: self.length.checked_sub(start.len())?,
            kind,
        })
    }

    fn members(&mut self, depth: usize) -> Option<Members<'a>> {
        let mut members = Vec::new();
        let mut goes_on = self.opens(b'}');
        while goes_on {
            self.skip_blanks();
            if !self.rest.starts_with('"') {
                return self.stop("key must be a string");
            }
            let name = self.text()?;
            match self.member(depth) {
                Some(value) => members.push((name, value)),
                None => return self.within(&name),
            }
            goes_on = self.goes_on(b'}', "expected `,` or `}`")?;
        }
        Some(members)
    }

    fn member(&mut self, depth: usize) -> Option<Value<'a>> {
        self.skip_blanks();
        if self.byte(b':').is_none() {
            return self.stop("expected `:`");
        }
        self.value(depth.saturating_add(1))
    }

    fn items(&mut self, depth: usize) -> Option<Vec<Value<'a>>> {
        let mut items = Vec::new();
        let mut goes_on = self.opens(b']');
        while goes_on {
            match self.value(depth.saturating_add(1)) {
                Some(value) => items.push(value),
                None => return self.within(&format!("[{}]", items.len())),
            }
            goes_on = self.goes_on(b']', "expected `,` or `]`")?;
        }
        Some(items)
    }

    /// Goes into an array or object; `false` when it is empty, and then behind it.
    fn opens(&mut self, end: u8) -> bool {
        self.rest = self.rest.get(1..).unwrap_or_default();
        self.skip_blanks();
        self.byte(end).is_none()
    }

    fn goes_on(&mut self, end: u8, expected: &'static str) -> Option<bool> {
        self.skip_blanks();
        if self.byte(end).is_some() {
            return Some(false);
        }
        if self.byte(b',').is_none() {
            return self.stop(expected);
        }
        self.skip_blanks();
        match self.rest.bytes().next() == Some(end) {
            true => self.stop("trailing comma"),
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
                Some(_) => return self.stop("control character in a string"),
                None => return self.stop("EOF while parsing a string"),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let Some(short) = self.rest.bytes().next() else {
            return self.stop("EOF while parsing a string");
        };
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
            _ => return self.stop("invalid escape"),
        };
        self.rest = self.rest.get(1..)?;
        Some(character)
    }

    /// What `\u` stands before: one unit of UTF-16, or two.
    fn unicode(&mut self) -> Option<char> {
        let unit = self.unit()?;
        let Some(high) = unit.checked_sub(0xd800).filter(|it| *it < 0x400) else {
            return char::from_u32(unit).or_else(|| self.stop("lone surrogate in hex escape"));
        };
        let Some(rest) = self.rest.strip_prefix("\\u") else {
            return self.stop("unexpected end of hex escape");
        };
        self.rest = rest;
        let unit = self.unit()?;
        let Some(low) = unit.checked_sub(0xdc00).filter(|it| *it < 0x400) else {
            return self.stop("lone surrogate in hex escape");
        };
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
            _ => self.stop("invalid escape"),
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
        let is_negative = self.byte(b'-').is_some();
        if self.byte(b'0').is_none() && self.digits().is_none() {
            return self.stop(match is_negative {
                true => "invalid number",
                false => "expected value",
            });
        }
        if self.byte(b'.').is_some() && self.digits().is_none() {
            return self.stop("invalid number");
        }
        if self.byte(b'e').or_else(|| self.byte(b'E')).is_some() {
            let _ = self.byte(b'+').or_else(|| self.byte(b'-'));
            if self.digits().is_none() {
                return self.stop("invalid number");
            }
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

    /// Notes what is wrong with the next character.
    #[cold]
    fn stop<T>(&mut self, what: &'static str) -> Option<T> {
        let at = self.length.saturating_sub(self.rest.len());
        self.fault = Some(Fault {
            what,
            at: self.length.min(at.saturating_add(1)),
            path: String::new(),
        });
        None
    }

    /// What was noted is in this member, or item.
    #[cold]
    fn within<T>(&mut self, step: &str) -> Option<T> {
        if let Some(fault) = &mut self.fault {
            fault.within(step);
        }
        None
    }
}

#[cfg(test)]
mod tests;
