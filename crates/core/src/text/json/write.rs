//! The escapes of a text in a JSON template, as serde_json writes them. serde_json itself writes
//! objects; for a template it would allocate a text for each placeholder and quotes to take off.

/// Adds the text between the quotes of a string.
pub(crate) fn escape(to: &mut String, text: &str) {
    let mut rest = text;
    // Whole runs: hardly a character needs more than itself.
    while let Some(at) = rest.bytes().position(is_escaped)
        && let Some((run, after)) = rest.split_at_checked(at)
    {
        to.push_str(run);
        let mut characters = after.chars();
        if let Some(character) = characters.next() {
            escape_one(to, character);
        }
        rest = characters.as_str();
    }
    to.push_str(rest);
}

fn is_escaped(byte: u8) -> bool {
    byte < b' ' || matches!(byte, b'"' | b'\\')
}

fn escape_one(to: &mut String, character: char) {
    to.push('\\');
    match character {
        '\u{8}' => to.push('b'),
        '\u{c}' => to.push('f'),
        '\n' => to.push('n'),
        '\r' => to.push('r'),
        '\t' => to.push('t'),
        control if control < ' ' => {
            to.push_str("u00");
            for digit in [u32::from(control) >> 4, u32::from(control) & 15] {
                to.push(char::from_digit(digit, 16).unwrap_or('0'));
            }
        }
        quoted => to.push(quoted),
    }
}
