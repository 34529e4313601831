//! `keygate why`: what an access log of Envoy says about one request.

use std::io::{BufRead, BufReader, Read};
use std::process::ExitCode;

use keygate_core::Reason;
use keygate_service::shown::escaped;
use serde_json::{Map, Value, json};

use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  journalctl -u envoy -o cat | keygate why 5a2f09a8-1a5e-4c0e-9d57-0d8f7d1c2b3a
  keygate why 5a2f09a8-1a5e-4c0e-9d57-0d8f7d1c2b3a --json < envoy.log

The request id is \"Reference\" on a page, and request_id in JSON. Each line of the log is a JSON
object (json_format) or text, with %REQ(X-REQUEST-ID)% and %RESPONSE_CODE_DETAILS%, as in the
files of envoy/. Envoy writes a line up to 10 s late. Queries of paths are not printed: the query
of a signed link is a credential.";

/// Most bytes of a line that are read; the rest of a longer one is skipped.
const LONGEST: u64 = 64 * 1024;

/// Explain a request from Envoy's access log on standard input.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The id of the request
    #[arg(value_name = "REQUEST-ID", value_parser = request_id)]
    request_id: String,
    /// Print one JSON object for each line of the request
    #[arg(long)]
    json: bool,
}

/// What Envoy or a client may have as an id; problem details write it as a URN.
fn request_id(text: &str) -> Result<String, String> {
    let id = text.strip_prefix("urn:uuid:").unwrap_or(text);
    match (1..=256).contains(&id.len()) && id.bytes().all(|it| it.is_ascii_graphic()) {
        true => Ok(id.to_owned()),
        false => Err("a request id has 1 to 256 visible characters of ASCII".to_owned()),
    }
}

/// Reads the log and explains.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let (mut lines, mut found) = (0_usize, 0_usize);
    let mut log = BufReader::new(std::io::stdin().lock());
    while let Some(line) = next_line(&mut log)? {
        lines = lines.saturating_add(1);
        let Some(entry) = Entry::of(&line, &args.request_id) else {
            continue;
        };
        let text = match args.json {
            true => entry.json(&args.request_id).to_string(),
            false if found > 0 => format!("\n{}", entry.report()),
            false => entry.report(),
        };
        output::line(&text)?;
        found = found.saturating_add(1);
    }
    match found {
        0 => Err(CliError::No(format!(
            "none of the {lines} lines on standard input has the request id {}. Envoy writes its \
             access log up to 10 s late; the log needs %REQ(X-REQUEST-ID)%",
            args.request_id
        ))),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn next_line(log: &mut impl BufRead) -> Result<Option<String>, CliError> {
    let failed = |error| CliError::Usage(format!("cannot read standard input: {error}"));
    let mut line = Vec::new();
    let mut start = log.take(LONGEST);
    if start.read_until(b'\n', &mut line).map_err(failed)? == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        log.skip_until(b'\n').map_err(failed)?;
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

/// A line of the log, without any query.
struct Entry {
    /// In the order in which they are shown.
    members: Vec<(String, String)>,
    details: Option<String>,
}

/// Members of our own logs that say who asked for what.
const SHOWN: [&str; 7] = [
    "time", "method", "path", "status", "account", "key_id", "result",
];

impl Entry {
    /// `None` for a line of another request.
    fn of(line: &str, id: &str) -> Option<Self> {
        match serde_json::from_str::<Map<String, Value>>(line) {
            Ok(object) => Self::of_object(&object, id),
            Err(_) => Self::of_text(line, id),
        }
    }

    fn of_object(object: &Map<String, Value>, id: &str) -> Option<Self> {
        object.values().find(|it| it.as_str() == Some(id))?;
        let text = |value: &Value| match value {
            Value::String(text) if text != "-" => Some(without_query(text)),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let member = |name: &&str| Some(((*name).to_owned(), text(object.get(*name)?)?));
        let details = ["details", "response_code_details"];
        let named = details
            .iter()
            .find_map(|name| object.get(*name)?.as_str().map(without_query));
        let mut texts = object.values().filter_map(Value::as_str);
        let ours = texts.find(|it| it.starts_with("keygate_"));
        Some(Self {
            members: SHOWN.iter().filter_map(member).collect(),
            details: ours.map(str::to_owned).or(named),
        })
    }

    fn of_text(line: &str, id: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_id = |word: &&&str| word.trim_matches(['"', '[', ']', ',']) == id;
        words.iter().find(is_id)?;
        let ours = words.iter().find(|it| it.starts_with("keygate_"));
        let shown: Vec<String> = words.iter().map(|it| without_query(it)).collect();
        Some(Self {
            members: vec![("line".to_owned(), shown.join(" "))],
            details: ours.map(|it| (*it).to_owned()),
        })
    }

    /// What the details of Keygate say: the reason and the rule.
    fn rejection(&self) -> Option<(&str, &str)> {
        let inner = self.details.as_deref()?.strip_prefix("keygate_denied{")?;
        let (reason, rule) = inner.strip_suffix('}')?.split_once(",rule=")?;
        Some((reason.strip_prefix("reason=")?, rule))
    }

    /// Of a request that passed only because of the mode of its rule.
    fn would_be_rejected(&self) -> Option<&str> {
        let result = self.members.iter().find(|(name, _)| name == "result");
        result?.1.strip_prefix("would-deny;reason=")
    }

    /// What happened, in rows of a name and a text.
    fn explained(&self) -> Vec<(&'static str, String)> {
        let advice = |code: &str| {
            let known = Reason::ALL.iter().find(|it| it.code() == code);
            let (cause, remedy) = known.map_or(("this version does not know it", ""), |it| {
                (it.cause(), it.remedy())
            });
            [
                ("reason", code.to_owned()),
                ("cause", cause.to_owned()),
                ("what to do", remedy.to_owned()),
            ]
        };
        let mut rows = Vec::new();
        if let Some((reason, rule)) = self.rejection() {
            let rule = match rule {
                "" => "none: no rule matches",
                rule => rule,
            };
            rows.push(("verdict", "Keygate rejected the request".to_owned()));
            rows.push(("rule", rule.to_owned()));
            rows.extend(advice(reason));
        } else if let Some(reason) = self.would_be_rejected() {
            let verdict = "it passed, and would be rejected in mode block";
            rows.push(("verdict", verdict.to_owned()));
            rows.extend(advice(reason));
        } else {
            let verdict = match self.details.as_deref() {
                Some("via_upstream") => "Keygate let it pass; the status is that of the upstream",
                Some(_) => "Keygate did not reject it",
                None => "the line has no response code details: log %RESPONSE_CODE_DETAILS%",
            };
            rows.push(("verdict", verdict.to_owned()));
            rows.extend(self.details.clone().map(|details| ("details", details)));
        }
        rows.retain(|(_, text)| !text.is_empty());
        rows
    }

    fn report(&self) -> String {
        let members = self
            .members
            .iter()
            .map(|(name, text)| (name.as_str(), text.clone()));
        let rows = members.chain(self.explained());
        let rows = rows.map(|(name, text)| format!("{name:<11} {}", escaped(&text)));
        rows.collect::<Vec<_>>().join("\n")
    }

    fn json(&self, id: &str) -> Value {
        let explained = self.explained().into_iter();
        let explained = explained.map(|(name, text)| (name.replace(' ', "_"), text));
        let members = self.members.iter().cloned().chain(explained);
        let mut object: Map<String, Value> = members
            .map(|(name, text)| (name, Value::String(text)))
            .collect();
        object.insert("request_id".to_owned(), json!(id));
        Value::Object(object)
    }
}

/// The query of a signed link is a credential.
fn without_query(text: &str) -> String {
    match text.split_once('?') {
        Some((path, _)) => format!("{path}?…"),
        None => text.to_owned(),
    }
}
