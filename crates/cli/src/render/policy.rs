//! The policy that is rendered: what a platform must know of it, and its form there.

use std::path::{Path, PathBuf};

use keygate_core::Policy;
use serde_json::Value as Json;

use crate::check;
use crate::document::{Node, Value, line_and_column};
use crate::environment::StandIns;
use crate::error::CliError;
use crate::file::read;
use crate::policy_text::PolicyText;

/// A policy that `keygate check` accepts.
pub struct Written {
    file: PathBuf,
    text: String,
    root: Node,
    policy: Policy,
    /// The environment variables that it names, in its order.
    pub variables: Vec<String>,
}

impl Written {
    /// Reads and checks a policy.
    ///
    /// # Errors
    /// The file cannot be read, or `keygate check` rejects the policy.
    pub fn read(file: &Path) -> Result<Self, CliError> {
        let rejected = |lines: Vec<String>| {
            let line = |it: &String| format!("\n{}:{it}", file.display());
            let lines: String = lines.iter().map(line).collect();
            CliError::No(format!("Envoy would reject this policy:{lines}"))
        };
        let written = PolicyText::of(file, &read(file)?).map_err(rejected)?;
        let stand_ins = StandIns::of(written.json.as_bytes());
        let environment = |name: &str| stand_ins.get(name);
        let policy = check::policy(&written, &environment).map_err(rejected)?;
        let PolicyText { text, root, json } = written;
        let mut variables = stand_ins.asked();
        variables.sort_by_key(|name| json.find(&format!("\"{name}\"")));
        Ok(Self {
            file: file.to_owned(),
            text,
            root: root.ok_or_else(|| rejected(Vec::new()))?,
            policy,
            variables,
        })
    }

    /// The policy as it was written, without the schema and with the files in place.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The text at this path.
    pub fn text(&self, path: &str) -> Option<String> {
        self.at(path)?.as_text()
    }

    /// Whether the filter asks the key service.
    pub fn has_key_service(&self) -> bool {
        self.root.member("key_service").is_some()
    }

    /// The names of the clusters of the key service: for lookups, and for polls if that is another.
    pub fn clusters(&self) -> (Option<String>, Option<String>) {
        let lookups = self.text("key_service.cluster");
        let polls = self.text("key_service.poll_cluster");
        let polls = polls.filter(|name| Some(name) != lookups.as_ref());
        (lookups, polls)
    }

    /// Whether some rule, or what no rule matches, accepts `%2F`, which Envoy must then let through.
    pub fn allows_encoded_slash(&self) -> bool {
        let mut rules = self.policy.rules.all().iter();
        rules.any(|rule| rule.allow_encoded_slash)
            || self
                .at("allow_encoded_slash")
                .is_some_and(|it| it.to_value() == true)
    }

    /// The providers that read sessions: their names and their fields.
    pub fn sessions(&self) -> Vec<(String, Json)> {
        let providers = self.root.member("providers").map(|it| it.node.to_value());
        let providers = providers.as_ref().and_then(Json::as_object);
        let all = providers.into_iter().flatten();
        let sessions = all.filter(|(_, provider)| provider["type"] == "jwt");
        sessions
            .map(|(name, provider)| (name.clone(), provider.clone()))
            .collect()
    }

    /// Says that a platform cannot have this, at the place of the field.
    pub fn refuse(&self, path: &str, why: &str) -> CliError {
        let at = self.at(path).map_or(0, |node| node.at);
        let (line, column) = line_and_column(&self.text, at);
        CliError::No(format!(
            "{}:{line}:{column}: {path}: {why}",
            self.file.display()
        ))
    }

    /// The policy with other texts, each at its path.
    pub fn with(&self, texts: &[(&str, &str)]) -> Node {
        let mut root = self.root.clone();
        for (path, text) in texts {
            let (steps, rest) = root.resolve(path);
            if let Some(node) = root.follow_mut(&steps).filter(|_| rest.is_empty()) {
                *node = node.replaced_by(text);
            }
        }
        root
    }

    /// Calls `look` for every value that contains no other, with its path.
    pub fn leaves(&self, look: &mut dyn FnMut(&str, &str)) {
        leaves(&self.root, "", look);
    }

    fn at(&self, path: &str) -> Option<&Node> {
        let (steps, rest) = self.root.resolve(path);
        self.root.follow(&steps).filter(|_| rest.is_empty())
    }
}

fn leaves(node: &Node, path: &str, look: &mut dyn FnMut(&str, &str)) {
    match &node.value {
        Value::Object(members) => {
            for member in members {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(&member.node, &format!("{path}{dot}{}", member.name), look);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &format!("{path}[{index}]"), look);
            }
        }
        Value::Leaf(json) => look(path, json),
    }
}
