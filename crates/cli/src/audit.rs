//! `keygate audit`: what was done at the key service, by whom, and whether the log is intact.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use keygate_core::text::hex;
use keygate_service::audit::{Digest, Line, START, parse_digest};
use keygate_service::shown::escaped;
use serde::{Deserialize, Serialize};

use crate::client::{KeyService, ServiceArgs};
use crate::document::unreadable;
use crate::error::CliError;
use crate::output;

/// Read and verify the audit log of the key service.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(ListArgs),
    Export(ExportArgs),
    Verify(VerifyArgs),
}

/// Runs one of them.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    match args.command {
        Command::List(args) => list(args),
        Command::Export(args) => export(args),
        Command::Verify(args) => verify(args),
    }
}

/// List the entries of the audit log.
#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    service: ServiceArgs,
    /// Only entries about the key or token with this id
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// Only entries by this actor: environment, token:ID, account:NAME, key:ID, holder or unknown
    #[arg(long)]
    actor: Option<String>,
    /// Only entries of this action, such as key.revoke
    #[arg(long)]
    action: Option<String>,
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  keygate audit export > audit.jsonl
  keygate audit export --after 1200 >> audit.jsonl

The key service keeps the newest 1,000,000 entries. If it has dropped older ones, the first
line is {\"start\": …}, the digest before the oldest entry that is kept. With --after, there
is no such line, so that the output continues an earlier export.";

/// Print the audit log as JSON lines.
#[derive(clap::Args)]
#[command(after_help = EXPORT_EXAMPLES)]
struct ExportArgs {
    #[command(flatten)]
    service: ServiceArgs,
    /// Only entries after the one with this number
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    after: u64,
}

const EXAMPLES: &str = "\
Examples:
  keygate audit verify
  keygate audit export > audit.jsonl && keygate audit verify --file audit.jsonl

Each entry has a digest over the entry before. An entry that is altered, inserted or
removed breaks the chain there or at the next entry, and the command exits with 1.
Removing the newest entries does not: only --digest detects that. An attacker who can
write to the database can compute a new chain. So keep exports, or the newest digest,
elsewhere: --digest checks that the log still has it.";

/// Verify the chain of digests of the audit log.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
struct VerifyArgs {
    #[command(flatten)]
    service: ServiceArgs,
    /// Verify this export, made without --after, instead of the log of the key service
    #[arg(long)]
    file: Option<PathBuf>,
    /// A digest that an earlier verification printed, which the log must contain
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
}

/// The first line of an export, unless the first entry of the log comes next.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Start {
    start: String,
}

#[derive(Deserialize)]
struct Page {
    /// The space that the token is bound to.
    space: Option<String>,
    start: String,
    entries: Vec<Line>,
    /// Required, so that a service without it is not taken for the end of the log.
    #[serde(deserialize_with = "Option::deserialize")]
    next: Option<u64>,
}

/// Calls `take` with each page, which may be empty, and the digest before the oldest entry that is kept.
/// Returns the space that the token is bound to: then entries of others are missing.
fn pages(
    service: &KeyService,
    mut after: u64,
    filter: &[(&str, &str)],
    mut take: impl FnMut(&Digest, Vec<Line>) -> Result<(), CliError>,
) -> Result<Option<String>, CliError> {
    loop {
        let number = after.to_string();
        let mut query = vec![("limit", "1000"), ("after", number.as_str())];
        query.extend(filter);
        let page: Page = service.read(&service.get("/v1/audit", &query)?)?;
        let start = parse_digest(&page.start).ok_or_else(|| {
            CliError::Service("the key service sent an invalid digest".to_owned())
        })?;
        take(&start, page.entries)?;
        match page.next {
            None => return Ok(page.space),
            Some(next) if next > after => after = next,
            Some(_) => {
                return Err(CliError::Service(
                    "the audit log from the key service does not end".to_owned(),
                ));
            }
        }
    }
}

fn list(args: ListArgs) -> Result<ExitCode, CliError> {
    let service = KeyService::new::<ListArgs>(&args.service)?;
    let filter = [
        ("target", &args.target),
        ("actor", &args.actor),
        ("action", &args.action),
    ];
    let filter = filter.iter();
    let filter: Vec<(&str, &str)> = filter
        .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
        .collect();
    let mut rows = vec![
        [
            "NUMBER", "AT", "ACTOR", "ACTION", "TARGET", "ACCOUNT", "DETAIL",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    pages(&service, 0, &filter, |_, lines| {
        rows.extend(lines.into_iter().map(|Line { entry, .. }| {
            let cell = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            vec![
                entry.seq.to_string(),
                entry.at,
                entry.actor,
                entry.action,
                cell(entry.target),
                cell(entry.account),
                cell(entry.detail),
            ]
        }));
        Ok(())
    })?;
    output::line(&output::table(&rows))?;
    Ok(ExitCode::SUCCESS)
}

fn export(args: ExportArgs) -> Result<ExitCode, CliError> {
    let service = KeyService::new::<ExportArgs>(&args.service)?;
    let unwritable =
        |error: serde_json::Error| CliError::Usage(format!("cannot write the output: {error}"));
    let mut needs_start = args.after == 0;
    let bound = pages(&service, args.after, &[], |start, lines| {
        if std::mem::take(&mut needs_start) && *start != START {
            let start = hex::encode(start);
            output::line(&serde_json::to_string(&Start { start }).map_err(unwritable)?)?;
        }
        let lines: Result<Vec<String>, _> = lines.iter().map(serde_json::to_string).collect();
        let lines = lines.map_err(unwritable)?;
        match lines.is_empty() {
            true => Ok(()),
            false => output::line(&lines.join("\n")),
        }
    })?;
    if let Some(space) = bound {
        eprintln!(
            "keygate: the token is bound to the space {}: entries of other spaces are missing, so \
             that this export cannot be verified",
            escaped(&space)
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The chain, as far as it was followed.
struct Chain {
    before: Digest,
    count: u64,
    /// The number of the first entry.
    oldest: Option<u64>,
    /// The digest that must be in it, and whether it was.
    wanted: Option<String>,
    is_found: bool,
}

impl Chain {
    fn new(before: Digest, wanted: Option<&String>) -> Self {
        let wanted = wanted.map(|it| it.to_ascii_lowercase());
        Self {
            is_found: wanted.as_ref().is_none_or(|it| *it == hex::encode(&before)),
            before,
            count: 0,
            oldest: None,
            wanted,
        }
    }

    fn follow(&mut self, line: &Line) -> Result<(), CliError> {
        self.before = line.entry.digest(&self.before);
        let digest = hex::encode(&self.before);
        if digest != line.digest {
            return Err(CliError::No(format!(
                "the audit log is broken at entry {}: this entry or one before it was altered, \
                 inserted or removed",
                line.entry.seq
            )));
        }
        self.count = self.count.saturating_add(1);
        self.oldest.get_or_insert(line.entry.seq);
        self.is_found |= self.wanted.as_ref() == Some(&digest);
        Ok(())
    }
}

fn verify(args: VerifyArgs) -> Result<ExitCode, CliError> {
    let wanted = args.digest.as_ref();
    if wanted.is_some_and(|it| parse_digest(it).is_none()) {
        let message = "--digest must be 64 hexadecimal digits";
        return Err(CliError::Usage(message.to_owned()));
    }
    let chain = match &args.file {
        Some(file) => follow_export(file, wanted)?,
        None => {
            let service = KeyService::new::<VerifyArgs>(&args.service)?;
            let mut chain = None;
            // A part of the log is no chain: the space is known before the first digest is compared.
            let query = [("limit", "1")];
            let page: Page = service.read(&service.get("/v1/audit", &query)?)?;
            if let Some(space) = page.space {
                return Err(CliError::Usage(format!(
                    "the token is bound to the space {}, and sees a part of the log: verify it with \
                     a token that is not bound",
                    escaped(&space)
                )));
            }
            pages(&service, 0, &[], |start, lines| {
                let chain = chain.get_or_insert_with(|| Chain::new(*start, wanted));
                lines.iter().try_for_each(|line| chain.follow(line))
            })?;
            chain.unwrap_or_else(|| Chain::new(START, wanted))
        }
    };
    if !chain.is_found {
        let message = "the chain is intact, but does not contain the digest given with --digest: \
                       entries may have been removed";
        return Err(CliError::No(message.to_owned()));
    }
    let entries = match chain.count {
        1 => "1 entry".to_owned(),
        count => format!("{count} entries"),
    };
    let from = chain.oldest.filter(|oldest| *oldest > 1);
    let from = from.map_or_else(String::new, |oldest| format!(", from entry {oldest}"));
    let digest = hex::encode(&chain.before);
    output::line(&format!(
        "verified {entries}{from}; newest digest: {digest}"
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Follows the chain of an export from the digest before its first entry.
fn follow_export(file: &Path, wanted: Option<&String>) -> Result<Chain, CliError> {
    let named =
        |error: &dyn std::fmt::Display| CliError::Usage(format!("{}: {error}", file.display()));
    let opened = std::fs::File::open(file).map_err(|error| named(&error))?;
    let mut chain = Chain::new(START, wanted);
    for (place, line) in BufReader::new(opened).lines().enumerate() {
        let line = line.map_err(|error| named(&error))?;
        if place == 0
            && let Ok(Start { start }) = serde_json::from_str(&line)
        {
            let start = parse_digest(&start);
            let start = start.ok_or_else(|| named(&"start must be 64 hexadecimal digits"))?;
            chain = Chain::new(start, wanted);
            continue;
        }
        let line = serde_json::from_str(&line);
        chain.follow(&line.map_err(|error| named(&unreadable(&error)))?)?;
    }
    Ok(chain)
}
