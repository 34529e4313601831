//! What is wrong with a generated policy, in the words of the options that it was made of.

use keygate_core::decision::Problem;
use serde_json::Value;

use super::GIVEN;

/// The options that describe a provider.
pub struct Given<'a> {
    /// The id of the secret.
    pub id: &'a str,
    /// The format of the links.
    pub format: &'a str,
    /// Where the secret came from.
    pub place: &'a str,
}

impl Given<'_> {
    /// Says what to change.
    pub fn told(&self, problems: &[Problem]) -> String {
        let Self { id, format, place } = self;
        let told = told(problems).replace(&format!("the value of {GIVEN}"), place);
        let told = told.replace(GIVEN, place);
        if let Some(told) = told.strip_prefix("secrets.given[0].env: ") {
            return told.to_owned();
        }
        if let Some(told) = told.strip_prefix("secrets.given[0].public_key: ") {
            return format!("the file of --public-key-file {told}");
        }
        let Some(told) = told.strip_prefix(&format!("secrets.given: \"{id}\" ")) else {
            return format!("{told} (set fields of the format {format} with --set FIELD=VALUE)");
        };
        match told.strip_prefix("must be a public key: ") {
            Some(kinds) => format!(
                "the format {format} needs a key ({kinds}): use --private-key-file, or to verify \
                 --public-key-file"
            ),
            None => format!("{place} {told}"),
        }
    }
}

/// All of them, by their fields.
pub fn told(problems: &[Problem]) -> String {
    let all = problems.iter().map(|it| {
        let told = it.to_string();
        let field = told.strip_prefix("providers.it.");
        let whole = told.strip_prefix("providers.it: ");
        let told = field.or(whole).unwrap_or(&told);
        // The place is one of the generated policy, which the user never sees.
        let told = told.split(" at line ").next().unwrap_or(told);
        told.to_owned()
    });
    all.collect::<Vec<_>>().join("; ")
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
