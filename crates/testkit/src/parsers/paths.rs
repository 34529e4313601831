//! An input is a glob, a host pattern, a target and an authority, each in a line. What is
//! accepted means one thing, and patterns match what their definition says.

use keygate_core::Target;
use keygate_core::http::path::{canonical, decode, readable, readings};
use keygate_core::http::{Authority, HostPattern, PathGlob};

pub fn run(data: &[u8]) {
    let (glob, rest) = super::line(data);
    let (pattern, rest) = super::line(rest);
    let (target, authority) = super::line(rest);
    let target = Target::parse(target);
    if let Ok(target) = &target {
        means_one_thing(target);
    }
    let (Ok(glob), Ok(pattern)) = (std::str::from_utf8(glob), std::str::from_utf8(pattern)) else {
        return;
    };
    if let (Ok(compiled), Ok(target)) = (PathGlob::parse(glob), &target) {
        let path = readable(target.path);
        let globs: Vec<&str> = glob[1..].split('/').collect();
        let segments: Vec<&str> = path[1..].split('/').collect();
        let expected = is_match(&globs, &segments);
        assert_eq!(compiled.matches(&path), expected, "{glob} {path}");
        let (prefix, depth) = compiled.literal_prefix();
        let covered = path == *prefix || path.starts_with(&format!("{prefix}/"));
        assert!(!expected || covered, "{glob} {path} {prefix}");
        assert_eq!(prefix.matches('/').count(), depth);
    }
    let Ok(authority) = std::str::from_utf8(authority) else {
        return;
    };
    let Ok(parsed) = Authority::parse(authority) else {
        return;
    };
    has_one_host(authority, parsed);
    if let Ok(compiled) = HostPattern::parse(pattern) {
        let expected = is_host(pattern, parsed.host());
        assert_eq!(compiled.matches(parsed), expected, "{pattern} {authority}");
    }
}

/// An accepted authority cut at its first or its last colon has the same host.
fn has_one_host(text: &str, parsed: Authority<'_>) {
    let bare = |host: &str| host.strip_suffix('.').unwrap_or(host).to_owned();
    let hosts = match parsed.address() {
        Some(_) => [text.find(']'), text.rfind(']')].map(|at| text[..=at.unwrap()].to_owned()),
        None => [text.find(':'), text.rfind(':')].map(|at| bare(at.map_or(text, |at| &text[..at]))),
    };
    assert_eq!(hosts, [parsed.host(), parsed.host()], "{text}");
}

/// Every spelling of an accepted path is accepted, read alike, and stays where it is.
fn means_one_thing(target: &Target<'_>) {
    let spelled = canonical(target.path);
    assert_eq!(canonical(&spelled), spelled);
    let again = Target::parse(spelled.as_bytes()).expect("another spelling is rejected");
    assert_eq!(readable(again.path), readable(target.path));
    assert_eq!(again.has_encoded_slash, target.has_encoded_slash);
    let decoded = decode(target.path).unwrap();
    let decoded = std::str::from_utf8(&decoded).unwrap();
    assert_eq!(readable(decoded), decoded, "a second decoder finds more");
    for reading in readings(target.path) {
        assert_eq!(normalised(&reading), reading, "{}", target.path);
    }
    let is_plain = !target.has_encoded_slash && !target.has_parameters;
    assert!(!is_plain || readings(target.path).len() == 1);
}

/// RFC 3986 section 5.2.4, with slashes merged and backslashes turned, as Envoy may.
fn normalised(path: &str) -> String {
    let path = path.replace('\\', "/");
    let segments: Vec<&str> = path.split('/').collect();
    let last = segments.len() - 1;
    let mut kept: Vec<&str> = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        match *segment {
            ".." => drop(kept.pop()),
            "." => {}
            "" if index > 0 && index < last => {}
            segment => kept.push(segment),
        }
    }
    kept.join("/")
}

/// The definition of a glob, segment by segment.
fn is_match(globs: &[&str], segments: &[&str]) -> bool {
    // From the end: which tails of the path each tail of the glob matches.
    let mut tails = vec![false; segments.len() + 1];
    tails[segments.len()] = true;
    for glob in globs.iter().rev() {
        for at in 0..=segments.len() {
            tails[at] = match (*glob, segments.get(at)) {
                ("**", _) => tails[at..].contains(&true),
                (_, None) => false,
                ("*", Some(segment)) => !segment.is_empty() && tails[at + 1],
                (glob, Some(segment)) => {
                    let pieces: Vec<_> = glob.split('*').map(readable).collect();
                    let pieces: Vec<&str> = pieces.iter().map(|it| &**it).collect();
                    is_like(&pieces, segment) && tails[at + 1]
                }
            };
        }
    }
    tails[0]
}

/// Whether a segment is these pieces with any text between.
fn is_like(pieces: &[&str], text: &str) -> bool {
    match pieces {
        [last] => *last == text,
        [first, rest @ ..] => text.strip_prefix(first).is_some_and(|after| {
            let mut ends = after.char_indices().map(|it| it.0).chain([after.len()]);
            ends.any(|at| is_like(rest, &after[at..]))
        }),
        [] => false,
    }
}

/// The definition of a host pattern.
fn is_host(pattern: &str, host: &str) -> bool {
    let address = |text: &str| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    if let (Some(one), Some(other)) = (address(pattern), address(host)) {
        let (one, other): (std::net::Ipv6Addr, std::net::Ipv6Addr) = (one, other);
        return one == other;
    }
    let host = host.to_ascii_lowercase();
    let pattern = pattern.to_ascii_lowercase();
    let pattern = pattern.strip_suffix('.').unwrap_or(&pattern);
    match pattern.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => host == pattern,
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    super::texts(&[
        "/a/**/*.mp4\n*.example.com\n/a/b%2e/c.mp4?x=1\na.example.com:443",
        "/**/a/**/b\nexample.com\n/x/a/%61/c/b\nEXAMPLE.com.",
        "/img/a*b*c\n[::1]\n/img/a1b2c\n[::1]:80",
        "/a%2fb\na\n/a%2Fb;v=1/%c3%a9\na",
        "/caf%c3%a9/*\nx\n/caf\u{e9}/..;/b\nx:",
        "/a/*/c\n*.b\n/a//c/%252e\na.b",
        "/\n*.a\n/a/%2e%2E/%5c\n.a",
    ])
}
