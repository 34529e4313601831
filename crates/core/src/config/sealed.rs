//! What a rule adds of sealed data, from its written form.

use super::{Compiler, item, member, written};
use crate::decision::provider::Provider;
use crate::decision::requirement::Requirement;
use crate::decision::rule::Rule;
use crate::decision::unseal::{Missing, Unseal};
use crate::http::header_name::is_sealable;
use crate::identity::IdentityHeaders;

impl Compiler<'_> {
    pub(super) fn unseal(
        &mut self,
        path: &str,
        written: &written::Rule,
        require: Option<&Requirement>,
    ) -> Option<Unseal> {
        let sealed = written.sealed.as_ref()?;
        let is_native = |it: &&Provider| matches!(it, Provider::AppKey(keys) if keys.takes_native);
        let takes_keys = require.is_some_and(|it| it.providers().iter().any(is_native));
        if !takes_keys && self.names_only_loaded(&written.require) {
            let message = "applies to native app keys, but the rule accepts none";
            self.wrong_in(path, "sealed", message);
        }
        if written.outage == Some(written::Outage::Allow) {
            let message = "cannot be \"allow\" with sealed: an outage leaves the sealed data of a \
                           key unknown";
            self.wrong_in(path, "outage", message);
        }
        let path = member(path, "sealed.headers");
        if sealed.headers.is_empty() {
            self.wrong(&path, "must not be empty");
        }
        let mut headers = Vec::new();
        for (index, name) in sealed.headers.iter().enumerate() {
            let name = name.to_ascii_lowercase();
            if !is_sealable(&name) {
                let message = "must be the name of a header, such as \"authorization\", that neither \
                               frames a message nor is set by proxies";
                self.wrong(&item(&path, index), message);
            } else if headers.contains(&name) {
                self.wrong(&item(&path, index), "is given more than once");
            }
            headers.push(name);
        }
        Some(Unseal {
            headers,
            missing: match sealed.optional {
                true => Missing::Pass,
                false => Missing::Reject,
            },
        })
    }

    /// A creator of keys must not write what the upstream takes for the identity of the client.
    /// Returns the names of all rules.
    pub(super) fn sealed_headers(
        &mut self,
        rules: &[Rule],
        identity: &IdentityHeaders,
    ) -> Vec<String> {
        let mut all = Vec::new();
        for (at, rule) in rules.iter().enumerate() {
            let headers = rule.unseal.iter().flat_map(|it| it.headers.iter());
            for (index, name) in headers.enumerate() {
                if is_sealable(name) && identity.is_claimed_by(name.as_bytes()) {
                    let path = format!("rules[{at}].sealed.headers");
                    self.wrong(&item(&path, index), "is a header of the identity");
                }
                all.push(name.clone());
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}
