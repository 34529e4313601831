//! Cookies of a request.

use crate::http::request::Request;

/// The values of every cookie of this name, in order. One pair of double quotes around a
/// value is not part of it (RFC 6265 section 4.1.1).
#[inline]
pub(crate) fn cookie_values<'a>(
    request: &Request<'a>,
    name: &str,
) -> impl Iterator<Item = &'a [u8]> {
    let pairs = request.values("cookie").flat_map(cookie_pairs);
    pairs.filter_map(move |pair| cookie_value(pair, name))
}

/// The values that a cookie of this name has for any server: to some, a comma or white space
/// also ends a cookie (RFC 2965 section 3.3.4, Python's `http.cookies`).
pub(crate) fn lenient_values<'a>(
    request: &Request<'a>,
    name: &str,
) -> impl Iterator<Item = &'a [u8]> {
    let pairs = request.values("cookie").flat_map(cookie_pairs);
    pairs.flat_map(move |pair| pair_values(pair, name))
}

/// Every `cookie` header, joined, without the pairs in which a server may find a cookie of
/// these names; the others stay byte for byte. `None` when nothing is left.
pub(crate) fn cookies_without(request: &Request<'_>, names: &[&str]) -> Option<Vec<u8>> {
    let is_named = |pair: &[u8]| {
        let mut found = names.iter().flat_map(|name| pair_values(pair, name));
        found.next().is_some()
    };
    let kept: Vec<&[u8]> = request
        .values("cookie")
        .flat_map(cookie_pairs)
        .filter(|pair| !is_named(pair) && !pair.trim_ascii().is_empty())
        .map(<[u8]>::trim_ascii_start)
        .collect();
    (!kept.is_empty()).then(|| kept.join(&b"; "[..]))
}

#[inline]
fn cookie_pairs(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    header.split(|&byte| byte == b';')
}

/// The value of the pair as it is, and of the cookies behind a comma or white space in it.
fn pair_values<'a>(pair: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    let is_end = |byte: &u8| *byte == b',' || byte.is_ascii_whitespace();
    let hidden = pair.trim_ascii_start().split(is_end).skip(1);
    let hidden = hidden.filter_map(|piece| cookie_value(piece, name));
    cookie_value(pair, name).into_iter().chain(hidden)
}

#[inline]
fn cookie_value<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let equals = pair.iter().position(|&byte| byte == b'=')?;
    let (found, rest) = pair.split_at_checked(equals)?;
    (found.trim_ascii() == name.as_bytes())
        .then(|| rest.strip_prefix(b"=").map(<[u8]>::trim_ascii))?
        .map(unquoted)
}

/// A value without one pair of double quotes around it.
#[inline]
pub(crate) fn unquoted(value: &[u8]) -> &[u8] {
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|it| it.strip_suffix(b"\""));
    inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::tests::get_with as headers;

    #[test]
    fn other_cookies_survive_byte_for_byte() {
        for (list, expected) in [
            (vec!["app_key=K"], None),
            (vec!["a=1; app_key=K; b=\"x y\""], Some("a=1; b=\"x y\"")),
            (vec!["app_key=K; a=1"], Some("a=1")),
            (vec!["a=1", "app_key=K", "b=2"], Some("a=1; b=2")),
            (vec!["app_key=K;", ""], None),
            (vec!["xapp_key=K"], Some("xapp_key=K")),
            // To some servers there is a second cookie in it.
            (vec!["a=1,app_key=K; b=2"], Some("b=2")),
            (vec!["a=1 app_key=K", "b=2"], Some("b=2")),
            (vec!["a=1,\tapp_key=\"K\""], None),
            (
                vec!["a=1, xapp_key=K app_key2=K"],
                Some("a=1, xapp_key=K app_key2=K"),
            ),
            (
                vec!["a={\"app_key\": 1, \"b\": 2}"],
                Some("a={\"app_key\": 1, \"b\": 2}"),
            ),
        ] {
            let rows: Vec<(&str, &[u8])> =
                list.iter().map(|it| ("cookie", it.as_bytes())).collect();
            let headers = headers(&rows);
            let request = Request::read(&headers).unwrap();
            let kept = cookies_without(&request, &["app_key"]);
            assert_eq!(kept.as_deref(), expected.map(str::as_bytes), "{list:?}");
        }
    }

    #[test]
    fn cookies_of_several_names_are_taken_out_together() {
        let headers = headers(&[
            ("cookie", b"a=1; app_key=K; b=2"),
            ("cookie", b"clear=C; c=3"),
        ]);
        let request = Request::read(&headers).unwrap();
        let kept = cookies_without(&request, &["app_key", "clear"]);
        assert_eq!(kept.as_deref(), Some(&b"a=1; b=2; c=3"[..]));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_of_a_cookie_can_panic(cookie: Vec<u8>) {
            let headers = headers(&[("cookie", &cookie)]);
            let request = Request::read(&headers).unwrap();
            let _ = cookies_without(&request, &["a"]);
        }
    }
}
