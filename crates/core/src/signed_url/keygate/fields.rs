//! The fields of a token: letter, length, `:` and value, in one order.

use crate::http::address::range;
use crate::time::UnixMillis;

/// The letters in their order, and how often each may be used.
const LETTERS: [(char, usize); 14] = [
    ('k', 1),
    ('e', 1),
    ('n', 1),
    ('m', 1),
    ('h', 1),
    ('p', 1),
    ('g', 16),
    ('q', 1),
    ('i', 16),
    ('a', 16),
    ('r', 8),
    ('c', 8),
    ('u', 1),
    ('o', 1),
];

/// What a token says, read and well formed, but not yet known to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields<'a> {
    /// All of them, as they are signed.
    pub text: &'a str,
    /// The letters that are present, one bit each.
    present: u32,
    /// `k`: the id of the key in the ring.
    pub key_id: &'a str,
    /// `e`: the first instant at which the link holds no more.
    pub expires: UnixMillis,
    /// `n`: the first instant at which it holds.
    pub not_before: Option<UnixMillis>,
    /// `m`: the method, when it is not GET.
    pub method: Option<&'a str>,
    /// `h`: the host is not signed.
    pub any_host: bool,
    /// `p`: the link opens every path that begins so; it ends with `/`.
    pub prefix: Option<&'a str>,
    /// `q`: the query is not signed.
    pub any_query: bool,
    /// `u`: whose it is.
    pub account: Option<&'a str>,
    /// `o`: the id of a link that works once.
    pub once: Option<&'a str>,
}

/// What the value of a field must be.
pub(super) fn rule_of(letter: char) -> &'static str {
    match letter {
        'k' => "must be 1 to 64 letters, digits, \".\", \"_\" or \"-\"",
        'e' | 'n' => "must be from 1970-01-01T00:00:01Z to 2286-11-20T17:46:39Z",
        'm' => "must be 1 to 32 of \"A\" to \"Z\" and \"-\"",
        'p' => "must start and end with \"/\", without \"?\" and \"#\", such as /video/",
        'g' => {
            "must start with \"/\", without \"?\" and \"#\", and \"**\" must be a whole segment, \
             such as /video/**"
        }
        'i' => "must be a parameter, or the start of its name and \"*\"",
        'a' => "must be an address or a range such as 192.0.2.0/24",
        'r' => "must be the name of a header in lower case",
        'c' => "must be the name of a cookie",
        'u' => "must be 1 to 256 visible ASCII characters",
        'o' => "must be 16 to 64 letters, digits, \"_\" or \"-\"",
        _ => "must be \"*\"",
    }
}

/// How often a field may be used.
pub(super) fn most_of(letter: char) -> usize {
    let mut letters = LETTERS.iter();
    letters.find(|(it, _)| *it == letter).map_or(0, |it| it.1)
}

/// Why a text is no list of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// No field begins where one must.
    #[error("the fields do not have the form letter, length, \":\", value")]
    Form,
    /// The value is not what this field holds.
    #[error("the field {0} has an invalid value: it {rule}", rule = rule_of(*.0))]
    Value(char),
    /// An unknown field, one out of order, or one too many.
    #[error("the field {0} is unknown, out of order, or given more than once")]
    Place(char),
    /// A field that each token has.
    #[error("the field {0} is missing")]
    Missing(char),
    /// `p` beside `g`.
    #[error("a prefix cannot be combined with globs")]
    TwoScopes,
    /// `n` is not before `e`.
    #[error("the link expires before it becomes valid")]
    Times,
}

impl<'a> Fields<'a> {
    /// Reads them all.
    ///
    /// # Errors
    /// [`FieldError`]: the token is malformed.
    pub fn parse(text: &'a str) -> Result<Self, FieldError> {
        let mut fields = Self {
            text,
            present: 0,
            key_id: "",
            expires: UnixMillis(0),
            not_before: None,
            method: None,
            any_host: false,
            prefix: None,
            any_query: false,
            account: None,
            once: None,
        };
        let mut letters = LETTERS.iter();
        let mut current = ('\0', 0_usize);
        let mut rest = text;
        while !rest.is_empty() {
            let (letter, value, after) = split(rest).ok_or(FieldError::Form)?;
            rest = after;
            if current.0 != letter {
                // A letter that was passed already is not found again.
                let found = letters.find(|(it, _)| *it == letter);
                current = *found.ok_or(FieldError::Place(letter))?;
                fields.present |= bit(letter);
            }
            current.1 = current.1.checked_sub(1).ok_or(FieldError::Place(letter))?;
            fields
                .take(letter, value)
                .ok_or(FieldError::Value(letter))?;
        }
        fields.complete()
    }

    /// Whether a field is present.
    #[inline]
    pub fn has(&self, letter: char) -> bool {
        self.present & bit(letter) != 0
    }

    /// The values of a repeatable field, in their order.
    #[inline]
    pub fn values(&self, letter: char) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut rest = if self.has(letter) { self.text } else { "" };
        std::iter::from_fn(move || {
            let (found, value, after) = split(rest)?;
            rest = after;
            Some((found, value))
        })
        .filter(move |(found, _)| *found == letter)
        .map(|(_, value)| value)
    }

    fn take(&mut self, letter: char, value: &'a str) -> Option<()> {
        // All that a field can hold is visible ASCII.
        if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let is_good = match letter {
            'k' => {
                self.key_id = value;
                is_key_id(value)
            }
            'e' => {
                self.expires = seconds(value)?;
                true
            }
            'n' => {
                self.not_before = Some(seconds(value)?);
                true
            }
            'm' => {
                self.method = Some(value);
                is_method(value)
            }
            'h' => {
                self.any_host = true;
                value == "*"
            }
            'p' => {
                self.prefix = Some(value);
                is_prefix(value)
            }
            'q' => {
                self.any_query = true;
                value == "*"
            }
            'u' => {
                self.account = Some(value);
                (1..=256).contains(&value.len())
            }
            'o' => {
                self.once = Some(value);
                is_once(value)
            }
            'g' => is_glob(value),
            'i' => is_parameter(value),
            'a' => range(value).is_some(),
            'r' => is_header(value),
            'c' => is_cookie(value),
            _ => false,
        };
        is_good.then_some(())
    }

    fn complete(self) -> Result<Self, FieldError> {
        if self.key_id.is_empty() {
            return Err(FieldError::Missing('k'));
        }
        if self.expires == UnixMillis(0) {
            return Err(FieldError::Missing('e'));
        }
        if self.prefix.is_some() && self.has('g') {
            return Err(FieldError::TwoScopes);
        }
        if self.not_before.is_some_and(|from| from >= self.expires) {
            return Err(FieldError::Times);
        }
        Ok(self)
    }
}

/// The first field of a text: letter, value, and what follows.
#[inline]
fn split(text: &str) -> Option<(char, &str, &str)> {
    let (&letter, _) = text.as_bytes().split_first()?;
    let rest = text.get(1..).filter(|_| letter.is_ascii_alphabetic())?;
    // No token holds more than four digits of bytes.
    let colon = rest.bytes().take(5).position(|byte| byte == b':')?;
    let (length, rest) = rest.split_at_checked(colon)?;
    let length = usize::try_from(decimal(length)?).ok()?;
    let (value, rest) = rest.get(1..)?.split_at_checked(length)?;
    Some((char::from(letter), value, rest))
}

/// The bit of a letter.
#[inline]
fn bit(letter: char) -> u32 {
    1_u32.wrapping_shl(u32::from(letter) & 31)
}

/// A number without sign and leading zero, greater than zero.
#[inline]
fn decimal(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    is_number.then(|| text.parse().ok())?
}

/// Unix seconds, at most ten digits.
#[inline]
fn seconds(text: &str) -> Option<UnixMillis> {
    let seconds = decimal(text).filter(|_| text.len() <= 10)?;
    Some(UnixMillis::from_secs(seconds))
}

fn is_key_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

fn is_method(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(fits)
}

fn is_prefix(text: &str) -> bool {
    text.starts_with('/') && text.ends_with('/') && !text.contains(['?', '#'])
}

fn is_glob(text: &str) -> bool {
    // `**` inside a segment would look like more than it is.
    let is_whole = |segment: &str| segment == "**" || !segment.contains("**");
    text.starts_with('/') && !text.contains(['?', '#']) && text.split('/').all(is_whole)
}

fn is_parameter(text: &str) -> bool {
    let name = text.strip_suffix('*').unwrap_or(text);
    !text.is_empty() && !name.contains(['*', '&', '=', '#'])
}

/// RFC 9110 section 5.6.2, in lower case.
fn is_header(text: &str) -> bool {
    !text.is_empty()
        && !text.bytes().any(|byte| byte.is_ascii_uppercase())
        && text.bytes().all(is_token_byte)
}

fn is_cookie(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_once(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (16..=64).contains(&text.len()) && text.bytes().all(fits)
}
