//! `keygate check`: what Envoy would say of a filter configuration, all of it and where.

mod collect;
mod structure;

pub use structure::unknown_fields;

use std::path::PathBuf;
use std::process::ExitCode;

use keygate_core::Policy;
use keygate_core::decision::{Place, Problem};
use keygate_core::lint::{Level, Remark, lint};

use crate::document::{Node, line_and_column};
use crate::environment::StandIns;
use crate::envoy;
use crate::error::CliError;
use crate::file::{misread, read, wrapper};
use crate::output;
use crate::policy_text::PolicyText;
use crate::values::time_or_now;

const EXAMPLES: &str = "\
Examples:
  keygate check policy.json
  keygate check policy.yaml --deny-warnings          for a pipeline
  kubectl get wasmplugin keygate -o json | jq .spec.pluginConfig | keygate check -

The file contains only the configuration of the filter, not that of Envoy around it (for
that: envoy --mode validate): JSON, or YAML if its name ends with .yaml. If a variable is not set here, its value is not checked.
Exit code 0 if the configuration is valid, 1 if it is not (or has warnings, with
--deny-warnings), 2 if the file cannot be read.";

/// Check a policy, and print every error with its line and column.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The file, or "-" for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Exit with code 1 on warnings too
    #[arg(long)]
    deny_warnings: bool,
    #[command(flatten)]
    envoy: envoy::Args,
}

/// Prints the problems, or that there are none, and then the warnings.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let file = args.file.display();
    let told = |lines: &[String]| {
        let mut lines = lines.iter();
        lines.try_for_each(|line| output::line(&format!("{file}:{line}")))
    };
    let written = match PolicyText::of(&args.file, &read(&args.file)?) {
        Ok(written) => written,
        Err(lines) => {
            told(&lines)?;
            return Ok(ExitCode::from(1));
        }
    };
    let envoy = args.envoy.read()?;
    let stand_ins = StandIns::of(written.json.as_bytes());
    let environment = |name: &str| stand_ins.get(name);
    let checked = policy(&written, &environment);
    for name in stand_ins.missing() {
        eprintln!("note: {name} is not set here, so its value was not checked");
    }
    let policy = match checked {
        Ok(policy) => policy,
        Err(lines) => {
            told(&lines)?;
            return Ok(ExitCode::from(1));
        }
    };
    let PolicyText { text, root, json } = &written;
    let remarks = lint(&policy, json.as_bytes(), &environment, time_or_now(None)?);
    for remark in &remarks {
        let at = root.as_ref().map_or(0, |root| {
            let (steps, _) = root.resolve(&remark.path);
            root.follow(&steps).map_or(0, |node| node.at)
        });
        let (line, column) = line_and_column(text, at);
        let Remark {
            level,
            path,
            message,
        } = remark;
        output::line(&format!(
            "{file}:{line}:{column}: {level}: {path}: {message}"
        ))?;
    }
    let mut rules = policy.rules.all().iter();
    let allows = rules.find(|rule| rule.allow_encoded_slash);
    let notes = allows.map(|_| envoy.remarks()).unwrap_or_default();
    for (level, told) in &notes {
        let rule = allows.map_or("", |rule| &rule.name);
        output::line(&format!("{level}: {told} (for rule \"{rule}\")"))?;
    }
    let is_hidden = notes.iter().any(|(level, _)| *level == Level::Warning);
    let lacks = envoy.lacks(&stand_ins.asked());
    for told in &lacks {
        output::line(told)?;
    }
    if !lacks.is_empty() {
        return Ok(ExitCode::from(1));
    }
    let rules = match policy.rules.all().len() {
        1 => "1 rule".to_owned(),
        count => format!("{count} rules"),
    };
    output::line(&format!("{file}: valid ({rules})"))?;
    let has_warnings = is_hidden || remarks.iter().any(|it| it.level == Level::Warning);
    Ok(ExitCode::from(u8::from(args.deny_warnings && has_warnings)))
}

/// Reads a policy as the filter does.
///
/// # Errors
/// `LINE:COLUMN: PATH: MESSAGE` for each problem.
pub fn policy(
    written: &PolicyText,
    environment: keygate_core::config::Environment<'_>,
) -> Result<Policy, Vec<String>> {
    let PolicyText { text, root, json } = written;
    Policy::parse(json.as_bytes(), environment)
        .map_err(|problems| lines(&problems, text, root.as_ref(), environment))
}

fn lines(
    problems: &[Problem],
    text: &str,
    root: Option<&Node>,
    environment: keygate_core::config::Environment<'_>,
) -> Vec<String> {
    let is_policy = |root: &&Node| wrapper(text).is_none() || root.resolve("rules").1.is_empty();
    let root = root.filter(is_policy);
    let found = root.map(|root| collect::collect(root, environment));
    let Some((found, is_all)) = found.filter(|(found, _)| !found.is_empty()) else {
        return problems.iter().map(|it| unplaced(it, text)).collect();
    };
    let line = |it: &collect::Found| {
        let (line, column) = line_and_column(text, it.at);
        let path = match it.path.as_str() {
            "" | "." => String::new(),
            path => format!(" {path}:"),
        };
        format!("{line}:{column}:{path} {}", it.message)
    };
    let more = "1:1: there may be more errors: an unreadable part hides those after it".to_owned();
    let more = (!is_all).then_some(more);
    found.iter().map(line).chain(more).collect()
}

/// For invalid JSON: the reader reports where it stopped.
fn unplaced(problem: &Problem, text: &str) -> String {
    if let Some(hint) = misread(text.as_bytes()) {
        return format!("1:1: {hint}");
    }
    let Problem { path, wrong, place } = problem;
    let Place { line, column } = place.unwrap_or(Place::START);
    match path.as_str() {
        "" => format!("{line}:{column}: {wrong}"),
        path => format!("{line}:{column}: {path}: {wrong}"),
    }
}

#[cfg(test)]
mod wrong;
