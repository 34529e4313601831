//! `keygate keys import`: keys that were made elsewhere, all of a file or none.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::check::read;
use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate keys import keys.jsonl --dry-run
  exporter | keygate keys import -

Each line is a JSON object:
  {\"key\":\"legacy:alice:0123456789abcdef\",\"account\":\"alice\",\"scopes\":[\"files:read\"]}
with key and account, and perhaps name, scopes, metadata, expires_at, allowed_ips and
allowed_referrers, as the key service takes them. A key has 16 to 512 visible ASCII characters.

All lines are checked before the first key is stored: if one is wrong, nothing is imported, and
every wrong line is named. The same file may be imported again: what is there stays as it is.
The edge takes such keys where a provider accepts \"opaque\" ones.";

/// Import keys that were made elsewhere, from JSON lines.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// The file, or "-" for standard input
    file: PathBuf,
    /// Check all of it and import nothing
    #[arg(long)]
    dry_run: bool,
    /// Print what became of each line as JSON, one a line
    #[arg(long)]
    json: bool,
}

/// Fits into a request of the key service, with what stands around it.
const MAX_BATCH_BYTES: usize = 60_000;
const MAX_BATCH: usize = 100;

/// A line of the file, and its number.
struct Line<'a> {
    number: usize,
    json: &'a RawValue,
}

#[derive(Serialize)]
struct Request<'a> {
    keys: Vec<&'a RawValue>,
    dry_run: bool,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Imports keys.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let bytes = read(&args.file)?;
    let lines = lines(&bytes)?;
    let service = KeyService::new(&args.service)?;
    let (rehearsed, end) = send(&service, &lines, true);
    end?;
    let wrong: Vec<String> = rehearsed.iter().filter_map(Outcome::complaint).collect();
    if !wrong.is_empty() {
        complain(&wrong);
        let message = format!("{} of {} lines are wrong", wrong.len(), lines.len());
        return Err(CliError::No(format!("{message}; nothing was imported")));
    }
    if args.dry_run {
        return report(&rehearsed, args.json).map(|()| ExitCode::SUCCESS);
    }
    let (done, end) = send(&service, &lines, false);
    report(&done, args.json)?;
    end.map_err(|error| {
        let after = done.last().map_or(0, |it| it.line);
        CliError::Service(format!(
            "{error}; what became of the lines after {after} is not known: import the file again, \
             what is there already stays as it is"
        ))
    })?;
    // Somebody else has stored one of them since.
    let wrong: Vec<String> = done.iter().filter_map(Outcome::complaint).collect();
    complain(&wrong);
    match wrong.len() {
        0 => Ok(ExitCode::SUCCESS),
        many => Err(CliError::No(format!("{many} lines were not imported"))),
    }
}

/// The lines that hold something, each a JSON object with another key.
fn lines(bytes: &[u8]) -> Result<Vec<Line<'_>>, CliError> {
    let mut lines = Vec::new();
    let mut wrong = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    for (at, text) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let (number, text) = (at + 1, text.trim_ascii());
        if text.is_empty() {
            continue;
        }
        match line(text) {
            Ok((key, json)) => {
                lines.push(Line { number, json });
                let first = key.and_then(|key| seen.insert(key, number));
                wrong.extend(
                    first.map(|it| format!("line {number}: the key stands on line {it} already")),
                );
            }
            Err(error) => wrong.push(format!("line {number}: {error}")),
        }
    }
    if lines.is_empty() && wrong.is_empty() {
        return Err(CliError::Usage("there is no line with a key".to_owned()));
    }
    if wrong.is_empty() {
        return Ok(lines);
    }
    complain(&wrong);
    Err(CliError::Usage("nothing was imported".to_owned()))
}

/// A line and its key. No message repeats anything of it.
fn line(text: &[u8]) -> Result<(Option<String>, &RawValue), String> {
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
    let key = members.get("key");
    let key = key.and_then(|it| serde_json::from_str(it.get()).ok());
    Ok((key, json))
}

/// What became of the lines that were sent, and how it ended.
fn send(
    service: &KeyService,
    lines: &[Line<'_>],
    dry_run: bool,
) -> (Vec<Outcome>, Result<(), CliError>) {
    let mut outcomes = Vec::new();
    let mut rest = lines;
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(batch(rest));
        rest = after;
        let keys = batch.iter().map(|it| it.json).collect();
        let answer = service.post("/v1/keys/import", &Request { keys, dry_run });
        let answer = answer.and_then(|it| service.read::<Answer>(&it));
        let results = match answer {
            Ok(answer) if answer.results.len() == batch.len() => answer.results,
            Ok(_) => {
                let message = "the key service answered for another number of keys";
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
    fn complaint(&self) -> Option<String> {
        if !matches!(self.result.as_str(), "refused" | "conflict") {
            return None;
        }
        let field = self.field.as_deref().filter(|it| !it.is_empty());
        let field = field.map(|it| format!("{it}: ")).unwrap_or_default();
        let detail = self.detail.as_deref().unwrap_or("was not imported");
        Some(format!("line {}: {field}{detail}", self.line))
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
