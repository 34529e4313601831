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

#[inline(never)]
fn is_one_of(name: &[u8], names: &[&str]) -> bool {
    names.iter().any(|it| reads_as(name, it))
}
