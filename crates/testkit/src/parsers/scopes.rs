//! An input is an expression, a line break, and scopes that are granted: whether they meet
//! it is what the definition says, over the words of the expression.

use keygate_core::identity::Scopes;

pub fn run(data: &[u8]) {
    let (expression, granted) = super::line(data);
    let (Ok(expression), Ok(granted)) = (
        std::str::from_utf8(expression),
        std::str::from_utf8(granted),
    ) else {
        return;
    };
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_ascii_whitespace().collect();
    match (Scopes::parse(expression), is_met(&words, granted)) {
        (Ok(scopes), met) => {
            assert_eq!(Some(scopes.is_met_by(granted)), met, "{expression:?}");
            let named = |it: &&str| !["AND", "OR", "(", ")"].contains(it);
            for name in words.iter().filter(|it| named(it)) {
                assert!(scopes.names().contains(name), "{name}");
            }
            // A client with all named scopes meets the expression.
            let all = scopes.names().join(" ");
            assert!(scopes.is_met_by(&all.replace('*', "x")), "{expression:?}");
        }
        (Err(_), None) => {}
        (Err(error), Some(_)) => {
            let deep = words.iter().filter(|it| **it == "(").count() > 16;
            assert!(expression.len() > 1000 || deep, "{expression:?}: {error}");
        }
    }
}

/// The definition, from outside to inside: at an `OR`, then at an `AND`, outside of
/// parentheses. `None` for what is no expression.
fn is_met(words: &[&str], granted: &str) -> Option<bool> {
    let mut depth = 0_usize;
    for word in words {
        depth = match *word {
            "(" => depth + 1,
            ")" => depth.checked_sub(1)?,
            _ => depth,
        };
    }
    (depth == 0).then_some(())?;
    for (operator, is_enough) in [("OR", true), ("AND", false)] {
        let parts = split(words, operator);
        if parts.len() > 1 {
            let parts = parts.iter().map(|it| is_met(it, granted));
            let parts = parts.collect::<Option<Vec<bool>>>()?;
            return Some(parts.contains(&is_enough) == is_enough);
        }
    }
    match words {
        ["(", inner @ .., ")"] => is_met(inner, granted),
        [name] => {
            let stem = name.strip_suffix('*').unwrap_or(name);
            let fits = |it: char| it.is_ascii_graphic() && !"\"\\*".contains(it);
            if ["AND", "OR"].contains(name) || !stem.chars().all(fits) {
                return None;
            }
            if stem.is_empty() {
                return None;
            }
            Some(granted.split(' ').any(|have| covers(have, name, stem)))
        }
        _ => None,
    }
}

fn covers(have: &str, name: &str, stem: &str) -> bool {
    if have.len() > 1 && have.ends_with('*') && name.starts_with(&have[..have.len() - 1]) {
        return true;
    }
    match name == stem {
        true => have == name,
        // "files:*" asks for some scope below.
        false => have.len() > stem.len() && have.starts_with(stem),
    }
}

fn split<'a, 'b>(words: &'a [&'b str], at: &str) -> Vec<&'a [&'b str]> {
    let mut depth = 0_i32;
    words
        .split(|word| {
            depth += i32::from(*word == "(") - i32::from(*word == ")");
            depth == 0 && *word == at
        })
        .collect()
}

pub fn seeds() -> Vec<Vec<u8>> {
    super::texts(&[
        "files:read AND (admin OR audit:*)\nfiles:read audit:log",
        "a OR b AND c\nb c",
        "a* AND a\na*",
        "((a))\na",
        "a b\na",
        "( AND a\n",
        "(((((((((((((((((a)))))))))))))))))\na",
        "files:*\nfiles: files:* files",
        "OR\nOR",
    ])
}
