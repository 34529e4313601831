//! A request as the decision sees it: borrowed, and readable in one way only.

use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use crate::http::authority::Authority;
use crate::http::header_name::overrides_method;
use crate::http::path::{Target, has_encoded_unreserved, is_short};
use crate::http::path_token::PathToken;
use crate::reason::Reason;

/// A header: name in lower case as HTTP/2 has it, and the bytes of its value.
pub type Header = (Bytes, Bytes);

/// Bytes in a buffer that others may be parts of, too: the headers of a request come in one,
/// and none of them is copied.
#[derive(Clone)]
pub struct Bytes {
    buffer: Rc<Vec<u8>>,
    start: u32,
    end: u32,
}

impl Bytes {
    /// `size` bytes of a buffer from `start` on, if there are so many.
    #[inline]
    pub fn part(buffer: &Rc<Vec<u8>>, start: usize, size: usize) -> Option<Self> {
        let end = start.checked_add(size).filter(|end| *end <= buffer.len())?;
        Some(Self {
            buffer: Rc::clone(buffer),
            start: u32::try_from(start).ok()?,
            end: u32::try_from(end).ok()?,
        })
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        let range = self.start as usize..self.end as usize;
        self.buffer.get(range).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Bytes {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Bytes {
    /// No header has 4 GiB: of such bytes none are kept.
    fn from(bytes: Vec<u8>) -> Self {
        let end = u32::try_from(bytes.len()).unwrap_or_default();
        Self {
            buffer: Rc::new(bytes),
            start: 0,
            end,
        }
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl<const N: usize> From<&[u8; N]> for Bytes {
    fn from(bytes: &[u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Bytes {
    // A header is looked for among many, and most names differ in their length.
    #[inline]
    fn eq(&self, other: &T) -> bool {
        let (size, other) = (self.end.wrapping_sub(self.start), other.as_ref());
        size as usize == other.len() && **self == *other
    }
}

impl Eq for Bytes {}

/// How many there are, and none of them: among the headers of a request are credentials.
impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({})", self.len())
    }
}

/// One request. Made by [`Request::read`], so its path is unambiguous.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// `:method`: 1 to 24 of `A` to `Z` and `-`.
    pub method: &'a str,
    /// `:authority`, parsed.
    pub authority: Authority<'a>,
    /// `:path` without a token that a path segment carries, split.
    pub target: Target<'a>,
    /// `:path` as it arrived.
    pub arrived: &'a str,
    /// What a path segment carried.
    pub path_token: Option<PathToken<'a>>,
    /// All headers, pseudo-headers among them, in the order of arrival.
    pub headers: &'a [Header],
}

/// Without the target and the headers: both may contain credentials.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("authority", &self.authority.as_str())
            .finish_non_exhaustive()
    }
}

impl<'a> Request<'a> {
    /// Reads the headers of one request.
    ///
    /// # Errors
    /// [`Reason::UnreadableRequest`] when method, path or host is missing, duplicate or
    /// malformed; [`Reason::PathTooLong`], and [`Reason::AmbiguousPath`] when the path can be
    /// read in two ways; [`Reason::NotNormalized`] when the proxy does not normalize paths.
    #[inline]
    pub fn read(headers: &'a [Header]) -> Result<Self, Reason> {
        Self::read_beside(headers, &[])
    }

    /// Reads the headers of one request whose path may contain one of these tokens: see
    /// [`Target::parse_beside`].
    ///
    /// # Errors
    /// As [`Request::read`].
    pub fn read_beside(headers: &'a [Header], tokens: &[String]) -> Result<Self, Reason> {
        let [method, authority, target] = pseudo_headers(headers)?;
        let (method, authority) = (text(method)?, text(authority)?);
        if !is_method(method) {
            return Err(Reason::UnreadableRequest);
        }
        let authority = Authority::parse(authority).map_err(|_| Reason::UnreadableRequest)?;
        let path = target.split(|byte| *byte == b'?').next();
        if !path.is_some_and(is_short) {
            return Err(Reason::PathTooLong);
        }
        let target = Target::parse_beside(target, tokens).map_err(|_| Reason::AmbiguousPath)?;
        if has_encoded_unreserved(target.path) {
            return Err(Reason::NotNormalized);
        }
        Ok(Self {
            method,
            authority,
            target,
            arrived: target.whole,
            path_token: None,
            headers,
        })
    }

    /// The authority as signers write it: without the default port of `:scheme`.
    #[inline]
    pub fn signed_authority(&self) -> &'a str {
        match self.authority.port() {
            None => self.authority.as_str(),
            Some(_) => {
                let scheme = self.values(":scheme").next().unwrap_or_default();
                let scheme = std::str::from_utf8(scheme).unwrap_or_default();
                self.authority.without_default_port(scheme)
            }
        }
    }

    /// The method that a CORS preflight asks for, if this is one: OPTIONS with exactly one
    /// `origin` and one `access-control-request-method`, as the Fetch standard has it
    /// (section 4.8), and nothing that turns it into another method behind us.
    pub fn preflight(&self) -> Option<&'a str> {
        if self.method != "OPTIONS" {
            return None;
        }
        let one = |name: &str| {
            let mut values = self.values(name);
            let first = values.next().and_then(|it| std::str::from_utf8(it).ok())?;
            // Envoy joins two of a kind by a comma.
            let is_one = !first.is_empty() && first.bytes().all(|it| it.is_ascii_graphic());
            (is_one && !first.contains(',') && values.next().is_none()).then_some(first)
        };
        let is_plain = !self.headers.iter().any(|(name, _)| overrides_method(name));
        let wanted = one("access-control-request-method").filter(|it| is_method(it))?;
        (is_plain && one("origin").is_some()).then_some(wanted)
    }

    /// Whether this is a prefetch by a browser: `Sec-Purpose` of the Fetch standard, and the
    /// headers that preceded it.
    pub fn is_prefetch(&self) -> bool {
        ["sec-purpose", "purpose", "x-purpose", "x-moz"]
            .iter()
            .any(|name| self.text(name).to_ascii_lowercase().contains("prefetch"))
    }

    /// All values of a header; `name` is in lower case.
    #[inline]
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> + Clone {
        values(self.headers, name.as_bytes())
    }

    /// The one value of a header that a client may send for its own sake, such as
    /// `accept`; several are joined by commas as RFC 9110 section 5.3 says, and
    /// bytes that are not ASCII count as absent.
    pub fn text(&self, name: &str) -> String {
        let values: Vec<&str> = self
            .values(name)
            .filter_map(|value| std::str::from_utf8(value).ok())
            .collect();
        values.join(",")
    }
}

#[inline]
fn values<'a>(headers: &'a [Header], name: &[u8]) -> impl Iterator<Item = &'a [u8]> + Clone {
    headers
        .iter()
        .filter(move |(candidate, _)| candidate.eq_ignore_ascii_case(name))
        .map(|(_, value)| &**value)
}

/// Method, authority and path, of each exactly one.
fn pseudo_headers(headers: &[Header]) -> Result<[&[u8]; 3], Reason> {
    let (mut method, mut authority, mut path) = (None, None, None);
    for (name, value) in headers.iter().filter(|it| it.0.first() == Some(&b':')) {
        let is = |it: &[u8]| name.eq_ignore_ascii_case(it);
        let place = match name.len() {
            5 if is(b":path") => &mut path,
            7 if is(b":method") => &mut method,
            10 if is(b":authority") => &mut authority,
            _ => continue,
        };
        if place.replace(&**value).is_some() {
            return Err(Reason::UnreadableRequest);
        }
    }
    match (method, authority, path) {
        (Some(method), Some(authority), Some(path)) => Ok([method, authority, path]),
        _ => Err(Reason::UnreadableRequest),
    }
}

#[inline]
fn text(value: &[u8]) -> Result<&str, Reason> {
    std::str::from_utf8(value).map_err(|_| Reason::UnreadableRequest)
}

/// Whether a text is a method: 1 to 24 of `A` to `Z` and `-`. Methods are case-sensitive (RFC
/// 9110 section 9.1), but not every server compares them so.
#[inline]
pub(crate) fn is_method(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
    (1..=24).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::http::edit::Edit;

    fn headers(list: &[(&str, &[u8])]) -> Vec<Header> {
        let owned = |(name, value): &(&str, &[u8])| (Bytes::from(*name), Bytes::from(*value));
        list.iter().map(owned).collect()
    }

    /// The headers of a GET of `/`, and more.
    pub(crate) fn get_with(list: &[(&str, &[u8])]) -> Vec<Header> {
        let pseudo = [
            (":method", &b"GET"[..]),
            (":path", b"/"),
            (":authority", b"h"),
        ];
        headers(&[&pseudo[..], list].concat())
    }

    #[test]
    fn no_credential_of_a_request_is_printed() {
        let mut sent = get_with(&[
            ("authorization", b"Bearer hunter2"),
            ("cookie", b"k=hunter2"),
        ]);
        sent[1].1 = "/a?key=hunter2".into();
        let request = Request::read(&sent).unwrap();
        let edits = [
            Edit::set("x-keygate-assertion", "hunter2"),
            Edit::Add("set-cookie".into(), b"hunter2"[..].into()),
            Edit::Remove("authorization".into()),
        ];
        let target = request.target;
        let printed = format!("{sent:?} {request:?} {target:?} {edits:?}");
        assert!(!printed.contains("hunter2"), "{printed}");
        for name in ["x-keygate-assertion", "set-cookie", "authorization"] {
            assert!(printed.contains(name), "{printed}");
        }
    }

    #[test]
    fn a_request_without_method_path_or_host_is_unreadable() {
        let whole: [(&str, &[u8]); 3] =
            [(":method", b"GET"), (":path", b"/a"), (":authority", b"h")];
        assert!(Request::read(&headers(&whole)).is_ok());
        for missing in 0..whole.len() {
            let mut partial = whole.to_vec();
            partial.remove(missing);
            let error = Request::read(&headers(&partial)).unwrap_err();
            assert_eq!(error, Reason::UnreadableRequest);
            let mut double = whole.to_vec();
            double.push(whole[missing]);
            let error = Request::read(&headers(&double)).unwrap_err();
            assert_eq!(error, Reason::UnreadableRequest);
        }
    }

    #[test]
    fn an_authority_that_is_no_host_is_unreadable() {
        for authority in ["a,b", "user@h", "h/x", "h#x", "h:x", "h\\x", "a b", ""] {
            let list = [
                (":method", &b"GET"[..]),
                (":path", b"/a"),
                (":authority", authority.as_bytes()),
            ];
            let error = Request::read(&headers(&list)).unwrap_err();
            assert_eq!(error, Reason::UnreadableRequest, "{authority}");
        }
    }

    #[test]
    fn a_preflight_has_one_origin_and_asks_for_one_method() {
        let origin = ("origin", &b"https://a.example"[..]);
        let wanted = ("access-control-request-method", &b"PUT"[..]);
        type Case<'a> = (&'a [u8], &'a [(&'a str, &'a [u8])], Option<&'a str>);
        let cases: [Case<'_>; 11] = [
            (b"OPTIONS", &[origin, wanted], Some("PUT")),
            (b"OPTIONS", &[wanted, ("origin", b"null")], Some("PUT")),
            (b"GET", &[origin, wanted], None),
            (b"OPTIONS", &[origin, (wanted.0, b"patch")], None),
            (b"OPTIONS", &[origin], None),
            (b"OPTIONS", &[wanted], None),
            (b"OPTIONS", &[origin, origin, wanted], None),
            (b"OPTIONS", &[origin, wanted, wanted], None),
            (b"OPTIONS", &[origin, (wanted.0, b"PUT,GET")], None),
            (b"OPTIONS", &[(origin.0, b""), wanted], None),
            (
                b"OPTIONS",
                &[origin, wanted, ("x-http-method-override", b"PUT")],
                None,
            ),
        ];
        for (method, more, expected) in cases {
            let mut list = vec![(":method", method), (":path", b"/a"), (":authority", b"h")];
            list.extend(more);
            let headers = headers(&list);
            let request = Request::read(&headers).unwrap();
            assert_eq!(request.preflight(), expected, "{more:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_unreadable_not_a_crash() {
        for (name, reason) in [
            (":method", Reason::UnreadableRequest),
            (":authority", Reason::UnreadableRequest),
            (":path", Reason::AmbiguousPath),
        ] {
            let mut list = headers(&[(":method", b"GET"), (":path", b"/a"), (":authority", b"h")]);
            for (candidate, value) in &mut list {
                if candidate == name.as_bytes() {
                    *value = b"/\xe9".into();
                }
            }
            assert_eq!(Request::read(&list).unwrap_err(), reason, "{name}");
        }
    }
}
