//! `keygate keys`: app keys, by way of the key service.

mod convert;
mod create;
mod edit;
mod export;
mod import;
mod list;
mod revoke;
mod rotate;
mod seal;
mod sealing;
mod show;
mod top;
mod usage;

use std::process::ExitCode;

use clap::Subcommand;
use keygate_service::Attributes;

use crate::error::CliError;

/// Create, change, rotate and revoke app keys.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Create(create::Args),
    Convert(convert::Args),
    Import(import::Args),
    List(list::Args),
    Show(show::Args),
    Usage(usage::Args),
    Top(top::Args),
    Edit(edit::Args),
    Disable(edit::DisableArgs),
    Enable(edit::EnableArgs),
    Rotate(rotate::Args),
    Seal(seal::Args),
    Unseal(seal::UnsealArgs),
    Revoke(revoke::Args),
    Export(export::Args),
}

/// Runs one of them.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    match args.command {
        Command::Create(args) => create::run(args),
        Command::Convert(args) => convert::run(&args),
        Command::Import(args) => import::run(&args),
        Command::List(args) => list::run(args),
        Command::Show(args) => show::run(args),
        Command::Usage(args) => usage::run(args),
        Command::Top(args) => top::run(args),
        Command::Edit(args) => edit::run(args),
        Command::Disable(args) => edit::disable(args),
        Command::Enable(args) => edit::enable(args),
        Command::Rotate(args) => rotate::run(args),
        Command::Seal(args) => seal::run(args),
        Command::Unseal(args) => seal::unseal(args),
        Command::Revoke(args) => revoke::run(args),
        Command::Export(args) => export::run(args),
    }
}

/// The attributes of a key that can be left out.
fn optional() -> impl Iterator<Item = &'static str> {
    let all = Attributes::NAMES.iter().copied();
    all.filter(|name| *name != "account")
}

/// The attributes of a key that can be changed.
fn changeable() -> impl Iterator<Item = &'static str> {
    optional().filter(|name| !Attributes::FIXED.contains(name))
}

/// The path of a key.
fn path(id: &str) -> Result<String, CliError> {
    path_of("keys", id)
}

/// The path of a key or a token. A text that is no id may be a whole key or token: it is neither
/// sent nor repeated.
pub fn path_of(what: &str, id: &str) -> Result<String, CliError> {
    if id.len() != 10 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let one = what.trim_end_matches('s');
        return Err(CliError::Usage(format!(
            "this is not the id of a {one}: an id has 10 letters or digits, as printed by \
             `keygate {what} list`"
        )));
    }
    Ok(format!("/v1/{what}/{id}"))
}

#[cfg(test)]
mod tests {
    use keygate_service::attributes::CREATE_FIELDS;
    use serde_json::json;

    use super::*;
    use crate::client::Options;
    use crate::output::Object;

    #[test]
    fn create_has_an_option_for_every_attribute_of_a_key() {
        let options = Options::of::<create::Args>();
        // Sealed at the client, after the key was created: `--seal-header`.
        let fields = CREATE_FIELDS.iter().filter(|field| **field != "sealed");
        for field in fields {
            let option = options.option(field);
            assert!(option.is_some(), "`keys create` cannot set {field}");
        }
    }

    #[test]
    fn edit_has_an_option_for_every_attribute_that_can_change() {
        let options = Options::of::<edit::Args>();
        for field in changeable() {
            let option = options.option(field);
            assert!(option.is_some(), "`keys edit` cannot set {field}");
        }
    }

    #[test]
    fn show_prints_every_attribute_of_a_key() {
        let mut key = json!({ "id": "4fT0aXq29Z", "status": "active", "created_at": "then" });
        for (at, name) in Attributes::NAMES.iter().enumerate() {
            key[*name] = match at % 3 {
                0 => json!(format!("a-{name}")),
                1 => json!([format!("a-{name}"), "more"]),
                _ => json!({ "of": format!("a-{name}") }),
            };
        }
        let key: Object = serde_json::from_value(key).unwrap();
        let shown = show::describe(&key);
        for name in Attributes::NAMES {
            let value = format!("a-{name}");
            assert!(shown.contains(&value), "`keys show` leaves out {name}");
        }
    }
}
