//! Names of headers as upstreams read them.

/// Whether an upstream may read two names of headers as one.
///
/// CGI (RFC 3875 section 4.1.18), PHP, WSGI and Rack put headers into variables, in which
/// only letters and digits keep their meaning. Some of them read every other character as
/// `_`, so all characters that are neither letter nor digit compare as one here.
// Six times for each header of a request: most differ in their length, and of those that begin
// with `x-` most differ right behind it.
#[inline]
pub(crate) fn reads_as(name: &[u8], ours: &str) -> bool {
    let differs_at = |place: usize| match (name.get(place), ours.as_bytes().get(place)) {
        (Some(one), Some(other)) => folded(*one) != folded(*other),
        _ => false,
    };
    name.len() == ours.len()
        && !differs_at(2)
        && !differs_at(0)
        && bytes_read_as(name, ours.as_bytes())
}

#[inline]
fn folded(byte: u8) -> u8 {
    match byte.is_ascii_alphanumeric() {
        true => byte.to_ascii_lowercase(),
        false => b'-',
    }
}

#[inline(never)]
fn bytes_read_as(name: &[u8], ours: &[u8]) -> bool {
    let mut pairs = name.iter().zip(ours);
    pairs.all(|(&one, &other)| folded(one) == folded(other))
}

const METHODS: [&str; 3] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];

/// Whether a header tells some servers to act on another method than that of the request, in
/// any spelling of its name.
#[inline]
pub(crate) fn overrides_method(name: &[u8]) -> bool {
    // Most headers begin with another letter.
    matches!(name.first(), Some(b'x' | b'X')) && is_one_of(name, &METHODS)
}

const TARGETS: [&str; 2] = ["x-original-url", "x-rewrite-url"];

/// Whether a header tells some servers to serve another path than that of the request, in any
/// spelling of its name: IIS with a rewriting module, and old versions of Symfony and Zend
/// (CVE-2018-14773, CVE-2018-14774).
#[inline]
pub(crate) fn overrides_target(name: &[u8]) -> bool {
    // Every header of a request is asked, and few have such a length.
    TARGETS.iter().any(|it| it.len() == name.len()) && is_one_of(name, &TARGETS)
}

/// Most characters of the name of a header that is sealed.
const MAX_SEALABLE: usize = 64;

/// Headers that decide how a message is framed and how long its connection lives (RFC 9110
/// sections 6.6, 7.6 and 10.1.1, RFC 9112 section 6), or for whom it is.
const OF_MESSAGES: [&str; 14] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Beginnings of names by which proxies tell servers, and each other, what they have decided.
const OF_PROXIES: [&str; 5] = [
    "x-envoy-",
    "x-forwarded-",
    "x-keygate-",
    "x-real-ip",
    "x-request-id",
];

/// Whether the creator of a key may seal a header of this name, which is in lower case: letters,
/// digits and `-`, and nothing that frames a message, or that a proxy vouches for.
pub fn is_sealable(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = |of: &&str| name.starts_with(*of);
    (1..=MAX_SEALABLE).contains(&name.len())
        && name.bytes().all(fits)
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !OF_MESSAGES.contains(&name)
        && !OF_PROXIES.iter().any(begins)
        && !overrides_method(name.as_bytes())
        && !overrides_target(name.as_bytes())
}

#[inline(never)]
fn is_one_of(name: &[u8], names: &[&str]) -> bool {
    names.iter().any(|it| reads_as(name, it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_creator_can_seal_credentials_and_nothing_that_proxies_decide() {
        for name in [
            "authorization",
            "cookie",
            "x-api-key",
            "x-upstream-token2",
            "a",
        ] {
            assert!(is_sealable(name), "{name}");
        }
        let long = "a".repeat(65);
        for name in [
            "",
            &long,
            ":path",
            ":authority",
            "Authorization",
            "x_api_key",
            "x api",
            "1a",
            "-a",
            "host",
            "content-length",
            "transfer-encoding",
            "connection",
            "te",
            "upgrade",
            "x-keygate-account",
            "x-forwarded-for",
            "x-envoy-original-path",
            "x-original-url",
            "x-http-method-override",
            "x\r\na",
            "é",
        ] {
            assert!(!is_sealable(name), "{name}");
        }
    }
}
