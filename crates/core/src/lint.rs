//! Remarks on a valid policy: probable mistakes, for an operator who can change it.
//!
//! Nothing here decides a request, and the filter asks for none of it. What concerns
//! single fields is read from the text, so that every format of link is covered; what only a
//! format knows, it remarks itself.

mod edges;

use std::fmt;

use serde_json::{Map, Value};

use crate::config::Environment;
use crate::decision::policy::{Policy, Unmatched};
use crate::decision::provider::Provider;
use crate::decision::requirement::Requirement;
use crate::decision::rule::{Mode, Rule};
use crate::decision::unseal::Missing;
use crate::secret::{Encoding, RingEntry, Secret};
use crate::time::{Millis, UnixMillis};

/// What stays valid longer than a week is hardly a link for a while.
const LONG_LINK: Millis = Millis::from_secs(7 * 24 * 3600);

/// The longest time that a revoked key should work while the key service is away.
const LONG_LEASE: Millis = Millis::from_secs(600);

/// Fewer bytes than HMAC-SHA256 gives, and the secret is the weakest part.
const SHORT_SECRET: usize = 32;

/// Something to think about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The field, as in [`Problem`](crate::decision::problem::Problem).
    pub path: String,
    /// What is remarkable.
    pub message: String,
    /// How much so.
    pub level: Level,
}

/// How much a remark weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Probably a mistake, or dangerous.
    Warning,
    /// Meant, and easily forgotten.
    Note,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// Remarks on a policy that was read from this text, in the order of the rules, then
/// by field.
pub fn lint(
    policy: &Policy,
    text: &[u8],
    environment: Environment<'_>,
    now: UnixMillis,
) -> Vec<Remark> {
    let written: Value = serde_json::from_slice(text).unwrap_or_default();
    let mut remarks = Vec::new();
    rules(policy, &written, &mut remarks);
    edges::remarks(policy, &mut remarks);
    if policy.unmatched == Unmatched::Allow {
        let message = "requests that no rule matches pass unchecked: use \"deny\" unless you \
                       intend this";
        remarks.push(warning("unmatched", message));
    }
    let warnings = policy.warnings.iter();
    remarks.extend(warnings.map(|it| warning(&it.path, &it.wrong.to_string())));
    outdated_rings(&written, now, &mut remarks);
    unused(&written, &mut remarks);
    short_secrets(&written, environment, &mut remarks);
    long_times(&written, &mut remarks);
    let of_links = policy.link_remarks.iter();
    remarks.extend(of_links.map(|(path, message)| warning(path, message)));
    forwarded_sessions(&written, &mut remarks);
    outages(&written, &mut remarks);
    remarks.extend(shared_polls(&written));
    remarks
}

fn rules(policy: &Policy, written: &Value, remarks: &mut Vec<Remark>) {
    let conditions = |index: usize| {
        field(
            field(written, "rules").get(index).unwrap_or(&Value::Null),
            "match",
        )
    };
    for (index, rule) in policy.rules.all().iter().enumerate() {
        let path = format!("rules[{index}]");
        let mut before = policy.rules.all().iter().take(index).enumerate();
        let cover =
            before.find(|(first, wide)| covers(wide, rule, conditions(*first), conditions(index)));
        if let Some((first, wide)) = cover {
            let message = format!(
                "can never match: rules[{first}] (\"{}\") before it matches all of its requests",
                wide.name
            );
            remarks.push(warning(&format!("{path}.match"), &message));
        }
        if !matches!(rule.mode, Mode::Off)
            && rule.methods.is_empty()
            && a_link_suffices(&rule.require)
        {
            let message = "a link permits every method, even DELETE: set methods";
            remarks.push(warning(&format!("{path}.match"), message));
        }
        let rejects = rule.unseal.as_ref().map(|it| it.missing) == Some(Missing::Reject);
        if rejects && !needs_a_key(&rule.require) {
            let message = "a credential other than an app key has no sealed data, so this rule \
                           rejects it (nothing_sealed): set optional, or require an app key";
            remarks.push(warning(&format!("{path}.sealed"), message));
        }
        let left_on = match rule.mode {
            Mode::Simulate => Some("mode simulate is still set: this rule rejects no request"),
            Mode::Off => Some("mode off is still set: this rule checks nothing"),
            _ => None,
        };
        remarks.extend(left_on.map(|message| Remark {
            path: format!("{path}.mode"),
            message: message.to_owned(),
            level: Level::Note,
        }));
    }
}

/// Whether the narrow rule never matches, because the wide one precedes it.
fn covers(wide: &Rule, narrow: &Rule, wide_match: &Value, narrow_match: &Value) -> bool {
    if !wide.path.covers(&narrow.path) {
        return false;
    }
    let methods = wide.methods.is_empty()
        || !narrow.methods.is_empty() && narrow.methods.iter().all(|it| wide.methods.contains(it));
    let hosts = wide.hosts.is_empty()
        || !narrow.hosts.is_empty()
            && narrow
                .hosts
                .iter()
                .all(|host| wide.hosts.iter().any(|it| it.covers(host)));
    // Of any other condition nothing is known but that it covers itself.
    let known = ["path", "methods", "hosts"];
    let others = wide_match.as_object().is_some_and(|all| {
        all.iter()
            .filter(|(name, _)| !known.contains(&name.as_str()))
            .all(|(name, condition)| {
                condition.is_null() || narrow_match.get(name) == Some(condition)
            })
    });
    methods && hosts && others
}

/// Whether a signed link alone meets the requirement.
fn a_link_suffices(requirement: &Requirement) -> bool {
    match requirement {
        Requirement::One(provider) => matches!(**provider, Provider::SignedUrl(_)),
        Requirement::Any(some) => some.iter().any(a_link_suffices),
        Requirement::All(every) => every.iter().all(a_link_suffices),
        Requirement::Nothing => false,
    }
}

/// Whether nothing meets the requirement without an app key.
fn needs_a_key(requirement: &Requirement) -> bool {
    match requirement {
        Requirement::One(provider) => matches!(**provider, Provider::AppKey(_)),
        Requirement::Any(some) => some.iter().all(needs_a_key),
        Requirement::All(every) => every.iter().any(needs_a_key),
        Requirement::Nothing => false,
    }
}

/// A definition whose name is not used as a value elsewhere. A name that also means something
/// else is taken as used: better no remark than a wrong one.
fn unused(written: &Value, remarks: &mut Vec<Remark>) {
    for (group, what) in [
        ("secrets", "ring"),
        ("providers", "provider"),
        ("responses", "response"),
    ] {
        for (name, own) in members(field(written, group)) {
            // A definition that names itself does not use itself.
            let uses = mentions(written, name).saturating_sub(mentions(own, name));
            if uses == 0 {
                let message = format!("this {what} is never used");
                remarks.push(warning(&format!("{group}.{name}"), &message));
            }
        }
    }
}

/// How often a name is used as a value, other than as the name of something else.
fn mentions(value: &Value, name: &str) -> usize {
    match value {
        Value::String(text) => usize::from(text == name),
        Value::Array(items) => items.iter().map(|it| mentions(it, name)).sum(),
        Value::Object(members) => members
            .iter()
            .filter(|(field, _)| !["name", "id", "env", "path"].contains(&field.as_str()))
            .map(|(_, it)| mentions(it, name))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// Rings without a secret that is valid now: every credential made with them is rejected.
fn outdated_rings(written: &Value, now: UnixMillis, remarks: &mut Vec<Remark>) {
    for (name, ring) in members(field(written, "secrets")) {
        let instant = |entry: &Value, bound| {
            let text = field(entry, bound).as_str()?;
            UnixMillis::parse(text).ok()
        };
        let counts = |entry: &Value| {
            let entry = RingEntry {
                id: String::new(),
                key: (),
                not_before: instant(entry, "not_before"),
                not_after: instant(entry, "not_after"),
            };
            entry.is_current(now)
        };
        let entries = ring.as_array().map(Vec::as_slice).unwrap_or_default();
        if !entries.iter().any(counts) {
            let message = "no secret of this ring is valid now: every credential made with it is \
                           rejected (no_current_secret)";
            remarks.push(warning(&format!("secrets.{name}"), message));
        }
    }
}

/// Secrets that sign links. Those of app keys are rejected when they are short.
fn short_secrets(written: &Value, environment: Environment<'_>, remarks: &mut Vec<Remark>) {
    let links =
        members(field(written, "providers")).filter(|(_, it)| *field(it, "type") == "signed_url");
    let mut rings: Vec<&str> = links
        .filter_map(|(_, it)| field(it, "secrets").as_str())
        .collect();
    rings.sort_unstable();
    rings.dedup();
    for ring in rings {
        let secrets = field(field(written, "secrets"), ring).as_array();
        for (index, secret) in secrets.into_iter().flatten().enumerate() {
            let encoding = serde_json::from_value(field(secret, "encoding").clone());
            let variable = field(secret, "env").as_str().unwrap_or_default();
            let decoded = environment(variable)
                .and_then(|text| Secret::decode(&text, encoding.unwrap_or(Encoding::Utf8)).ok());
            if decoded.is_some_and(|secret| secret.expose().len() < SHORT_SECRET) {
                let message = format!(
                    "the value of {variable} is shorter than {SHORT_SECRET} bytes: a client with \
                     one link may be able to guess it"
                );
                remarks.push(warning(&format!("secrets.{ring}[{index}].env"), &message));
            }
        }
    }
}

fn long_times(written: &Value, remarks: &mut Vec<Remark>) {
    let longer = |value: &Value, than: Millis| {
        let span = value.as_str().and_then(|text| Millis::parse(text).ok());
        span.is_some_and(|span| span > than)
    };
    for (name, provider) in members(field(written, "providers")) {
        for bound in ["ttl", "max_lifetime"] {
            if longer(field(provider, bound), LONG_LINK) {
                let message = "is longer than 7 days: a leaked link works that long";
                remarks.push(warning(&format!("providers.{name}.{bound}"), message));
            }
        }
    }
    if longer(field(field(written, "key_service"), "lease"), LONG_LEASE) {
        let message = "is longer than 10 minutes: a revoked key may work that long during an \
                       outage of the key service";
        remarks.push(warning("key_service.lease", message));
    }
}

/// Polls that other calls to the key service can hold up.
fn shared_polls(written: &Value) -> Option<Remark> {
    let service = field(written, "key_service");
    let cluster = field(service, "cluster").as_str()?;
    let polls = field(service, "poll_cluster").as_str();
    polls.is_none_or(|it| it == cluster).then(|| Remark {
        path: "key_service.cluster".to_owned(),
        message: "polls share this cluster with lookups, and a flood of lookups can delay \
                  revocations: set poll_cluster to a second cluster of the same service"
            .to_owned(),
        level: Level::Note,
    })
}

/// Where a key that was revoked may pass.
fn outages(written: &Value, remarks: &mut Vec<Remark>) {
    let providers = members(field(written, "providers"));
    let providers = providers.map(|(name, it)| (format!("providers.{name}"), it));
    let rules = field(written, "rules").as_array().into_iter().flatten();
    let rules = rules.enumerate();
    let rules = rules.map(|(index, it)| (format!("rules[{index}]"), it));
    for (path, _) in providers
        .chain(rules)
        .filter(|(_, it)| *field(it, "outage") == "allow")
    {
        let message = "during an outage of the key service every genuine key passes, even a \
                       revoked one that is not cached. An attacker who can block calls to the \
                       key service can cause this";
        remarks.push(warning(&format!("{path}.outage"), message));
    }
}

/// Sessions whose token reaches the upstream. An empty `strip` says that it may.
fn forwarded_sessions(written: &Value, remarks: &mut Vec<Remark>) {
    let providers = members(field(written, "providers"));
    let sessions = providers.filter(|(_, it)| *field(it, "type") == "jwt");
    for (name, _) in sessions.filter(|(_, it)| field(it, "strip").is_null()) {
        let message = "is not set: the token of the login reaches the upstream, which could use \
                       it in the person's name. List where jwt_authn takes it from, or set [] \
                       if the upstream needs it";
        remarks.push(warning(&format!("providers.{name}.strip"), message));
    }
}

fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn warning(path: &str, message: &str) -> Remark {
    Remark {
        path: path.to_owned(),
        message: message.to_owned(),
        level: Level::Warning,
    }
}
