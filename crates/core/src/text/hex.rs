//! Hexadecimal digits (RFC 4648 section 8).

/// The value of one digit of either case.
pub(crate) fn digit(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Decodes digits of either case; `None` for an odd number of them or another character.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let byte = |&[high, low]: &[u8; 2]| Some((digit(high)? << 4) | digit(low)?);
    pairs.iter().map(byte).collect()
}

/// Decodes lower-case digits alone, where one spelling counts.
pub(crate) fn decode_lower(text: &str) -> Option<Vec<u8>> {
    let is_upper = |byte: u8| byte.is_ascii_uppercase();
    if text.bytes().any(is_upper) {
        return None;
    }
    decode(text.as_bytes())
}

/// Encodes bytes as lower-case digits, two for each.
pub fn encode(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|it| char::from_digit(it.into(), 16).unwrap_or('0'))
        .collect()
}
