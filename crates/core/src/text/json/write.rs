//! Writing: what comes out is what serde_json writes.

/// An object that is being written, without blanks.
pub struct Object(String);

impl Object {
    /// One without members.
    #[expect(clippy::new_without_default, reason = "a default is not needed")]
    pub fn new() -> Self {
        Self("{".to_owned())
    }

    /// A text.
    #[must_use]
    pub fn text(self, name: &str, text: &str) -> Self {
        let mut all = self.named(name);
        quote(&mut all.0, text);
        all
    }

    /// A text, if there is one.
    #[must_use]
    pub fn text_if(self, name: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// A number.
    #[must_use]
    pub fn number(self, name: &str, number: u64) -> Self {
        self.raw(name, &number.to_string())
    }

    /// JSON that was written already.
    #[must_use]
    pub fn raw(self, name: &str, json: &str) -> Self {
        let mut all = self.named(name);
        all.0.push_str(json);
        all
    }

    /// The text of it.
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn named(mut self, name: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        quote(&mut self.0, name);
        self.0.push(':');
        self
    }
}

/// Adds a text with its quotes.
pub(crate) fn quote(to: &mut String, text: &str) {
    to.push('"');
    escape(to, text);
    to.push('"');
}

/// Adds the text between the quotes of a string.
pub(crate) fn escape(to: &mut String, text: &str) {
    let mut rest = text;
    // Whole runs: hardly a character needs more than itself.
    while let Some(at) = rest.bytes().position(is_escaped)
        && let Some((run, after)) = rest.split_at_checked(at)
    {
        to.push_str(run);
        let mut characters = after.chars();
        if let Some(character) = characters.next() {
            escape_one(to, character);
        }
        rest = characters.as_str();
    }
    to.push_str(rest);
}

fn is_escaped(byte: u8) -> bool {
    byte < b' ' || matches!(byte, b'"' | b'\\')
}

fn escape_one(to: &mut String, character: char) {
    to.push('\\');
    match character {
        '\u{8}' => to.push('b'),
        '\u{c}' => to.push('f'),
        '\n' => to.push('n'),
        '\r' => to.push('r'),
        '\t' => to.push('t'),
        control if control < ' ' => {
            to.push_str("u00");
            for digit in [u32::from(control) >> 4, u32::from(control) & 15] {
                to.push(char::from_digit(digit, 16).unwrap_or('0'));
            }
        }
        quoted => to.push(quoted),
    }
}
