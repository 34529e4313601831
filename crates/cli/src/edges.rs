//! `keygate edges`, and how `keygate keys revoke` waits for all of them.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use keygate_service::shown::escaped;
use serde::Deserialize;

use crate::client::{KeyService, ServiceArgs};
use crate::error::CliError;
use crate::output::{self, Object};

const EXAMPLES: &str = "\
Examples:
  keygate edges
  keygate edges --json | jq -r '.edges[] | select(.state == \"behind\") | .name'

States:
  current  every worker has applied every change of a key
  behind   a worker has not
  gone     the lease has ended since the last poll, so no cached key is accepted;
           listed for an hour
  unknown  edges that do not report how far they are, all in one row";

/// List the edges that poll the key service.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Print the answer of the key service as JSON: {"edges": [...]}
    #[arg(long)]
    json: bool,
}

const PATH: &str = "/v1/edges";

#[derive(Deserialize)]
struct Listed {
    edges: Vec<Object>,
}

/// The columns of the table.
const COLUMNS: [(&str, &str); 10] = [
    ("NAME", "name"),
    ("STATE", "state"),
    ("EPOCH", "epoch"),
    ("BEHIND", "changes_behind"),
    ("LAST POLL", "last_poll_at"),
    ("LEASE", "lease_seconds"),
    ("OUTAGE ALLOW", "outage_allow"),
    ("VERSION", "version"),
    ("START", "start"),
    ("SPACE", "space"),
];

/// Lists edges.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let service = KeyService::new::<Args>(&args.service)?;
    let answer = service.get(PATH, &[])?;
    if args.json {
        output::line(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let listed: Listed = service.read(&answer)?;
    output::line(&output::objects(&COLUMNS, &listed.edges))?;
    Ok(ExitCode::SUCCESS)
}

/// A place in the feed that the edges are to reach.
#[derive(Deserialize)]
pub struct Goal {
    epoch: u64,
    incarnation: String,
    /// Of the key that was revoked.
    space: Option<String>,
}

#[derive(Deserialize)]
struct Heard {
    incarnation: String,
    seconds_listening: u64,
    edges: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    name: Option<String>,
    start: Option<String>,
    space: Option<String>,
    state: String,
    epoch: Option<u64>,
    seconds_since_poll: u64,
    lease_seconds: Option<u64>,
    outage_allow: Option<bool>,
}

/// How often the list is read.
const PAUSE: Duration = Duration::from_millis(150);

/// The default lease of an edge.
const LEASE_SECONDS: u64 = 60;

/// Waits until every edge has applied the feed up to the goal, or accepts no cached key, and
/// says so. Edges that have not when the time is over are an error that names them.
pub fn wait(service: &KeyService, goal: &Goal, span: Duration) -> Result<(), CliError> {
    let begun = Instant::now();
    loop {
        let mut heard: Heard = service.read(&service.get(PATH, &[])?)?;
        heard.edges.retain(|edge| edge.may_accept(goal));
        if heard.incarnation != goal.incarnation {
            let message = "the key is revoked, but the key service was restarted meanwhile and no \
                           longer knows which edges to wait for. Repeat the command";
            return Err(CliError::No(message.to_owned()));
        }
        let late: Vec<&Edge> = heard.edges.iter().filter(|it| it.is_late(goal)).collect();
        if late.is_empty() {
            report(&heard);
            return Ok(());
        }
        if begun.elapsed() >= span {
            return Err(CliError::No(still_accepted(&late, heard.edges.len())));
        }
        sleep(PAUSE);
    }
}

impl Heard {
    /// Whether an edge that has not polled since the key service started may still have a lease. It
    /// is taken to be as long as the longest that is listed, and at least the default.
    fn may_lack_edges(&self) -> bool {
        let leases = self.edges.iter().filter_map(|edge| edge.lease_seconds);
        self.seconds_listening < leases.fold(LEASE_SECONDS, u64::max)
    }
}

impl Edge {
    /// Whether it sees the space of the key.
    fn may_accept(&self, goal: &Goal) -> bool {
        self.space.is_none() || goal.space.is_none() || self.space == goal.space
    }

    /// Whether it may still accept a key that was revoked at the goal.
    fn is_late(&self, goal: &Goal) -> bool {
        let has_applied = self.epoch.is_some_and(|epoch| epoch >= goal.epoch);
        self.state != "gone" && !has_applied
    }

    fn name(&self) -> String {
        let name = self.name.as_deref().or(self.start.as_deref());
        escaped(name.unwrap_or("edges that do not report")).into_owned()
    }
}

fn still_accepted(late: &[&Edge], all: usize) -> String {
    let name = |edge: &&Edge| {
        let ago = edge.seconds_since_poll;
        let lease = edge.lease_seconds;
        let lease = lease.map_or_else(|| "unknown".to_owned(), |it| format!("{it} s"));
        format!("\n  {} (last poll {ago} s ago, lease {lease})", edge.name())
    };
    let names: String = late.iter().map(name).collect();
    let count = late.len();
    format!(
        "the key is revoked, but {count} of {all} edges may still accept it, at most until their \
         lease ends:{names}"
    )
}

/// Says that all edges have applied the change, and what that leaves out.
fn report(heard: &Heard) {
    let (gone, rest): (Vec<&Edge>, Vec<&Edge>) =
        heard.edges.iter().partition(|it| it.state == "gone");
    let edges = match rest.len() {
        1 => "1 edge rejects".to_owned(),
        count => format!("{count} edges reject"),
    };
    let gone = match gone.len() {
        0 => String::new(),
        1 => "; 1 is gone and accepts no cached key".to_owned(),
        count => format!("; {count} are gone and accept no cached key"),
    };
    eprintln!("keygate: {edges} the key{gone}");
    if heard.may_lack_edges() {
        eprintln!(
            "keygate: the key service started {} s ago: an edge that has not polled since is not \
             counted, and may accept the key until its lease ends",
            heard.seconds_listening
        );
    }
    let allow = heard
        .edges
        .iter()
        .filter(|it| it.outage_allow == Some(true));
    let names: Vec<String> = allow.map(Edge::name).collect();
    if !names.is_empty() {
        eprintln!(
            "warning: while the key service is unavailable, these edges accept genuine keys \
             without a lookup, even revoked ones (outage: allow): {}",
            names.join(", ")
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_edge_may_be_missing_for_the_longest_lease_after_a_start() {
        for (seconds_listening, leases, may_lack) in [
            (59, &[][..], true),
            (60, &[], false),
            (60, &[Some(30), None], false),
            (61, &[Some(60), Some(86_400)], true),
            (86_399, &[Some(86_400)], true),
            (86_400, &[Some(86_400)], false),
        ] {
            let edge = |lease: &Option<u64>| json!({ "state": "current", "seconds_since_poll": 0, "lease_seconds": lease });
            let edges: Vec<_> = leases.iter().map(edge).collect();
            let heard = json!({
                "incarnation": "a", "seconds_listening": seconds_listening, "edges": edges,
            });
            let heard: Heard = serde_json::from_value(heard).unwrap();
            assert_eq!(
                heard.may_lack_edges(),
                may_lack,
                "{seconds_listening} {leases:?}"
            );
        }
    }
}
