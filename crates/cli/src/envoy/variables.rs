//! The environment variables that Envoy's configuration hands to the filter.

use std::collections::BTreeSet;

/// The fields of `environment_variables` in a `vm_config`: names of Envoy's own variables, and
/// variables with their values.
const FIELDS: [&str; 2] = ["host_env_keys", "key_values"];

/// What a configuration says of variables.
#[derive(Debug, PartialEq, Eq)]
pub struct Variables {
    /// The line of the first list, from 1.
    pub line: usize,
    /// The names in all lists. Values of `key_values` are among them.
    pub names: BTreeSet<String>,
}

/// Finds the variables in YAML or JSON; without a list, its line is 1.
pub fn variables(text: &str) -> Variables {
    let lines: Vec<&str> = text.lines().map(without_comment).collect();
    let text = lines.join("\n");
    let mut first = None;
    let mut names = BTreeSet::new();
    for field in FIELDS {
        for (at, _) in text.match_indices(field) {
            let (Some(before), Some(rest)) = (text.get(..at), text.get(at + field.len()..)) else {
                continue;
            };
            let after_name = rest.trim_start_matches(['"', '\'']).trim_start();
            let Some(value) = after_name.strip_prefix(':') else {
                continue;
            };
            let line = before.matches('\n').count() + 1;
            first = Some(first.map_or(line, |it: usize| it.min(line)));
            let indent = before.chars().rev().take_while(|it| *it != '\n').count();
            names.extend(words(&list(value, indent)));
        }
    }
    Variables {
        line: first.unwrap_or(1),
        names,
    }
}

/// The text of a list or map, whose name is this far from the start of its line.
fn list(value: &str, indent: usize) -> String {
    let flow = value.trim_start();
    if flow.starts_with(['[', '{']) {
        return flow.split([']', '}']).next().unwrap_or_default().to_owned();
    }
    let is_inside = |line: &&str| {
        let text = line.trim_start();
        let depth = line.len() - text.len();
        text.is_empty() || depth > indent || (depth == indent && text.starts_with('-'))
    };
    let block = value.lines().skip(1).take_while(is_inside);
    block.collect::<Vec<_>>().join("\n")
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    words.filter(|it| !it.is_empty()).map(str::to_owned)
}

/// A line up to a `#` at its start or after a space, where a comment begins in YAML.
fn without_comment(line: &str) -> &str {
    let mut hashes = line.match_indices('#').map(|(at, _)| at);
    let starts = |at: &usize| {
        line.get(..*at)
            .is_some_and(|it| it.is_empty() || it.ends_with(' '))
    };
    let end = hashes.find(starts).unwrap_or(line.len());
    line.get(..end).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found_in_every_spelling() {
        for text in [
            "x:\n  host_env_keys: [A, B_1] # C\n  y: D\n",
            "# host_env_keys: [D]\nx: { host_env_keys: [\"A\",\n  'B_1'] }\n",
            "x:\n  host_env_keys:\n  - A\n\n  - \"B_1\" # C\n  y: D\n",
            "x:\n  host_env_keys:\n    - A\n  key_values:\n    B_1: \"\"\n  y: D\n",
            "{ \"x\": 1,\n \"host_env_keys\": [\n \"A\" ], \"key_values\": { \"B_1\": \"\" } }",
        ] {
            let found = variables(text);
            let names: Vec<&str> = found.names.iter().map(String::as_str).collect();
            assert_eq!((found.line, names), (2, vec!["A", "B_1"]), "{text}");
        }
        assert_eq!(variables("x: y").names, BTreeSet::new());
    }
}
