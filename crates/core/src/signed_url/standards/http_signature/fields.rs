//! The little of structured fields (RFC 8941) that signatures are written in, in the one way
//! in which they are to be written: what is signed is the text as sent.
//!
//! The crate `sfv` 0.16 was considered: it needs Rust 1.95 where this workspace promises 1.89, takes
//! the last of two labels where this rejects both, and does not keep the text that is signed. It
//! adds 21 kB to a module.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::reason::Reason;

/// Most components that a signature may cover, and most labels in a header. Signers use a
/// dozen; each costs work before the signature is checked.
pub(crate) const MAX_MEMBERS: usize = 32;

/// What a `Signature-Input` says under one label.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Input<'a> {
    /// All of it, as the last line of what is signed has it.
    pub text: &'a str,
    /// What is covered, in order.
    pub components: Vec<Component<'a>>,
    /// `created`, in Unix seconds.
    pub created: Option<u64>,
    /// `expires`, in Unix seconds.
    pub expires: Option<u64>,
    /// `keyid`.
    pub key_id: Option<&'a str>,
    /// `alg`.
    pub algorithm: Option<&'a str>,
    /// `tag`.
    pub tag: Option<&'a str>,
    /// `nonce`.
    nonce: Option<&'a str>,
}

/// One thing that is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Component<'a> {
    /// As sent, quotes and parameters included.
    pub text: &'a str,
    /// Its name.
    pub name: &'a str,
    /// `name`, of a `@query-param`.
    pub parameter: Option<&'a str>,
}

/// What is left to read.
struct Reader<'a>(&'a str);

/// The member of this label, or the only one; the text from its `=` to the next member.
///
/// # Errors
/// [`Reason::MalformedCredential`] for what is not a dictionary or has more than
/// [`MAX_MEMBERS`] labels, [`Reason::DuplicateCredential`] for a label that is given more than
/// once, or for several where none is chosen.
pub(super) fn member<'a>(
    field: &'a str,
    label: Option<&str>,
) -> Result<Option<(&'a str, &'a str)>, Reason> {
    let mut members: Vec<(&str, &str)> = Vec::new();
    let mut reader = Reader(field);
    loop {
        let name = reader.key()?;
        reader.expect('=')?;
        let value = reader.value()?;
        if members.len() >= MAX_MEMBERS {
            return Err(Reason::MalformedCredential);
        }
        if members.iter().any(|(taken, _)| *taken == name) {
            return Err(Reason::DuplicateCredential);
        }
        members.push((name, value));
        reader.blanks();
        if reader.0.is_empty() {
            break;
        }
        reader.expect(',')?;
        reader.blanks();
    }
    match label {
        Some(label) => Ok(members.into_iter().find(|(name, _)| *name == label)),
        None if members.len() > 1 => Err(Reason::DuplicateCredential),
        None => Ok(members.pop()),
    }
}

/// The bytes of `:BASE64:`.
///
/// # Errors
/// [`Reason::MalformedCredential`] for anything else.
pub(super) fn bytes(value: &str) -> Result<Vec<u8>, Reason> {
    let inner = value.strip_prefix(':').and_then(|it| it.strip_suffix(':'));
    let bytes = inner.and_then(|it| STANDARD.decode(it).ok());
    bytes.ok_or(Reason::MalformedCredential)
}

impl<'a> Input<'a> {
    /// Reads a member of `Signature-Input`.
    ///
    /// # Errors
    /// [`Reason::MalformedCredential`] for what is written otherwise, for unknown parameters,
    /// for duplicates, and for more than [`MAX_MEMBERS`] components.
    pub(super) fn parse(text: &'a str) -> Result<Self, Reason> {
        let malformed = Reason::MalformedCredential;
        let mut reader = Reader(text);
        reader.expect('(')?;
        let mut components: Vec<Component<'a>> = Vec::new();
        while !reader.0.starts_with(')') {
            if !components.is_empty() {
                reader.expect(' ')?;
            }
            let component = reader.component()?;
            if components.len() >= MAX_MEMBERS || components.contains(&component) {
                return Err(malformed);
            }
            components.push(component);
        }
        reader.expect(')')?;
        let mut input = Self {
            text,
            components,
            created: None,
            expires: None,
            key_id: None,
            algorithm: None,
            tag: None,
            nonce: None,
        };
        while !reader.0.is_empty() {
            reader.expect(';')?;
            let name = reader.key()?;
            reader.expect('=')?;
            let is_new = match name {
                "created" => input.created.replace(reader.seconds()?).is_none(),
                "expires" => input.expires.replace(reader.seconds()?).is_none(),
                "keyid" => input.key_id.replace(reader.string()?).is_none(),
                "alg" => input.algorithm.replace(reader.string()?).is_none(),
                "tag" => input.tag.replace(reader.string()?).is_none(),
                "nonce" => input.nonce.replace(reader.string()?).is_none(),
                _ => false,
            };
            if !is_new {
                return Err(malformed);
            }
        }
        Ok(input)
    }

    /// Whether a component of this name is covered.
    pub(super) fn covers(&self, name: &str) -> bool {
        self.components.iter().any(|it| it.name == name)
    }
}

impl<'a> Reader<'a> {
    fn expect(&mut self, want: char) -> Result<(), Reason> {
        self.0 = self
            .0
            .strip_prefix(want)
            .ok_or(Reason::MalformedCredential)?;
        Ok(())
    }

    fn blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn split(&mut self, at: usize) -> &'a str {
        let (head, rest) = self.0.split_at_checked(at).unwrap_or((self.0, ""));
        self.0 = rest;
        head
    }

    /// RFC 8941 section 3.1.2.
    fn key(&mut self) -> Result<&'a str, Reason> {
        let fits = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "_-.*".contains(it);
        let end = self.0.find(|it| !fits(it)).unwrap_or(self.0.len());
        let key = self.split(end);
        match key.starts_with(|it: char| it.is_ascii_lowercase() || it == '*') {
            true => Ok(key),
            false => Err(Reason::MalformedCredential),
        }
    }

    /// All up to the next member: a `,` outside of quotes.
    fn value(&mut self) -> Result<&'a str, Reason> {
        let mut is_quoted = false;
        let end = self.0.find(|it| {
            is_quoted ^= it == '"';
            it == ',' && !is_quoted
        });
        if end.is_none() && is_quoted {
            return Err(Reason::MalformedCredential);
        }
        let value = self.split(end.unwrap_or(self.0.len()));
        Ok(value.trim_end_matches([' ', '\t']))
    }

    /// A string without escapes: nothing that is looked at here has any.
    fn string(&mut self) -> Result<&'a str, Reason> {
        self.expect('"')?;
        let end = self.0.find('"').ok_or(Reason::MalformedCredential)?;
        let text = self.split(end);
        let fits = |it: u8| (b' '..=b'~').contains(&it) && it != b'\\';
        if !text.bytes().all(fits) {
            return Err(Reason::MalformedCredential);
        }
        self.expect('"')?;
        Ok(text)
    }

    /// Unix seconds: one to ten digits, the first not zero.
    fn seconds(&mut self) -> Result<u64, Reason> {
        let end = self.0.find(|it: char| !it.is_ascii_digit());
        let digits = self.split(end.unwrap_or(self.0.len()));
        if !(1..=10).contains(&digits.len()) || digits.starts_with('0') {
            return Err(Reason::MalformedCredential);
        }
        digits.parse().map_err(|_| Reason::MalformedCredential)
    }

    fn component(&mut self) -> Result<Component<'a>, Reason> {
        let before = self.0;
        let name = self.string()?;
        let fits = |it: u8| {
            it.is_ascii_lowercase() || it.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&it)
        };
        let plain = name.strip_prefix('@').unwrap_or(name);
        if plain.is_empty() || !plain.bytes().all(fits) {
            return Err(Reason::MalformedCredential);
        }
        let mut parameter = None;
        if name == "@query-param" {
            self.0 = self
                .0
                .strip_prefix(";name=")
                .ok_or(Reason::MalformedCredential)?;
            parameter = Some(self.string()?);
        }
        let length = before.len().saturating_sub(self.0.len());
        Ok(Component {
            text: before.get(..length).unwrap_or_default(),
            name,
            parameter,
        })
    }
}

/// All values of a header as one text (RFC 9421 section 2.1).
pub(super) fn joined<'a>(
    values: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<Cow<'a, str>>, Reason> {
    let mut all: Option<Cow<'a, str>> = None;
    for value in values {
        let text = std::str::from_utf8(value).map_err(|_| Reason::MalformedCredential)?;
        if !text
            .bytes()
            .all(|it| it == b'\t' || (b' '..=b'~').contains(&it))
        {
            return Err(Reason::MalformedCredential);
        }
        let text = text.trim_matches([' ', '\t']);
        all = Some(match all {
            None => Cow::Borrowed(text),
            Some(before) => {
                let mut both = before.into_owned();
                both.push_str(", ");
                both.push_str(text);
                Cow::Owned(both)
            }
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_read_as_it_is_to_be_written() {
        let text = r#"("@method" "date" "@query-param";name="q");created=1618884473;keyid="k";alg="ed25519";expires=1618884474;nonce="n";tag="t""#;
        let input = Input::parse(text).unwrap();
        let names: Vec<_> = input.components.iter().map(|it| it.name).collect();
        assert_eq!(names, ["@method", "date", "@query-param"]);
        assert_eq!(input.components[2].text, r#""@query-param";name="q""#);
        assert_eq!(input.components[2].parameter, Some("q"));
        assert_eq!(
            (input.created, input.expires),
            (Some(1_618_884_473), Some(1_618_884_474))
        );
        assert_eq!(
            (input.key_id, input.algorithm),
            (Some("k"), Some("ed25519"))
        );
        assert!(Input::parse("()").is_ok());
        for wrong in [
            "",
            "(",
            "()x",
            "( \"a\")",
            "(\"a\" )",
            "(\"a\"  \"b\")",
            "(\"a\"\"b\")",
            "(\"a\" \"a\")",
            "(\"A\")",
            "(\"\")",
            "(\"@\")",
            "(\"a b\")",
            "(\"a\";sf)",
            "(\"a\";key=\"x\")",
            "(\"a\";req)",
            "(\"@query-param\")",
            "(\"@query-param\";name=q)",
            "(a)",
            "();created",
            "();created=\"1\"",
            "();created=01",
            "();created=-1",
            "();created=1.0",
            "();created=99999999999",
            "();created=1;created=1",
            "(); created=1",
            "();created =1",
            "();other=1",
            "();keyid=k",
            "();keyid=\"a\\\"b\"",
            "();keyid=\"a",
        ] {
            assert_eq!(
                Input::parse(wrong),
                Err(Reason::MalformedCredential),
                "{wrong}"
            );
        }
    }

    #[test]
    fn one_label_is_chosen_or_is_the_only_one() {
        let two = "a=(\"x,y\");keyid=\"1,2\", b=()";
        assert_eq!(member(two, Some("b")), Ok(Some(("b", "()"))));
        let first = Ok(Some(("a", "(\"x,y\");keyid=\"1,2\"")));
        assert_eq!(member(two, Some("a")), first);
        assert_eq!(member(two, Some("c")), Ok(None));
        assert_eq!(member(two, None), Err(Reason::DuplicateCredential));
        assert_eq!(member("a=()", None), Ok(Some(("a", "()"))));
        assert_eq!(
            member("a=(), a=()", Some("a")),
            Err(Reason::DuplicateCredential)
        );
        for wrong in [
            "",
            "a",
            "a=(),",
            "A=()",
            "=()",
            "a=\"",
            ",a=()",
            "a=() b=()x\"",
        ] {
            assert!(member(wrong, None).is_err(), "{wrong}");
        }
        assert_eq!(bytes(":AAAA:"), Ok(vec![0, 0, 0]));
        for wrong in [
            "AAAA", ":AAAA", ":AAA:", ":AA-_:", ":AAAA:;a", ": AAAA:", ":AAB=:", "",
        ] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn more_than_32_components_or_labels_are_rejected() {
        let components = |count: usize| {
            let names: Vec<String> = (0..count).map(|it| format!("\"x-{it}\"")).collect();
            Input::parse(&format!("({})", names.join(" "))).map(|it| it.components.len())
        };
        assert_eq!(components(MAX_MEMBERS), Ok(32));
        assert_eq!(components(33), Err(Reason::MalformedCredential));
        let labels = |count: usize| {
            let all: Vec<String> = (0..count).map(|it| format!("l{it}=()")).collect();
            member(&all.join(", "), Some("l1")).map(|it| it.is_some())
        };
        assert_eq!(labels(MAX_MEMBERS), Ok(true));
        assert_eq!(labels(33), Err(Reason::MalformedCredential));
    }

    proptest::proptest! {
        #[test]
        fn untrusted_text_never_panics(text: String, tail in "[()\";=@a-z0-9 ,:]{0,20}") {
            for text in [&text, &tail, &format!("({tail}")] {
                let _ = (Input::parse(text), member(text, None), member(text, Some("a")), bytes(text));
            }
        }
    }
}
