//! Rules from their written form.

use super::{Compiler, NAME, is_name, written};
use crate::glob::{HostPattern, PathGlob};
use crate::rule::{Mode, Requirement, Rule};

impl Compiler<'_> {
    pub(super) fn rule(
        &mut self,
        path: &str,
        written: &written::Rule,
        before: &[written::Rule],
    ) -> Option<Rule> {
        if !is_name(&written.name) {
            self.wrong(&format!("{path}.name"), NAME);
        }
        if before.iter().any(|rule| rule.name == written.name) {
            self.wrong(&format!("{path}.name"), "another rule has this name");
        }
        let glob = PathGlob::parse(&written.matches.path);
        let glob = self.checked(&format!("{path}.match.path"), glob);
        let methods = self.methods(&format!("{path}.match.methods"), &written.matches.methods);
        let hosts = self.hosts(&format!("{path}.match.hosts"), &written.matches.hosts);
        let require = self.requirement(&format!("{path}.require"), &written.require);
        let deny = written.deny.as_ref().map(|name| {
            let found = self.responses.get(name).cloned();
            let missing = format!("there is no response \"{name}\"");
            self.checked(&format!("{path}.deny"), found.ok_or(missing))
        });
        Some(Rule {
            name: written.name.clone(),
            hosts,
            path: glob?,
            methods,
            allow_encoded_slash: written.allow_encoded_slash,
            require: require?,
            mode: match written.mode {
                written::Mode::Block => Mode::Block,
                written::Mode::Simulate => Mode::Simulate,
                written::Mode::Off => Mode::Off,
            },
            deny: deny.flatten(),
        })
    }

    fn methods(&mut self, path: &str, written: &Option<Vec<String>>) -> Vec<String> {
        let Some(methods) = written else {
            return Vec::new();
        };
        if methods.is_empty() {
            self.wrong(path, "is empty: leave it out to match every method");
        }
        for (index, method) in methods.iter().enumerate() {
            let is_upper = method
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'-');
            if method.is_empty() || !is_upper {
                self.wrong(
                    &format!("{path}[{index}]"),
                    "must be a method in upper case, such as \"GET\"",
                );
            }
        }
        methods.clone()
    }

    fn hosts(&mut self, path: &str, written: &Option<Vec<String>>) -> Vec<HostPattern> {
        let Some(hosts) = written else {
            return Vec::new();
        };
        if hosts.is_empty() {
            self.wrong(path, "is empty: leave it out to match every host");
        }
        let parsed = hosts.iter().enumerate().filter_map(|(index, host)| {
            self.checked(&format!("{path}[{index}]"), HostPattern::parse(host))
        });
        parsed.collect()
    }

    fn requirement(&mut self, path: &str, written: &written::Requirement) -> Option<Requirement> {
        let (word, members) = match written {
            written::Requirement::Name(name) if name == "nothing" => {
                return Some(Requirement::Nothing);
            }
            written::Requirement::Name(name) => {
                let found = self.providers.get(name).cloned();
                let missing = format!("there is no provider \"{name}\"");
                let provider = self.checked(path, found.ok_or(missing)).flatten();
                return provider.map(Requirement::One);
            }
            written::Requirement::Group(written::Group::Any(members)) => ("any", members),
            written::Requirement::Group(written::Group::All(members)) => ("all", members),
        };
        let path = format!("{path}.{word}");
        if members.is_empty() {
            self.wrong(&path, "must not be empty");
        }
        let mut compiled = Vec::new();
        for (index, member) in members.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if matches!(member, written::Requirement::Name(name) if name == "nothing") {
                self.wrong(&path, "\"nothing\" has no place in a group");
            }
            compiled.extend(self.requirement(&path, member));
        }
        Some(match word {
            "any" => Requirement::Any(compiled),
            _ => Requirement::All(compiled),
        })
    }
}
