//! What is signed, streamed piece by piece: nothing is put together in memory.

use arrayvec::ArrayVec;

use super::fields::Fields;
use super::{Algorithm, ParameterName};
use crate::http::path::{AmbiguousPath, canonical, canonical_pieces};
use crate::text::cut::{cut, parts};

/// The first line of every signed text, so that it is no other text of ours.
pub(crate) const DOMAIN: &[u8] = b"keygate-link-v1\n";

/// Most values of headers, and of cookies.
pub(crate) const MAX_VALUES: usize = 8;

/// What a request contributes to the signed text.
#[derive(Clone, Debug)]
pub(crate) struct Subject<'a> {
    /// `:authority`, in any case.
    pub host: &'a str,
    /// Whether the host is signed as it is: a mistake of signers, which only an explanation tries.
    #[cfg(feature = "tools")]
    pub keeps_case: bool,
    /// The path, without a token.
    pub path: &'a str,
    /// The query.
    pub query: Option<&'a str>,
    /// The name of the parameter of the query that is the token.
    pub token_parameter: Option<&'a str>,
    /// The value of the header of each `r`, in its order.
    pub headers: ArrayVec<&'a [u8], MAX_VALUES>,
    /// The value of the cookie of each `c`, in its order.
    pub cookies: ArrayVec<&'a [u8], MAX_VALUES>,
}

impl Subject<'_> {
    #[cfg(feature = "tools")]
    fn keeps_case(&self) -> bool {
        self.keeps_case
    }

    #[cfg(not(feature = "tools"))]
    fn keeps_case(&self) -> bool {
        false
    }
}

/// Hands out the signed text, one piece after the other.
///
/// # Errors
/// [`AmbiguousPath`] when a signed part has a broken percent encoding: such a text has no
/// canonical form.
pub(crate) fn write(
    algorithm: Algorithm,
    fields: &Fields<'_>,
    subject: &Subject<'_>,
    mut out: impl FnMut(&[u8]),
) -> Result<(), AmbiguousPath> {
    out(DOMAIN);
    field(b"A", algorithm.name().as_bytes(), &mut out);
    out(fields.text.as_bytes());
    if !fields.any_host {
        head(b"H", subject.host.len(), &mut out);
        match subject.keeps_case() {
            true => out(subject.host.as_bytes()),
            false => lower(subject.host, &mut out),
        }
    }
    if fields.prefix.is_none() && !fields.has('g') {
        let mut length = 0_usize;
        canonical_pieces(subject.path, |piece| add(&mut length, piece))?;
        head(b"P", length, &mut out);
        canonical_pieces(subject.path, &mut out)?;
    }
    if !fields.any_query {
        let kept = match fields.has('i') {
            true => Kept::Each,
            false => Kept::around(subject),
        };
        let mut length = 0_usize;
        kept.write(fields, subject, |piece| add(&mut length, piece))?;
        head(b"Q", length, &mut out);
        kept.write(fields, subject, &mut out)?;
    }
    for value in &subject.headers {
        field(b"R", value, &mut out);
    }
    for value in &subject.cookies {
        field(b"C", value, &mut out);
    }
    Ok(())
}

impl ParameterName {
    /// Whether it means a parameter of this name, in any spelling.
    pub fn means(&self, spelled: &str) -> bool {
        means(&self.0, spelled)
    }
}

/// The signed parameters, joined as they stood.
enum Kept<'a> {
    /// The text before the token, and after it.
    Around(Option<&'a str>, Option<&'a str>),
    /// Each must be looked at.
    Each,
}

impl<'a> Kept<'a> {
    fn around(subject: &Subject<'a>) -> Self {
        let Some(query) = subject.query else {
            return Self::Around(None, None);
        };
        let mut at = 0_usize;
        for parameter in parts(query, b'&') {
            let end = at.saturating_add(parameter.len());
            if subject.token_parameter == Some(name_of(parameter)) {
                let before = at.checked_sub(1).and_then(|end| query.get(..end));
                let after = query.get(end.saturating_add(1)..);
                // An empty one next to it is not a token, and is not signed either.
                let mut others = after.iter().flat_map(|it| parts(it, b'&'));
                if others.any(|it| subject.token_parameter == Some(name_of(it))) {
                    return Self::Each;
                }
                return Self::Around(before, after);
            }
            at = end.saturating_add(1);
        }
        Self::Around(Some(query), None)
    }

    /// Hands them out in canonical form.
    fn write(
        &self,
        fields: &Fields<'_>,
        subject: &Subject<'_>,
        mut out: impl FnMut(&[u8]),
    ) -> Result<(), AmbiguousPath> {
        let (before, after) = match self {
            Self::Around(before, after) => (before, after),
            Self::Each => return each(fields, subject, out),
        };
        if let Some(before) = before {
            canonical_pieces(before, &mut out)?;
        }
        if before.is_some() && after.is_some() {
            out(b"&");
        }
        match after {
            Some(after) => canonical_pieces(after, out),
            None => Ok(()),
        }
    }
}

/// The parameters but for the token and those that are not signed, in canonical form.
fn each(
    fields: &Fields<'_>,
    subject: &Subject<'_>,
    mut out: impl FnMut(&[u8]),
) -> Result<(), AmbiguousPath> {
    let mut is_first = true;
    for parameter in subject.query.iter().flat_map(|it| parts(it, b'&')) {
        let name = name_of(parameter);
        let is_token = subject.token_parameter == Some(name);
        if is_token || fields.values('i').any(|it| means(it, name)) {
            continue;
        }
        if !is_first {
            out(b"&");
        }
        is_first = false;
        canonical_pieces(parameter, &mut out)?;
    }
    Ok(())
}

/// The name of `name=value`, as it is spelled.
#[inline]
pub(crate) fn name_of(parameter: &str) -> &str {
    cut(parameter, b'=').map_or(parameter, |(name, _)| name)
}

/// Whether `pattern`, a name or the beginning of names and `*`, means a parameter whose
/// name is spelled so.
pub(super) fn means(pattern: &str, spelled: &str) -> bool {
    let pattern = canonical(pattern);
    let (mut wanted, is_open) = match pattern.strip_suffix('*') {
        Some(beginning) => (beginning.as_bytes(), true),
        None => (pattern.as_bytes(), false),
    };
    let mut is_so = true;
    let whole = canonical_pieces(spelled, |piece| {
        let length = piece.len().min(wanted.len());
        let is_over = piece.len() > length;
        let (head, rest) = wanted.split_at_checked(length).unwrap_or_default();
        is_so = is_so && piece.starts_with(head) && (is_open || !is_over);
        wanted = rest;
    });
    whole.is_ok() && is_so && wanted.is_empty()
}

#[inline]
fn field(letter: &[u8; 1], value: &[u8], out: &mut impl FnMut(&[u8])) {
    head(letter, value.len(), out);
    out(value);
}

/// The letter, the length and the colon of a field.
fn head(letter: &[u8; 1], length: usize, out: &mut impl FnMut(&[u8])) {
    let mut digits = ArrayVec::<u8, 22>::new();
    digits.push(b':');
    let mut left = length;
    loop {
        let digit = b"0123456789".get(left % 10).copied().unwrap_or(b'0');
        digits.push(digit);
        left /= 10;
        if left == 0 {
            break;
        }
    }
    digits.extend(*letter);
    digits.reverse();
    out(&digits);
}

#[inline]
fn lower(host: &str, out: &mut impl FnMut(&[u8])) {
    if !host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return out(host.as_bytes());
    }
    for byte in host.bytes() {
        out(&[byte.to_ascii_lowercase()]);
    }
}

#[inline]
fn add(length: &mut usize, piece: &[u8]) {
    *length = length.saturating_add(piece.len());
}
