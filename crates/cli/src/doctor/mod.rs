//! `keygate doctor`: whether every request to an Envoy passes Keygate first, from its config dump.
//!
//! What doctor does not know is unproven, never fine: `known` lists the fields of each message on the
//! way of a request.

mod at;
mod chain;
mod clusters;
mod dump;
mod exam;
mod findings;
mod jwt;
mod known;
mod listeners;
mod manager;
mod plugin;
mod proxy;
mod report;
mod routes;
mod sarif;
mod service;

use std::process::ExitCode;

use clap::ValueEnum;

use self::dump::Source;
use self::exam::Exam;
use self::report::Report;
use crate::error::CliError;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  keygate doctor http://127.0.0.1:9901
  keygate doctor http://127.0.0.1:9901 --service http://127.0.0.1:8801
  keygate doctor config_dump.json --format sarif > doctor.sarif

docs/doctor.md lists every finding, and what to do about it. Exit code 0 if nothing is found, 1 if
something is, 2 if the dump cannot be judged.";

/// Prove from Envoy's config dump that every request passes Keygate, or name what prevents it.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// URL of Envoy's admin port, or a file with the answer of its /config_dump, or "-" for standard
    /// input
    #[arg(value_name = "URL|FILE")]
    dump: String,
    /// Listener that is meant to be open, by its name; repeatable
    #[arg(long, value_name = "NAME")]
    except: Vec<String>,
    /// How many proxies in front of this Envoy add to x-forwarded-for
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    trusted_hops: u64,
    /// URL of the key service, to ask it with the edge token in the variable that the policy names
    #[arg(long, value_name = "URL")]
    service: Option<String>,
    /// Format of the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How a report is written.
#[derive(Clone, Copy, Default, ValueEnum)]
enum Format {
    /// Lines for a person.
    #[default]
    Text,
    /// A JSON object.
    Json,
    /// SARIF 2.1.0.
    Sarif,
}

/// Prints what was found.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let source = Source::of(&args.dump);
    let dump = source.read()?;
    let mut exam = Exam::new(&dump, args.trusted_hops);
    listeners::examine(&mut exam, &args.except);
    clusters::examine(&mut exam);
    proxy::examine(&mut exam);
    let mut asked = Vec::new();
    if let Some(stats) = &dump.stats {
        proxy::examine_stats(&mut exam, stats);
        asked.push("Envoy");
    }
    if let Some(base) = &args.service {
        service::ask(&mut exam, base)?;
        asked.push("the key service");
    }
    let Exam { findings, seen, .. } = exam;
    let findings = findings.sorted();
    let report = Report {
        source: source.name(),
        envoy: &dump.version,
        seen: &seen,
        asked: &asked,
        findings: &findings,
    };
    let text = match args.format {
        Format::Text => report.text(),
        Format::Json => format!("{:#}", report.json()),
        Format::Sarif => format!("{:#}", sarif::log(&report)),
    };
    output::line(&text)?;
    Ok(ExitCode::from(u8::from(!findings.is_empty())))
}
