//! `keygate keys`: app keys, by way of the key service.

mod create;
mod import;
mod list;
mod revoke;
mod show;

use std::process::ExitCode;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::CliError;

/// Create, import, list, show and revoke app keys.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Create(create::Args),
    Import(import::Args),
    List(list::Args),
    Show(show::Args),
    Revoke(revoke::Args),
}

/// Runs one of them.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    match args.command {
        Command::Create(args) => create::run(args),
        Command::Import(args) => import::run(&args),
        Command::List(args) => list::run(args),
        Command::Show(args) => show::run(args),
        Command::Revoke(args) => revoke::run(args),
    }
}

/// A key as the service shows it.
#[derive(Deserialize)]
struct KeyObject {
    id: String,
    account: String,
    name: Option<String>,
    status: String,
    scopes: Vec<String>,
    metadata: Box<RawValue>,
    allowed_ips: Vec<String>,
    #[serde(default)]
    allowed_referrers: Vec<String>,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    revoked_reason: Option<String>,
}

/// The path of a key. A text that is no id may be a whole key: it is neither sent nor repeated.
fn path(id: &str) -> Result<String, CliError> {
    if id.len() != 10 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let message = "that is not the id of a key: an id has 10 letters or digits, \
                       such as `keygate keys list` prints";
        return Err(CliError::Usage(message.to_owned()));
    }
    Ok(format!("/v1/keys/{id}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Args as _;
    use keygate_service::attributes::CREATE_FIELDS;
    use serde_json::json;

    use super::{KeyObject, create, import, show};

    #[test]
    fn create_has_an_option_for_every_attribute_of_a_key() {
        let command = create::Args::augment_args(clap::Command::new("create"));
        let options: BTreeSet<&str> = command
            .get_arguments()
            .map(|argument| argument.get_id().as_str())
            .collect();
        for field in CREATE_FIELDS {
            assert!(options.contains(field), "`keys create` cannot set {field}");
        }
    }

    #[test]
    fn import_help_names_every_attribute_of_a_key() {
        for field in CREATE_FIELDS.iter().filter(|field| **field != "expires_in") {
            assert!(import::EXAMPLES.contains(field), "no help on {field}");
        }
    }

    #[test]
    fn show_prints_every_attribute_of_a_key() {
        let mut key = json!({ "id": "4fT0aXq29Z", "status": "active", "created_at": "then" });
        for field in CREATE_FIELDS {
            let value = format!("a-{field}");
            key[*field] = match *field {
                "metadata" => json!({ "of": value }),
                "scopes" => json!([value]),
                list if list.starts_with("allowed_") => json!([value]),
                _ => json!(value),
            };
        }
        let key: KeyObject = serde_json::from_value(key).unwrap();
        let shown = show::describe(key);
        for field in CREATE_FIELDS.iter().filter(|field| **field != "expires_in") {
            let value = format!("a-{field}");
            assert!(shown.contains(&value), "`keys show` leaves out {field}");
        }
    }
}
