//! A config dump of Envoy, from a file or from its admin port, and whether it can be judged at all.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use serde_json::error::Category;

use super::at::At;
use crate::error::CliError;
use crate::file::read_up_to;

/// The minor versions of Envoy 1 whose configuration is known.
const KNOWN: std::ops::RangeInclusive<u64> = 36..=40;

/// The longest dump that is read: that of a proxy with some thousand routes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// How long the admin port may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a dump is.
pub enum Source {
    /// The admin port at this URL.
    Admin(String),
    /// A file, or "-" for standard input.
    File(String),
}

/// A dump of a version that is known.
pub struct Dump {
    value: Value,
    /// The version of Envoy.
    pub version: String,
    /// Counters and gauges, if the admin port was asked.
    pub stats: Option<Stats>,
    /// The names of all runtime values, if the admin port was asked.
    pub runtime: Option<Vec<String>>,
}

/// What Envoy counts, by name.
pub struct Stats(Value);

impl Source {
    /// Of a text: a URL of the admin port, or the name of a file.
    pub fn of(text: &str) -> Self {
        let is_url = text.starts_with("http://") || text.starts_with("https://");
        match is_url {
            true => Self::Admin(text.trim_end_matches('/').to_owned()),
            false => Self::File(text.to_owned()),
        }
    }

    /// Reads the dump.
    ///
    /// # Errors
    /// It cannot be read, or is no whole dump of an Envoy whose configuration is known.
    pub fn read(&self) -> Result<Dump, CliError> {
        match self {
            Self::File(name) => Dump::parse(&read_up_to(Path::new(name), MAX_BYTES)?, name, None),
            Self::Admin(base) => {
                let dump = ask(base, "/config_dump?include_eds")?;
                let stats = ask(base, "/stats?format=json&filter=wasm")?;
                let stats = serde_json::from_slice(&stats).unwrap_or_default();
                let runtime = Some(runtime(&ask(base, "/runtime")?, base)?);
                let dump = Dump::parse(&dump, base, Some(Stats(stats)))?;
                Ok(Dump { runtime, ..dump })
            }
        }
    }

    /// How a person gave it.
    pub fn name(&self) -> &str {
        let (Self::Admin(name) | Self::File(name)) = self;
        name
    }
}

fn ask(base: &str, path: &str) -> Result<Vec<u8>, CliError> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .max_redirects(0)
        .proxy(None)
        .build()
        .into();
    let cannot = |error: &ureq::Error| {
        CliError::Usage(format!(
            "cannot read {path} of the admin port at {base}: {error}. Give the URL of Envoy's \
             admin port, such as http://127.0.0.1:9901, or a file with its /config_dump"
        ))
    };
    let answer = agent.get(format!("{base}{path}")).call();
    let mut answer = answer.map_err(|error| cannot(&error))?;
    let body = answer.body_mut().with_config().limit(MAX_BYTES);
    body.read_to_vec().map_err(|error| cannot(&error))
}

/// The names of the runtime values in an answer of `/runtime`.
fn runtime(answer: &[u8], base: &str) -> Result<Vec<String>, CliError> {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let Some(entries) = answer.get("entries").and_then(Value::as_object) else {
        let why = format!("{base}/runtime does not have the runtime values of Envoy");
        return Err(CliError::Usage(why));
    };
    Ok(entries.keys().cloned().collect())
}

impl Dump {
    fn parse(text: &[u8], name: &str, stats: Option<Stats>) -> Result<Self, CliError> {
        let usage = |why: String| CliError::Usage(format!("{name}: {why}"));
        let value: Value = serde_json::from_slice(text).map_err(|error| {
            let line = error.line();
            usage(match error.classify() {
                Category::Eof if text.trim_ascii().is_empty() => {
                    "the file is empty: save the answer of /config_dump of Envoy's admin port"
                        .to_owned()
                }
                Category::Eof => {
                    format!("the dump is incomplete: it ends in line {line}. Take a new one")
                }
                _ => format!(
                    "this is not a config dump: line {line} is not JSON. Save the answer of \
                     /config_dump of Envoy's admin port"
                ),
            })
        })?;
        let dump = Self {
            value,
            version: String::new(),
            stats,
            runtime: None,
        };
        if dump.value.get("configs").is_none_or(|it| !it.is_array()) {
            let is_bootstrap = dump.value.get("static_resources").is_some();
            return Err(usage(match is_bootstrap {
                true => "this is Envoy's configuration, and not what Envoy made of it: save the \
                         answer of /config_dump of its admin port"
                    .to_owned(),
                false => "this is not a config dump: it has no configs".to_owned(),
            }));
        }
        for section in ["Bootstrap", "Clusters", "Listeners"] {
            if dump.section(section).is_none() {
                return Err(usage(format!(
                    "the dump has no {section}ConfigDump of version 3: take it from /config_dump \
                     without resource, mask or name_regex"
                )));
            }
        }
        let version = dump.version_of().map_err(usage)?;
        Ok(Self { version, ..dump })
    }

    fn version_of(&self) -> Result<String, String> {
        let bootstrap = self.bootstrap();
        let node = bootstrap.and_then(|it| it.inside("node"));
        let build = node.and_then(|it| it.inside("user_agent_build_version"));
        let version = build.and_then(|it| it.inside("version"));
        let (least, most) = KNOWN.into_inner();
        let known = format!("doctor knows the configuration of Envoy 1.{least} to 1.{most}");
        let Some(version) = version else {
            return Err(format!(
                "the dump does not say its version of Envoy, and {known}"
            ));
        };
        let [major, minor, patch] =
            ["major_number", "minor_number", "patch"].map(|it| version.number(it));
        let found = format!("{major}.{minor}.{patch}");
        match major == 1 && KNOWN.contains(&minor) {
            true => Ok(found),
            false => Err(format!(
                "the dump is of Envoy {found}, and {known}: use the release of Keygate for this \
                 Envoy"
            )),
        }
    }

    /// The bootstrap configuration.
    pub fn bootstrap(&self) -> Option<At<'_>> {
        self.section("Bootstrap")?.inside("bootstrap")
    }

    /// What is in one part of the dump, such as `Listeners`.
    pub fn section(&self, name: &str) -> Option<At<'_>> {
        let wanted = format!("envoy.admin.v3.{name}ConfigDump");
        let mut sections = At::new(&self.value, "").items("configs").into_iter();
        let section = sections.find(|it| it.r#type() == wanted)?;
        Some(At::new(section.json(), ""))
    }

    /// The resources of a kind in all parts of the dump: of each item of these lists the member with
    /// this name, without a place.
    pub fn resources(&self, section: &str, lists: &[&str], member: &str) -> Vec<At<'_>> {
        let section = self.section(section);
        let lists = section
            .iter()
            .flat_map(|it| lists.iter().map(|list| it.items(list)));
        let items = lists.flatten();
        items
            .filter_map(|it| it.json().get(member))
            .map(|it| At::new(it, ""))
            .collect()
    }
}

impl Stats {
    /// A counter or gauge of the filter; 0 if it was never touched.
    pub fn of_filter(&self, name: &str) -> u64 {
        self.value(&format!("wasmcustom.{name}"))
    }

    /// The sum of all counters whose name ends so.
    pub fn ending(&self, end: &str) -> u64 {
        let all = self.all().filter(|it| it.text("name").ends_with(end));
        all.map(|it| it.number("value")).sum()
    }

    fn value(&self, name: &str) -> u64 {
        let found = self.all().find(|it| it.text("name") == name);
        found.map_or(0, |it| it.number("value"))
    }

    fn all(&self) -> impl Iterator<Item = At<'_>> {
        At::new(&self.0, "").items("stats").into_iter()
    }
}

impl Dump {
    /// The `vm_id` of every wasm plugin that is not Keygate by this test, anywhere in the dump.
    pub fn other_vms(&self, is_keygate: impl Fn(&At<'_>) -> bool) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut rest = vec![&self.value];
        while let Some(value) = rest.pop() {
            match value {
                Value::Array(items) => rest.extend(items),
                Value::Object(members) => {
                    let plugin = At::new(value, "");
                    if let Some(vm) = plugin.inside("vm_config")
                        && !is_keygate(&plugin)
                    {
                        found.insert(vm.text("vm_id"));
                    }
                    rest.extend(members.values());
                }
                _ => {}
            }
        }
        found
    }
}
