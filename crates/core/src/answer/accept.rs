//! Which of several bodies a client prefers: `Accept` as RFC 9110 section 12.5.1 has it.
//!
//! The crate `headers-accept` 0.3 was considered: it adds 17 kB to a module, and rejects the whole
//! header over one entry that is broken.

/// One media range of an `Accept` header.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// Whether parameters make it narrower than its type.
    has_parameters: bool,
    /// Its weight in thousandths.
    weight: u16,
}

/// The first of the offers that the client likes best; each offer is known by one or
/// more media types. When none is acceptable, the first: a rejection is worth more than a 406.
pub(super) fn choose(accept: &str, offers: &[&[&str]]) -> usize {
    // Most who are rejected here say nothing of what they like, or that they take anything.
    if offers.len() < 2 || matches!(accept, "" | "*/*") {
        return 0;
    }
    let ranges: Vec<Range<'_>> = split(accept, ',').filter_map(Range::parse).collect();
    let weight = |offer: &&[&str]| {
        let weights = offer.iter().map(|media_type| weight(&ranges, media_type));
        weights.max().unwrap_or_default()
    };
    let mut best = (0, 0);
    for (index, weight) in offers.iter().map(weight).enumerate() {
        if weight > best.1 {
            best = (index, weight);
        }
    }
    best.0
}

/// The weight of the most specific range that a type falls into.
fn weight(ranges: &[Range<'_>], media_type: &str) -> u16 {
    let matching = ranges.iter().filter_map(|range| {
        let specificity = range.specificity(media_type)?;
        Some((specificity, range.weight))
    });
    matching.max().map_or(0, |(_, weight)| weight)
}

impl<'a> Range<'a> {
    /// `None` for what is no media range; it counts as not written.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = split(text, ';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        if kind.is_empty() || subtype.is_empty() || (kind == "*" && subtype != "*") {
            return None;
        }
        let mut range = Self {
            kind,
            subtype,
            has_parameters: false,
            weight: 1000,
        };
        for parameter in parts.filter(|it| !it.is_empty()) {
            let (name, value) = parameter.split_once('=')?;
            if name.eq_ignore_ascii_case("q") {
                // What follows the weight is no part of the range.
                range.weight = thousandths(value)?;
                break;
            }
            // Our texts are UTF-8; of any other parameter we have nothing to offer.
            let is_utf8 = value.trim_matches('"').eq_ignore_ascii_case("utf-8");
            if !name.eq_ignore_ascii_case("charset") || !is_utf8 || kind != "text" {
                return None;
            }
            range.has_parameters = true;
        }
        Some(range)
    }

    /// How closely the range describes a type, if at all.
    fn specificity(&self, media_type: &str) -> Option<u8> {
        let (kind, subtype) = media_type.split_once('/')?;
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (own, "*") if own.eq_ignore_ascii_case(kind) => Some(1),
            (own, sub) if own.eq_ignore_ascii_case(kind) && sub.eq_ignore_ascii_case(subtype) => {
                Some(if self.has_parameters { 3 } else { 2 })
            }
            _ => None,
        }
    }
}

/// `qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )`.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// Splits at a separator outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character: char| {
        let is_escaped = std::mem::take(&mut escaped);
        match character {
            _ if is_escaped => {}
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        character == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_gets_its_preferred_type() {
        let offers: [&[&str]; 3] = [&["application/json"], &["text/html"], &["text/plain"]];
        for (accept, expected) in [
            ("", 0),
            ("*/*", 0),
            ("text/*", 1),
            ("text/plain", 2),
            ("TEXT/Plain", 2),
            ("text/html, application/json", 0),
            ("text/html, application/json;q=0.9", 1),
            ("text/html;q=0.5, text/plain;q=0.51", 2),
            ("text/html;q=0.100,text/*;q=0.2", 2),
            ("*/*;q=0.1, text/plain;q=0", 0),
            ("*/*, application/json;q=0", 1),
            ("text/*;q=0.3, text/html;q=0, */*;q=0.2", 2),
            ("text/html ; q=0.2 , application/json ; Q=0.1", 1),
            (
                "text/html;charset=utf-8;q=0.9, text/html;q=0.1, text/plain;q=0.5",
                1,
            ),
            ("text/html;charset=\"UTF-8\"", 1),
            // Nothing of ours: the first.
            ("image/png", 0),
            ("text/html;level=1", 0),
            ("application/json;q=0", 0),
            // What is no media range counts for nothing, and hurts no other.
            (
                "text, text/html;q=2, text/html;q=0.1234, */html, text/plain;q=0.1",
                2,
            ),
            (
                "text/html;q=, text/html;q=-1, text/html;q=1.001, text/plain;q=0.001",
                2,
            ),
            ("x/y;a=\"text/html,\\\",\", text/plain", 2),
            ("text/html;q=1.000, application/json;q=0.999", 1),
            // Browsers and curl.
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
                1,
            ),
            ("application/json, text/plain, */*", 0),
        ] {
            assert_eq!(choose(accept, &offers), expected, "{accept}");
        }
    }

    #[test]
    fn an_offer_with_two_names_is_found_under_either() {
        let offers: [&[&str]; 2] = [
            &["text/html"],
            &["application/problem+json", "application/json"],
        ];
        for accept in [
            "application/json",
            "application/problem+json",
            "application/*",
        ] {
            assert_eq!(choose(accept, &offers), 1, "{accept}");
        }
    }

    proptest::proptest! {
        #[test]
        fn untrusted_text_never_panics(accept: String) {
            assert!(choose(&accept, &[&["a/b"], &["c/d"]]) < 2);
        }
    }
}
