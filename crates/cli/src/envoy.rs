//! What Envoy does with a path before Keygate sees it: it resolves the path, and
//! `path_with_escaped_slashes_action` says what becomes of `%2F`.
//!
//! The file is Envoy's own configuration, in YAML or JSON. Only this field and the variables of
//! the filter are looked for, by name: a reader of YAML would have nothing more to say.

mod variables;

use std::path::PathBuf;

use keygate_core::http::path::as_envoy_sends;
use keygate_core::lint::Level;

use crate::error::CliError;
use crate::file::read;
use crate::url::split_url;

const FIELD: &str = "path_with_escaped_slashes_action";

/// Where Envoy's configuration is.
#[derive(clap::Args)]
#[group(id = "envoy-options")]
pub struct Args {
    /// File with Envoy's configuration (YAML or JSON), to report what Envoy does with %2F in a path
    /// before Keygate sees it. The command check also reports each variable of the policy that
    /// host_env_keys lacks
    #[arg(long, value_name = "FILE")]
    envoy: Option<PathBuf>,
}

/// Envoy's configuration, if it was given.
pub struct Envoy(Option<(PathBuf, String)>);

impl Args {
    /// Reads the file.
    pub fn read(&self) -> Result<Envoy, CliError> {
        let Some(file) = &self.envoy else {
            return Ok(Envoy(None));
        };
        let text = String::from_utf8_lossy(&read(file)?).into_owned();
        Ok(Envoy(Some((file.clone(), text))))
    }
}

impl Envoy {
    /// Says what becomes of a path with `%2F` in front of the filter: nothing, if this Envoy
    /// hands it on.
    pub fn remarks(&self) -> Vec<(Level, String)> {
        let Some((file, text)) = &self.0 else {
            let told = format!(
                "%2F reaches Keygate only if Envoy's {FIELD} is KEEP_UNCHANGED (see --envoy)"
            );
            return vec![(Level::Note, told)];
        };
        let file = file.display();
        let told = actions(text).filter_map(|(number, action)| {
            let told = before_the_filter(action)?;
            let told = format!(
                "{file}:{number}: {FIELD} is {action}: {told}. \
                 allow_encoded_slash requires KEEP_UNCHANGED"
            );
            Some((Level::Warning, told))
        });
        told.collect()
    }
}

impl Envoy {
    /// Names each variable of a policy that this Envoy does not hand to the filter, with the
    /// place where it belongs.
    pub fn lacks(&self, needed: &[String]) -> Vec<String> {
        let Some((file, text)) = &self.0 else {
            return Vec::new();
        };
        let file = file.display();
        let given = variables::variables(text);
        let line = given.line;
        let missing = needed.iter().filter(|name| !given.names.contains(*name));
        let told = missing.map(|name| {
            format!(
                "{file}:{line}: host_env_keys: {name} is missing, so Envoy would reject the \
                 policy: add it to environment_variables.host_env_keys of the vm_config"
            )
        });
        told.collect()
    }
}

/// Says that Envoy hands another path to the filter than that of this URL, if it does. The path
/// may hold a credential, so it is not repeated.
pub fn resolved(url: &str) -> Option<&'static str> {
    let (_, target) = split_url(url).ok()?;
    let sent = as_envoy_sends(target);
    let path = sent.split('?').next().unwrap_or_default();
    let is_dots = |segment: &str| {
        let name = segment.split(';').next();
        matches!(name, Some("." | ".."))
    };
    let is_resolved = path.contains("//") || path.contains('\\') || path.split('/').any(is_dots);
    is_resolved.then_some(
        "note: with normalize_path and merge_slashes, Envoy resolves dot segments, // and \\ \
         before the filter sees the path. Run the command again with the resolved path",
    )
}

/// Each value of the field, with its line. A listener without the field keeps `%2F`.
fn actions(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().zip(1..);
    let lines = lines.filter(|(line, _)| !line.trim_start().starts_with('#'));
    lines.flat_map(|(line, number)| {
        let values = line.split(FIELD).skip(1);
        let is_word = |it: char| it.is_ascii_alphanumeric() || it == '_';
        let value = move |rest: &'_ str| -> Option<(usize, usize)> {
            let start = rest.find(is_word)?;
            let after = rest.get(start..)?;
            let end = after.find(|it| !is_word(it)).unwrap_or(after.len());
            Some((start, end))
        };
        values.filter_map(move |rest| {
            let (start, length) = value(rest)?;
            Some((number, rest.get(start..)?.get(..length)?))
        })
    })
}

fn before_the_filter(action: &str) -> Option<&'static str> {
    match action {
        "KEEP_UNCHANGED" | "IMPLEMENTATION_SPECIFIC_DEFAULT" => None,
        "REJECT_REQUEST" => Some("Envoy answers 400 to a path with %2F before Keygate receives it"),
        "UNESCAPE_AND_REDIRECT" => {
            Some("Envoy redirects to the path with \"/\" before Keygate receives %2F")
        }
        "UNESCAPE_AND_FORWARD" => Some("Envoy turns %2F into \"/\" before Keygate checks the path"),
        _ => Some("this value is unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_found_in_yaml_and_json_but_not_in_comments() {
        let text = "a:\n  path_with_escaped_slashes_action: REJECT_REQUEST # why\n\
                    # path_with_escaped_slashes_action: KEEP_UNCHANGED\n\
                    {\"path_with_escaped_slashes_action\":\"KEEP_UNCHANGED\",\n\
                    path_with_escaped_slashes_action:";
        let found: Vec<_> = actions(text).collect();
        assert_eq!(found, [(2, "REJECT_REQUEST"), (4, "KEEP_UNCHANGED")]);
    }
}
