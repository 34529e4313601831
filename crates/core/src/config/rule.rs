//! Rules from their written form.

use std::rc::Rc;

use litemap::LiteMap;

use super::{Compiler, NAME, is_name, item, member, written};
use crate::answer::Authenticate;
use crate::decision::carriers::by_name;
use crate::decision::provider::{AppKeys, Outage, Provider};
use crate::decision::requirement::Requirement;
use crate::decision::rule::{HeaderMatch, NeededScopes, Rule};
use crate::http::glob::{HostPattern, PathGlob};
use crate::http::referrer::ReferrerPattern;
use crate::http::request::is_method;
use crate::identity::scopes::Scopes;

impl Compiler<'_> {
    pub(super) fn rule(
        &mut self,
        path: &str,
        written: &written::Rule,
        names: &mut LiteMap<String, ()>,
        before: &[Rule],
    ) -> Option<Rule> {
        if !is_name(&written.name) {
            self.wrong_in(path, "name", NAME);
        }
        if names.insert(written.name.clone(), ()).is_some() {
            self.wrong_in(path, "name", "another rule has this name");
        }
        let glob = PathGlob::parse(&written.matches.path);
        let glob = self.checked(&member(path, "match.path"), glob);
        let methods = self.methods(&member(path, "match.methods"), &written.matches.methods);
        let hosts = self.hosts(&member(path, "match.hosts"), &written.matches.hosts);
        let headers = self.matched_headers(path, &written.matches.headers);
        let scopes = self.scopes(path, &written.scopes);
        let allowed_referrers = self.referrers(
            &member(path, "allowed_referrers"),
            &written.allowed_referrers,
        );
        let at = member(path, "require");
        let require = self.requirement(&at, &written.require, written.outage.map(Into::into));
        self.outage(path, written, require.as_ref());
        let unseal = self.unseal(path, written, require.as_ref());
        let mode = self.mode(path, written, before);
        let deny = written.deny.as_ref().map(|name| {
            let found = self.responses.get(name).cloned();
            let missing = format!("there is no response \"{name}\"");
            self.checked(&member(path, "deny"), found.ok_or(missing))
        });
        // What a provider that failed to load would accept is not known.
        let is_whole = self.names_only_loaded(&written.require);
        let has_identity = require.as_ref().is_some_and(Requirement::can_have_identity);
        if !written.scopes.is_empty() && !has_identity && is_whole {
            self.wrong_in(
                path,
                "scopes",
                "can never be met: the rule requires no credential with scopes",
            );
        }
        let require = require?;
        let providers = require.providers();
        let carriers = providers.iter().flat_map(|it| by_name(it)).collect();
        let authenticate = Authenticate {
            realm: self.realm.clone(),
            basic: providers.iter().any(|it| it.challenges_basic()),
        };
        Some(Rule {
            name: written.name.clone(),
            place: before.len(),
            hosts,
            path: glob?,
            methods,
            headers,
            allow_encoded_slash: written
                .allow_encoded_slash
                .unwrap_or(self.allow_encoded_slash),
            allow_path_parameters: written
                .allow_path_parameters
                .unwrap_or(self.allow_path_parameters),
            require,
            scopes,
            mode: mode?,
            allowed_referrers,
            allow_preflight: written.preflight == Some(written::Preflight::Allow),
            deny: deny.flatten(),
            page: Rc::clone(&self.page),
            authenticate,
            carriers,
            secret_parameters: Rc::clone(&self.carriers.parameters),
            path_tokens: Rc::clone(&self.path_tokens),
            unseal,
        })
    }

    fn methods(&mut self, path: &str, written: &Option<Vec<String>>) -> Vec<String> {
        let Some(methods) = written else {
            return Vec::new();
        };
        if methods.is_empty() {
            self.wrong(path, "must not be empty: omit it to match every method");
        }
        for (index, method) in methods.iter().enumerate() {
            if !is_method(method) {
                self.wrong(
                    &item(path, index),
                    "must be a method in upper case, such as \"GET\", of at most 24 characters",
                );
            }
        }
        methods.clone()
    }

    fn matched_headers(
        &mut self,
        path: &str,
        written: &Option<Vec<written::HeaderMatch>>,
    ) -> Vec<HeaderMatch> {
        let path = format!("{path}.match.headers");
        let Some(headers) = written else {
            return Vec::new();
        };
        if headers.is_empty() {
            self.wrong(&path, "must not be empty: omit it to match every request");
        }
        let mut matches = Vec::new();
        for (index, header) in headers.iter().enumerate() {
            let path = item(&path, index);
            let name = header.name.to_ascii_lowercase();
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if name.is_empty() || !name.bytes().all(fits) {
                self.wrong_in(&path, "name", "must be the name of a header");
            }
            matches.push(HeaderMatch {
                name,
                value: header.value.clone(),
            });
        }
        matches
    }

    fn scopes(&mut self, path: &str, written: &[written::NeededScopes]) -> Vec<NeededScopes> {
        let mut scopes = Vec::new();
        for (index, needed) in written.iter().enumerate() {
            let path = format!("{path}.scopes[{index}]");
            if scopes.iter().any(|it: &NeededScopes| it.methods.is_empty()) {
                self.wrong(
                    &path,
                    "is never used: the entry before it is for all methods",
                );
            }
            let methods = self.methods(&member(&path, "methods"), &needed.methods);
            let need = self.checked(&member(&path, "need"), Scopes::parse(&needed.need));
            scopes.extend(need.map(|need| NeededScopes { methods, need }));
        }
        scopes
    }

    fn hosts(&mut self, path: &str, written: &Option<Vec<String>>) -> Vec<HostPattern> {
        let Some(hosts) = written else {
            return Vec::new();
        };
        if hosts.is_empty() {
            self.wrong(path, "must not be empty: omit it to match every host");
        }
        let parsed = hosts
            .iter()
            .enumerate()
            .filter_map(|(index, host)| self.checked(&item(path, index), HostPattern::parse(host)));
        parsed.collect()
    }

    pub(super) fn referrers(
        &mut self,
        path: &str,
        written: &Option<Vec<String>>,
    ) -> Vec<ReferrerPattern> {
        let Some(patterns) = written else {
            return Vec::new();
        };
        if patterns.is_empty() {
            self.wrong(path, "must not be empty: omit it to allow every page");
        }
        let parsed = patterns.iter().enumerate().filter_map(|(index, pattern)| {
            self.checked(&item(path, index), ReferrerPattern::parse(pattern))
        });
        parsed.collect()
    }

    /// What a rule says of outages, where it has something to say.
    fn outage(&mut self, path: &str, written: &written::Rule, require: Option<&Requirement>) {
        let (Some(outage), Some(require)) = (written.outage, require) else {
            return;
        };
        let takes_keys = |it: &&Provider| matches!(it, Provider::AppKey(_));
        let takes_keys = require.providers().iter().any(takes_keys);
        if !takes_keys && self.names_only_loaded(&written.require) {
            self.wrong_in(
                path,
                "outage",
                "applies to app keys, but the rule accepts none",
            );
        } else if takes_keys && outage == written::Outage::Allow && !written.scopes.is_empty() {
            let message = "cannot be \"allow\" with scopes: an outage leaves the scopes of a key \
                           unknown";
            self.wrong_in(path, "outage", message);
        }
    }

    /// Whether each provider that a requirement names is there: the error of one that is not
    /// says enough.
    pub(super) fn names_only_loaded(&self, written: &written::Requirement) -> bool {
        match written {
            written::Requirement::Name(name) => {
                name == "nothing" || matches!(self.providers.get(name), Some(Some(_)))
            }
            written::Requirement::Group(
                written::Group::Any(members) | written::Group::All(members),
            ) => members.iter().all(|member| self.names_only_loaded(member)),
        }
    }

    /// What is required; the outage setting of the rule overrides that of a provider.
    fn requirement(
        &mut self,
        path: &str,
        written: &written::Requirement,
        outage: Option<Outage>,
    ) -> Option<Requirement> {
        let (word, members) = match written {
            written::Requirement::Name(name) if name == "nothing" => {
                return Some(Requirement::Nothing);
            }
            written::Requirement::Name(name) => {
                let found = self.providers.get(name).cloned();
                let missing = format!("there is no provider \"{name}\"");
                let provider = self.checked(path, found.ok_or(missing)).flatten();
                let provider = provider?;
                if let Provider::AppKey(keys) = provider.as_ref() {
                    self.allows_outage |= outage.unwrap_or(keys.outage) == Outage::Allow;
                }
                return Some(Requirement::One(match (outage, provider.as_ref()) {
                    (Some(outage), Provider::AppKey(keys)) if keys.outage != outage => {
                        let keys = keys.clone();
                        Rc::new(Provider::AppKey(AppKeys { outage, ..keys }))
                    }
                    (Some(_) | None, _) => provider,
                }));
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
            let path = item(&path, index);
            if matches!(member, written::Requirement::Name(name) if name == "nothing") {
                self.wrong(&path, "\"nothing\" is not allowed in a group");
            }
            compiled.extend(self.requirement(&path, member, outage));
        }
        Some(match word {
            "any" => Requirement::Any(compiled),
            _ => Requirement::All(compiled),
        })
    }
}
