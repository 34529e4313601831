//! What is wrong with a generated policy, in the words of the options that it was made of.

use keygate_core::decision::{Problem, Wrong};
use serde_json::Value;

use crate::check::unknown_fields;
use crate::environment::unset_here;

/// The path of the provider in a policy of one.
pub const PROVIDER: &str = "providers.it";

/// The fields of the provider that options other than `--set` set.
pub const NOT_SET: [&str; 3] = ["type", "format", "secrets"];

/// The field without which no weak format is taken.
pub const ALLOW_WEAK: &str = "allow_weak";

/// The options that a policy was made of.
pub struct Given<'a> {
    /// The policy.
    pub policy: &'a Value,
    /// The format of the links.
    pub format: &'a str,
    /// The rings, each with the place that its one secret came from.
    pub rings: Vec<(&'a str, String)>,
    /// Whether weak formats are allowed.
    pub allows_weak: bool,
    /// Fields of the provider that an option of the same name has set.
    pub options: Vec<&'a str>,
}

impl Given<'_> {
    /// Says what to change.
    pub fn told(&self, problems: &[Problem]) -> String {
        let tell = |it: &Problem| {
            let told = self.of_ring(it).or_else(|| self.of_option(it));
            told.unwrap_or_else(|| without_place(it))
        };
        let depth = PROVIDER.split('.').count();
        let unknown = unknown_fields(self.policy, depth, &NOT_SET);
        let all: Vec<String> = match unknown.is_empty() {
            true => problems.iter().map(tell).collect(),
            false => unknown,
        };
        let all = all.join("; ");
        let is_field = |it: &Problem| it.path.starts_with(PROVIDER) && self.of_option(it).is_none();
        match problems.iter().any(is_field) {
            true => format!(
                "{all} (set fields of the format {} with --set FIELD=VALUE)",
                self.format
            ),
            false => all,
        }
    }

    /// A problem of a secret, or of a key.
    fn of_ring(&self, problem: &Problem) -> Option<String> {
        let format = self.format;
        let path = problem.path.strip_prefix("secrets.")?;
        self.rings.iter().find_map(|(ring, place)| {
            let told = match (path.strip_prefix(ring)?, &problem.wrong) {
                ("", Wrong::NoPublicKey { kinds, .. }) => format!(
                    "the format {format} needs a key ({kinds}): use --private-key-file, or to \
                     verify --public-key-file"
                ),
                ("", Wrong::NoSecret { .. }) => {
                    format!("{place} contains a key, but a secret is required here")
                }
                ("", Wrong::Entry { text, .. }) | ("[0].env", Wrong::Value { text, .. }) => {
                    format!("{place} {text}")
                }
                ("[0].id", wrong) => format!("--key-id {wrong}"),
                ("" | "[0].env" | "[0].public_key", wrong) => format!("{place} {wrong}"),
                _ => return None,
            };
            Some(told)
        })
    }

    /// A problem of a field that has an option of its own.
    fn of_option(&self, problem: &Problem) -> Option<String> {
        let field = problem.path.strip_prefix(PROVIDER)?.strip_prefix('.')?;
        if field == ALLOW_WEAK && !self.allows_weak {
            return Some(format!("{field} {}: --set {field}=true", problem.wrong));
        }
        match &problem.wrong {
            Wrong::NoRing(name) => Some(format!(
                "{field}: there is no ring \"{name}\": give its variable with --ring \
                 {name}=VARIABLE"
            )),
            wrong => {
                let option = self.options.iter().find(|it| **it == field)?;
                Some(format!("--{} {wrong}", option.replace('_', "-")))
            }
        }
    }
}

/// All of them, by their fields. Variables that are not set in this shell come first and alone:
/// the policy may be good.
pub fn told(problems: &[Problem]) -> String {
    let unset = problems.iter().filter_map(|it| match &it.wrong {
        Wrong::Unset(variable) => Some(variable.as_str()),
        _ => None,
    });
    let unset: Vec<&str> = unset.collect();
    if !unset.is_empty() {
        return unset_here(&unset);
    }
    let all: Vec<_> = problems.iter().map(without_place).collect();
    format!("{} (see keygate check)", all.join("; "))
}

/// A problem by its field. Its place, and the name of the provider, are those of a generated
/// policy, which the user never sees.
fn without_place(problem: &Problem) -> String {
    let Problem { path, wrong, .. } = problem;
    let field = path.strip_prefix(PROVIDER).unwrap_or(path);
    match field.strip_prefix('.').unwrap_or(field) {
        "" => wrong.to_string(),
        field => format!("{field}: {wrong}"),
    }
}

/// Why no provider of the policy is the one that was asked for.
pub fn no_provider(asked: Option<&str>, policy: &Value, links: &[(&String, &Value)]) -> String {
    let names: Vec<String> = links.iter().map(|(it, _)| format!("\"{it}\"")).collect();
    match (asked, names.as_slice()) {
        (Some(name), _) => match policy["providers"][name]["type"].as_str() {
            Some(other) => {
                format!("the provider \"{name}\" has the type {other}, not signed_url")
            }
            None => format!("the policy has no provider \"{name}\" of signed URLs"),
        },
        (None, []) => {
            "the policy has no provider of signed URLs (\"type\": \"signed_url\")".to_owned()
        }
        (None, names) => format!(
            "the policy has {} providers of signed URLs: name one with --provider: {}",
            names.len(),
            names.join(", ")
        ),
    }
}
