//! Statements that the databases understand differently.

/// The text of a statement.
pub(in crate::store) trait Text {
    /// For SQLite.
    fn sqlite(&self) -> &str;

    /// For PostgreSQL, still with the marks of SQLite.
    fn postgres(&self) -> &str;
}

/// A statement that each database has to be told in its own words.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Each<'a> {
    pub(in crate::store) sqlite: &'a str,
    pub(in crate::store) postgres: &'a str,
}

impl Text for Each<'_> {
    fn sqlite(&self) -> &str {
        self.sqlite
    }

    fn postgres(&self) -> &str {
        self.postgres
    }
}

impl Text for &str {
    fn sqlite(&self) -> &str {
        self
    }

    fn postgres(&self) -> &str {
        self
    }
}

impl Text for &String {
    fn sqlite(&self) -> &str {
        self
    }

    fn postgres(&self) -> &str {
        self
    }
}

/// Turns the marks `?1` and `?` into `$1`. No statement has a question mark in a literal.
pub(super) fn numbered(text: &str) -> String {
    let mut parts = text.split('?');
    let mut all = parts.next().unwrap_or_default().to_owned();
    let mut last = 0_u32;
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(digits);
        let number = number.parse().unwrap_or_else(|_| last.saturating_add(1));
        last = last.max(number);
        all.push_str(&format!("${number}{rest}"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_numbered_as_sqlite_numbers_them() {
        for (text, expected) in [
            ("SELECT 1", "SELECT 1"),
            (
                "a = ?1 AND b = ?12 OR c = ?1",
                "a = $1 AND b = $12 OR c = $1",
            ),
            ("(?, ?, ?)", "($1, $2, $3)"),
            ("?2 = ?", "$2 = $3"),
        ] {
            assert_eq!(numbered(text), expected);
        }
    }
}
