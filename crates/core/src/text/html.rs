//! HTML: how a text becomes part of a page.

/// Appends a text that is safe as content of an element and within a quoted attribute.
pub(crate) fn escape(to: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&#39;"),
            other => to.push(other),
        }
    }
}

/// The escaped text.
pub(crate) fn escaped(text: &str) -> String {
    let mut to = String::with_capacity(text.len());
    escape(&mut to, text);
    to
}
