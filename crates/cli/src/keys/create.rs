//! `keygate keys create`: prints the key and nothing else, so that a script can capture it.

use std::process::ExitCode;

use keygate_core::keys::SealedHeaders;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::sealing::{self, HeaderFrom};
use crate::attributes::Attributes;
use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate keys create --account alice --scope files:read --expires-in 30d
  KEY=$(keygate keys create --account ci --name nightly --allow-ip 10.0.0.0/8)
  keygate keys create --account alice --metadata '{\"tier\":\"gold\"}' --json
  keygate keys create --account alice --seal-header authorization=UPSTREAM_TOKEN

Only the key goes to standard output, and it cannot be shown again. A note with its id goes
to standard error.";

/// Create a key and print it.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Print the answer of the key service as JSON
    #[arg(long)]
    json: bool,
    /// Header for the upstream that only the key opens, and where its value is: NAME=VARIABLE,
    /// NAME=@FILE or NAME=- for standard input; repeatable. It is sealed here, after the key was
    /// created
    #[arg(long = "seal-header", value_name = "NAME=SOURCE")]
    seal_headers: Vec<HeaderFrom>,
    #[command(flatten)]
    body: Body,
}

#[derive(clap::Args, Serialize)]
struct Body {
    /// Account that owns the key
    #[arg(long)]
    account: String,
    /// Template of the key service (docs/http-api.md) for what no option sets
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<String>,
    /// Space of the key, for its whole life: an environment or a project [default: that of the token,
    /// or "default"]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    space: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    attributes: Attributes,
}

#[derive(Deserialize)]
pub(super) struct Created {
    pub(super) key: Zeroizing<String>,
    pub(super) id: String,
    expires_at: Option<String>,
}

/// Creates a key.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let headers = sealing::headers(&args.seal_headers, None)?;
    let service = KeyService::new::<Args>(&args.service)?;
    let answer = service.post("/v1/keys", &args.body)?;
    let end = match args.seal_headers.is_empty() {
        true => print(&service, &answer, args.json)?,
        false => seal_and_print(&service, &headers, answer, args.json)?,
    };
    eprintln!("keygate: created key {end}");
    Ok(ExitCode::SUCCESS)
}

/// Seals headers for the new key of an answer. The key is printed in any case: it works without
/// them, and cannot be shown again.
pub(super) fn seal_and_print(
    service: &KeyService,
    headers: &SealedHeaders,
    mut answer: String,
    json: bool,
) -> Result<String, CliError> {
    let created: Created = service.read(&answer)?;
    let sealed = sealing::seal_for_new(service, headers, &created.id, &created.key);
    let before = r#""sealed":false"#;
    // The last, since metadata comes before it and nothing behind it has a text yet.
    if let (Ok(()), Some(at)) = (&sealed, answer.rfind(before)) {
        answer.replace_range(at..at + before.len(), r#""sealed":true"#);
    }
    let end = print(service, &answer, json)?;
    sealed.map(|()| end)
}

/// Prints the key of an answer, or all of it, and returns what a note says: its id and its end.
pub(super) fn print(service: &KeyService, answer: &str, json: bool) -> Result<String, CliError> {
    let created: Created = service.read(answer)?;
    let shown = if json { answer } else { created.key.as_str() };
    // The key is lost then, and cannot be printed again.
    output::write(shown).map_err(|error| {
        let id = &created.id;
        CliError::Usage(format!(
            "cannot write the key: {error}. Revoke it: keygate keys revoke {id}"
        ))
    })?;
    let end = created.expires_at.map_or_else(
        || "it does not expire".to_owned(),
        |at| format!("it expires at {at}"),
    );
    Ok(format!("{}; {end}", created.id))
}
