//! `keygate keys import`: keys that were made elsewhere, all of a file or none.

use std::collections::HashMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use keygate_core::keys::{KeyDigest, OpaqueKey, looks_like_digest};
use keygate_service::shown::escaped;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::optional;
use crate::client::{KeyService, ServiceArgs, WrongValue};
use crate::error::CliError;
use crate::file::read;
use crate::output;

fn examples() -> String {
    let optional: Vec<&str> = optional().collect();
    EXAMPLES.replace("{optional}", &optional.join(", "))
}

const EXAMPLES: &str = "\
Examples:
  keygate keys import keys.jsonl --dry-run
  exporter | keygate keys import -

Each line is a JSON object:
  {\"key\":\"legacy:alice:0123456789abcdef\",\"account\":\"alice\",\"scopes\":[\"files:read\"]}
with key and account, and optionally, as for a new key:
  {optional}
A key has 16 to 512 visible ASCII characters.

If the other system kept only the SHA-256 digest of each key, give sha256 instead of key, as
64 hexadecimal digits or in base64. The clients go on using the keys that they have:
  {\"sha256\":\"fdfd50d146914da2931c6053c7569b8211ff2883740786de35d9fd3ca9269d48\",\"account\":\"alice\"}

All lines are checked before the first key is stored. If any line is wrong, the command names
every wrong line and imports nothing. You can import the same file again: keys that exist
already stay as they are. The edge accepts such keys if a provider accepts \"opaque\" keys.";

/// Import keys that were made elsewhere, from JSON lines.
#[derive(clap::Args)]
#[command(after_help = examples())]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// The file, or "-" for standard input
    file: PathBuf,
    /// Check the whole file without importing it
    #[arg(long)]
    dry_run: bool,
    /// Import keys even if they look like digests. Each then becomes a working key
    #[arg(long)]
    digests_are_keys: bool,
    /// Print the result of each line as JSON, one per line
    #[arg(long)]
    json: bool,
}

/// Fits into a request of the key service, with the JSON around it.
const MAX_BATCH_BYTES: usize = 60_000;
const MAX_BATCH: usize = 100;

/// A line of the file, and its number.
struct Line<'a> {
    number: usize,
    json: &'a RawValue,
    /// Whether its key looks like a digest; `None` if it has no key.
    looks_like_digest: Option<bool>,
}

#[derive(Serialize)]
struct Request<'a> {
    keys: Vec<&'a RawValue>,
    dry_run: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    digests_are_keys: bool,
}

/// What to do with the lines.
#[derive(Clone, Copy)]
struct Mode {
    dry_run: bool,
    /// What looks like a digest is a key: the caller says so, or other keys of the file do not.
    digests_are_keys: bool,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Outcome>,
}

/// What became of a line.
#[derive(Deserialize, Serialize)]
struct Outcome {
    #[serde(default)]
    line: usize,
    result: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<WrongValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Imports keys.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let bytes = read(&args.file)?;
    let lines = lines(&bytes)?;
    let digests = digests(&lines);
    if digests == Digests::All && !args.digests_are_keys {
        return Err(CliError::Usage(ALL_DIGESTS.to_owned()));
    }
    let mode = |dry_run| Mode {
        dry_run,
        digests_are_keys: digests != Digests::None,
    };
    let service = KeyService::new::<Args>(&args.service)?;
    let (rehearsed, end) = send(&service, &lines, mode(true));
    end?;
    let wrong: Vec<_> = rehearsed.iter().filter_map(Outcome::complaints).collect();
    if !wrong.is_empty() {
        complain(&wrong.concat());
        let message = format!("{} of {} lines are wrong", wrong.len(), lines.len());
        return Err(CliError::No(format!("{message}; nothing was imported")));
    }
    if args.dry_run {
        return report(&rehearsed, args.json).map(|()| ExitCode::SUCCESS);
    }
    let (done, end) = send(&service, &lines, mode(false));
    report(&done, args.json)?;
    end.map_err(|error| {
        let after = done.last().map_or(0, |it| it.line);
        CliError::Service(format!(
            "{error}; it is unknown whether the lines after {after} were imported. Import the \
             file again: existing keys stay unchanged"
        ))
    })?;
    // Another import has stored one of them since.
    let wrong: Vec<_> = done.iter().filter_map(Outcome::complaints).collect();
    complain(&wrong.concat());
    match wrong.len() {
        0 => Ok(ExitCode::SUCCESS),
        many => Err(CliError::No(format!("{many} lines were not imported"))),
    }
}

/// The lines that hold something, each a JSON object with another key.
fn lines(bytes: &[u8]) -> Result<Vec<Line<'_>>, CliError> {
    let mut lines = Vec::new();
    let mut wrong = Vec::new();
    let mut seen: HashMap<KeyDigest, usize> = HashMap::new();
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    for (at, text) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let (number, text) = (at + 1, text.trim_ascii());
        if text.is_empty() {
            continue;
        }
        match line(text) {
            Ok((key, json)) => {
                lines.push(Line {
                    number,
                    json,
                    looks_like_digest: key.looks_like_digest,
                });
                let first = key.digest.and_then(|it| seen.insert(it, number));
                let again = |it| format!("line {number}: the same key is already on line {it}");
                wrong.extend(first.map(again));
            }
            Err(error) => wrong.push(format!("line {number}: {error}")),
        }
    }
    if lines.is_empty() && wrong.is_empty() {
        return Err(CliError::Usage("the file contains no keys".to_owned()));
    }
    if wrong.is_empty() {
        return Ok(lines);
    }
    complain(&wrong);
    Err(CliError::Usage("nothing was imported".to_owned()))
}

/// What a line says of its key. A wrong line says nothing: the key service names what is wrong.
#[derive(Default)]
struct LineKey {
    digest: Option<KeyDigest>,
    looks_like_digest: Option<bool>,
}

/// A line and its key. No message repeats any part of it.
fn line(text: &[u8]) -> Result<(LineKey, &RawValue), String> {
    if text.len() > MAX_BATCH_BYTES {
        return Err(format!("is longer than {MAX_BATCH_BYTES} bytes"));
    }
    if !text.starts_with(b"{") {
        return Err("is not a JSON object".to_owned());
    }
    let text = std::str::from_utf8(text).map_err(|_| "is not UTF-8".to_owned())?;
    let wrong = |error: serde_json::Error| format!("is not JSON: at column {}", error.column());
    let json: &RawValue = serde_json::from_str(text).map_err(wrong)?;
    let members: HashMap<String, &RawValue> = serde_json::from_str(text).map_err(wrong)?;
    let member = |name| -> Option<Zeroizing<String>> {
        let text = members.get(name)?;
        serde_json::from_str(text.get()).ok()
    };
    if let Some(key) = member("key") {
        let opaque = OpaqueKey::parse(key.as_bytes()).ok();
        let key = LineKey {
            digest: opaque.map(|it| KeyDigest::of(&it)),
            looks_like_digest: Some(looks_like_digest(key.as_bytes())),
        };
        return Ok((key, json));
    }
    let digest = member("sha256").and_then(|it| KeyDigest::parse(it.as_bytes()).ok());
    let key = LineKey {
        digest,
        ..LineKey::default()
    };
    Ok((key, json))
}

/// How many keys of a file look like digests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Digests {
    None,
    Some,
    All,
}

fn digests(lines: &[Line<'_>]) -> Digests {
    let keys = || lines.iter().filter_map(|it| it.looks_like_digest);
    match (keys().any(|it| it), keys().all(|it| it)) {
        (false, _) => Digests::None,
        (true, false) => Digests::Some,
        (true, true) => Digests::All,
    }
}

const ALL_DIGESTS: &str = "\
every key in this file looks like a digest, and each digest would become a working key; nothing \
was imported. If these are SHA-256 digests of keys, rename the member \"key\" to \"sha256\". If \
these are the keys themselves, add --digests-are-keys";

/// What became of the lines that were sent, and how it ended.
fn send(
    service: &KeyService,
    lines: &[Line<'_>],
    mode: Mode,
) -> (Vec<Outcome>, Result<(), CliError>) {
    let mut outcomes = Vec::new();
    let mut rest = lines;
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(batch(rest));
        rest = after;
        let keys = batch.iter().map(|it| it.json).collect();
        let request = Request {
            keys,
            dry_run: mode.dry_run,
            digests_are_keys: mode.digests_are_keys,
        };
        let answer = service.post("/v1/keys/import", &request);
        let answer = answer.and_then(|it| service.read::<Answer>(&it));
        let results = match answer {
            Ok(answer) if answer.results.len() == batch.len() => answer.results,
            Ok(_) => {
                let message = "the key service returned results for another number of keys";
                return (outcomes, Err(CliError::Service(message.to_owned())));
            }
            Err(error) => return (outcomes, Err(error)),
        };
        let numbered = results.into_iter().zip(batch);
        outcomes.extend(numbered.map(|(outcome, line)| Outcome {
            line: line.number,
            ..outcome
        }));
    }
    (outcomes, Ok(()))
}

/// How many of the first lines fit into one request.
fn batch(lines: &[Line<'_>]) -> usize {
    let mut bytes = 0;
    let fitting = lines.iter().take(MAX_BATCH).take_while(|line| {
        bytes += line.json.get().len() + 1;
        bytes <= MAX_BATCH_BYTES
    });
    fitting.count().max(1)
}

impl Outcome {
    /// What is wrong with a line that was not or cannot be imported: one text each.
    fn complaints(&self) -> Option<Vec<String>> {
        if !matches!(self.result.as_str(), "refused" | "conflict") {
            return None;
        }
        let line = |text: &dyn Display| format!("line {}: {text}", self.line);
        let detail = self.detail.as_deref().unwrap_or("was not imported");
        Some(match &self.errors[..] {
            [] => vec![line(&escaped(detail))],
            errors => errors.iter().map(|it| line(it)).collect(),
        })
    }
}

fn complain(wrong: &[String]) {
    for line in wrong {
        eprintln!("keygate: {line}");
    }
}

fn report(outcomes: &[Outcome], json: bool) -> Result<(), CliError> {
    if json {
        for outcome in outcomes {
            let text = serde_json::to_string(outcome);
            let failed = |error| CliError::Usage(format!("cannot write the output: {error}"));
            output::line(&text.map_err(failed)?)?;
        }
        return Ok(());
    }
    let count = |result: &str| outcomes.iter().filter(|it| it.result == result).count();
    let unchanged = count("unchanged");
    output::line(&match count("would_import") {
        0 => format!("{} imported, {unchanged} unchanged", count("imported")),
        new => format!("{new} would be imported, {unchanged} unchanged"),
    })
}
