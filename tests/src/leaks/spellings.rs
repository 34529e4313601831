//! The spellings in which a secret could stand somewhere.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shortest part of a credential that is looked for: by chance it stands nowhere.
const SHORTEST: usize = 20;

/// Of a long secret, a part of this length is a leak, too.
const PART: usize = 24;

/// What is secret in a credential.
pub(super) fn secret_parts(text: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    for word in text.split(|&byte| !is_word(byte)) {
        // `Authorization: Basic` hides what it holds.
        if let Ok(inner) = STANDARD_NO_PAD.decode(word)
            && inner.contains(&b':')
            && inner.is_ascii()
        {
            parts.extend(secret_parts(&inner));
        }
        match app_key_secret(word) {
            Some(secret) => parts.push(secret.to_vec()),
            None if word.len() >= SHORTEST && looks_random(word) => parts.push(word.to_vec()),
            None => {}
        }
    }
    // Header and claims of a JWT are no secret.
    if text.windows(3).any(|it| it == b"eyJ") {
        parts.retain(|part| !part.starts_with(b"eyJ"));
    }
    parts
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/')
}

/// `<prefix>_<kid and id>_<secret, tag and checksum>`.
fn app_key_secret(word: &[u8]) -> Option<&[u8]> {
    let mut pieces = word.split(|&byte| byte == b'_');
    let (_, id, secret) = (pieces.next()?, pieces.next()?, pieces.next()?);
    (id.len() == 12 && secret.len() == 46 && pieces.next().is_none()).then_some(secret)
}

/// Letters and digits in no order of a language: words and paths are neither.
fn looks_random(word: &[u8]) -> bool {
    let has = |kind: fn(&u8) -> bool| word.iter().any(kind);
    let changes = word.windows(2).filter(|two| class(two[0]) != class(two[1]));
    has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && changes.count() * 4 >= word.len()
}

fn class(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        b'a'..=b'z' => 2,
        _ => 3,
    }
}

/// Percent-decoded, as often as it was encoded.
pub(super) fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = (byte == b'%').then(|| after.get(..2)).flatten();
        let octet =
            digits.and_then(|it| u8::from_str_radix(std::str::from_utf8(it).ok()?, 16).ok());
        decoded.push(octet.unwrap_or(byte));
        rest = if octet.is_some() { &after[2..] } else { after };
    }
    if decoded.len() == text.len() {
        decoded
    } else {
        unescaped(&decoded)
    }
}

/// Every way to write it down that is looked for: itself, hexadecimal, base64 wherever it
/// stands in what was encoded, percent-encoded, as a list of numbers.
pub(super) fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for part in parts(secret) {
        all.push(part.to_vec());
        let lower: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
        all.push(lower.to_uppercase().into_bytes());
        all.push(lower.into_bytes());
        for before in 0..3 {
            // What shares a letter with a neighbour is left out.
            let mut text = vec![0; before];
            text.extend_from_slice(part);
            let (from, to) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
            for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                all.push(encoded.as_bytes()[from..to].to_vec());
            }
        }
        for reserved in [is_reserved as fn(u8) -> bool, |_| true] {
            all.push(percent_encoded(part, reserved, true));
            all.push(percent_encoded(part, reserved, false));
        }
        let numbers: Vec<String> = part.iter().map(u8::to_string).collect();
        all.push(numbers.join(", ").into_bytes());
        all.push(numbers.join(",").into_bytes());
        // A text that is itself base64 of bytes.
        if let Ok(bytes) = STANDARD.decode(part)
            && bytes.len() >= SHORTEST
        {
            all.push(bytes);
        }
    }
    all.sort();
    all.dedup();
    all
}

/// All of it, or, of a long one, parts that no leaked half can miss.
fn parts(secret: &[u8]) -> Vec<&[u8]> {
    if secret.len() < 2 * PART {
        return vec![secret];
    }
    secret
        .chunks_exact(PART)
        .chain([&secret[secret.len() - PART..]])
        .collect()
}

fn is_reserved(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte)
}

fn percent_encoded(text: &[u8], is_encoded: fn(u8) -> bool, upper: bool) -> Vec<u8> {
    let triplet = |byte: u8| {
        if upper {
            format!("%{byte:02X}")
        } else {
            format!("%{byte:02x}")
        }
    };
    let pieces = text.iter().map(|&byte| match is_encoded(byte) {
        true => triplet(byte).into_bytes(),
        false => vec![byte],
    });
    pieces.collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"kg_01kw7IbrHi0i_0123456789abcdefGHIJKLMNOPqrstuvTAGTAGTACRCCRC";

    #[test]
    fn of_a_credential_the_secret_part_is_looked_for_and_nothing_public() {
        let basic = format!("Basic {}", STANDARD.encode([b"alice:", KEY].concat()));
        for text in [
            KEY,
            &[b"Bearer ", KEY].concat(),
            &[b"a=b; app_key=", KEY, b"; c=d"].concat(),
        ] {
            assert_eq!(
                secret_parts(text),
                [&KEY[16..]],
                "{}",
                String::from_utf8_lossy(text)
            );
        }
        assert!(secret_parts(basic.as_bytes()).contains(&KEY[16..].to_vec()));
        let jwt = b"Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.aZFGNE5saPyzw14IjWtU9De_vgDNvhaWvMCi5wl5bac";
        assert_eq!(
            secret_parts(jwt),
            [b"aZFGNE5saPyzw14IjWtU9De_vgDNvhaWvMCi5wl5bac"]
        );
        for public in [
            &b"?return_to=/media/a/very/long/path/of/words"[..],
            b"theme=dark",
            b"?a=1700000000000000000000",
        ] {
            assert_eq!(
                secret_parts(public),
                Vec::<Vec<u8>>::new(),
                "{}",
                String::from_utf8_lossy(public)
            );
        }
        assert_eq!(unescaped(b"a%252Bb%zz%2"), b"a+b%zz%2");
    }

    #[test]
    fn a_secret_is_found_at_every_offset_in_base64() {
        let secret = b"a-secret-that-is-long-enough";
        let all = spellings(secret);
        for before in 0..7 {
            for after in 0..4 {
                let text = [&b"xxxxxxx"[..before], secret, &b"yyyy"[..after]].concat();
                let encoded = STANDARD.encode(text);
                let found = all.iter().any(|it| {
                    it.len() > 30 && encoded.as_bytes().windows(it.len()).any(|at| at == it)
                });
                assert!(found, "{before} bytes before, {after} after");
            }
        }
    }
}
