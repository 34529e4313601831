//! The provider whose links are signed or verified: that of a policy, or one that the
//! options describe, in the words of its configuration.
//!
//! Either way it goes through [`Policy::parse`], so that what holds here holds in Envoy.

pub mod encoding;
mod options;
mod problem;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use keygate_core::config::{FORMATS, has_key_id};
use keygate_core::secret::Encoding;
use keygate_core::signed_url::{PrivateKey, SignedUrl};
use keygate_core::{Policy, Provider};
use serde_json::{Map, Value, json};

use crate::document::unreadable;
use crate::environment::StandIns;
use crate::error::CliError;
use crate::file::misread;
use crate::policy_file::PolicyFile;
use crate::policy_text;
use crate::secret::Source;
use encoding::OtherEncoding;
use problem::{no_provider, told};

/// The token for a key service that nothing here calls.
const TOKEN: &str = "KEYGATE_UNUSED_TOKEN";

/// What `sign` and `verify` take without `--format`: what new links should use.
const DEFAULT_FORMAT: &str = "keygate";

/// How many providers of a policy a command can use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    One,
    All,
}

/// Whose links.
#[derive(clap::Args)]
#[group(id = "provider-options")]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Encoding of the secret. Default: utf8
    #[arg(
        long,
        value_parser = encodings(),
        help_heading = "Secret",
        conflicts_with = "policy"
    )]
    encoding: Option<Encoding>,
    #[arg(
        long,
        value_name = "ID",
        help = key_id_help(),
        help_heading = "Secret",
        conflicts_with = "policy"
    )]
    key_id: Option<String>,
    /// Use a provider of this policy, with its secrets from the environment
    #[arg(long, value_name = "FILE", help_heading = "Provider")]
    policy: Option<PathBuf>,
    /// Provider to use, if the policy has several for signed URLs. By default, verify uses those
    /// of the matching rule
    #[arg(
        long,
        value_name = "NAME",
        help_heading = "Provider",
        requires = "policy"
    )]
    provider: Option<String>,
    /// The format of the link. Default: keygate
    #[arg(
        long,
        value_parser = clap::builder::PossibleValuesParser::new(FORMATS.iter().copied()),
        help_heading = "Provider",
        conflicts_with = "policy"
    )]
    format: Option<String>,
    /// Set a field of the provider, as in the policy: text or JSON; repeatable
    #[arg(
        long,
        value_name = "FIELD=VALUE",
        help_heading = "Provider",
        conflicts_with = "policy"
    )]
    set: Vec<String>,
    /// Name and environment variable of a second secret, for a field that --set sets to this name,
    /// such as the salts of imgproxy; repeatable
    #[arg(
        long,
        value_name = "RING=VARIABLE",
        help_heading = "Secret",
        conflicts_with = "policy"
    )]
    ring: Vec<String>,
    /// Query parameter of the token; short for --set parameter=…
    #[arg(
        long,
        value_name = "NAME",
        help_heading = "Provider",
        conflicts_with = "policy"
    )]
    parameter: Option<String>,
    /// Base64 variant of the MAC, standard or url; short for --set base64=…
    #[arg(
        long,
        value_name = "ALPHABET",
        help_heading = "Provider",
        conflicts_with = "policy"
    )]
    base64: Option<String>,
}

/// Providers of signed URLs, ready: one or more.
pub struct Links {
    /// The providers that a link can be of.
    pub providers: Vec<Alone>,
    /// The whole policy that they are of, or why Envoy would reject that one.
    pub whole: Option<Result<PolicyFile, CliError>>,
    /// What signs, when the provider holds public keys.
    pub private_key: Option<PrivateKey>,
}

/// One provider of signed URLs.
pub struct Alone {
    /// Its name, where the policy has other providers of signed URLs.
    pub name: Option<String>,
    /// A policy in which one rule requires it for everything.
    pub policy: Policy,
    /// The same policy, with its secrets read in other encodings.
    pub others: Vec<OtherEncoding>,
}

impl Links {
    /// The first provider, configured.
    pub fn signed_url(&self) -> Result<&SignedUrl, CliError> {
        match self.providers.first() {
            Some(provider) => provider.signed_url(),
            None => Err(CliError::Usage("there is no provider".to_owned())),
        }
    }
}

impl Alone {
    /// The provider, configured.
    pub fn signed_url(&self) -> Result<&SignedUrl, CliError> {
        let rule = self.policy.rules.all().first();
        let providers = rule.map(|it| it.require.providers()).unwrap_or_default();
        match providers.first() {
            Some(Provider::SignedUrl(links)) => Ok(links),
            _ => Err(CliError::Usage(
                "the provider does not have the type signed_url".to_owned(),
            )),
        }
    }
}

impl Args {
    /// The one provider. `more` are fields that other options of the command set; they are for
    /// a provider that is not of a policy.
    pub fn links(&self, more: &[(&str, Option<String>)]) -> Result<Links, CliError> {
        self.of(more, Wanted::One)
    }

    /// As [`Args::links`], but all providers of signed URLs that the policy has, unless one is
    /// named.
    pub fn all_links(&self, more: &[(&str, Option<String>)]) -> Result<Links, CliError> {
        self.of(more, Wanted::All)
    }

    fn of(&self, more: &[(&str, Option<String>)], wanted: Wanted) -> Result<Links, CliError> {
        match &self.policy {
            Some(file) => {
                let fields = more.iter().find(|(_, value)| value.is_some());
                if let Some((name, _)) = fields {
                    return Err(CliError::Usage(format!(
                        "{name} is set by the policy: do not give an option for it"
                    )));
                }
                self.of_policy(file, &policy_text::json(file)?, wanted)
            }
            None => self.of_options(more),
        }
    }

    /// What to say if the links of the format contain the id of their secret, and no id was given.
    pub fn lacks_key_id(&self) -> Option<String> {
        let is_without = self.key_id.is_none();
        let format = self.format().filter(|it| is_without && has_key_id(it))?;
        Some(format!(
            "links of the format {format} contain the id of their secret: give it with --key-id, \
             as in the ring of the policy"
        ))
    }

    /// The name of the format, unless a policy says it.
    pub fn format(&self) -> Option<&str> {
        match self.policy {
            Some(_) => None,
            None => Some(self.format.as_deref().unwrap_or(DEFAULT_FORMAT)),
        }
    }

    fn of_policy(&self, file: &Path, text: &[u8], wanted: Wanted) -> Result<Links, CliError> {
        let usage = |message: String| CliError::Usage(message);
        if self.source.is_given() {
            return Err(usage(
                "with --policy, secrets come from the environment: do not give another one"
                    .to_owned(),
            ));
        }
        let written: Value = serde_json::from_slice(text).map_err(|error| {
            let error = unreadable(&error);
            let why = misread(text).map_or(error.as_str(), |it| it);
            usage(format!("{} is not a policy: {why}", file.display()))
        })?;
        let all = written["providers"].as_object().into_iter().flatten();
        let all: Vec<_> = all.filter(|(_, it)| it["type"] == "signed_url").collect();
        let links: Vec<_> = all
            .iter()
            .filter(|(name, _)| self.provider.as_ref().is_none_or(|it| it == *name))
            .copied()
            .collect();
        if links.is_empty() || (wanted == Wanted::One && links.len() > 1) {
            return Err(usage(no_provider(
                self.provider.as_deref(),
                &written,
                &links,
            )));
        }
        // Of several providers, this machine may have the secrets of one.
        let stand_ins = StandIns::of(text);
        let variables = |name: &str| match links.len() {
            1 => environment(name),
            _ => environment(name).or_else(|| stand_ins.get(name)),
        };
        let mut providers = Vec::new();
        for (name, provider) in &links {
            let generated = alone(&written["secrets"], provider);
            let policy = Policy::parse(generated.to_string().as_bytes(), &variables)
                .map_err(|problems| usage(told(&problems)))?;
            providers.push(Alone {
                name: (all.len() > 1).then(|| name.to_string()),
                policy,
                others: OtherEncoding::all(&generated, &variables),
            });
        }
        Ok(Links {
            providers,
            whole: Some(PolicyFile::parse(file, text)),
            private_key: self.source.private_key()?,
        })
    }
}

/// Reads the name of an encoding.
fn encodings() -> impl clap::builder::TypedValueParser<Value = Encoding> {
    use clap::builder::TypedValueParser as _;

    let names = Encoding::ALL.map(Encoding::name);
    clap::builder::PossibleValuesParser::new(names)
        .try_map(|name: String| Encoding::parse(&name).ok_or("unknown encoding"))
}

fn key_id_help() -> String {
    let with_id: Vec<&str> = FORMATS
        .iter()
        .copied()
        .filter(|it| has_key_id(it))
        .collect();
    format!(
        "Id of the secret, as in the ring of the policy. Links of these formats contain it, so \
         that sign requires it: {}",
        with_id.join(", ")
    )
}

/// A policy with this provider alone, and the rings that it names at any depth: an exchange
/// and the salts of imgproxy name one, too.
fn alone(secrets: &Value, provider: &Value) -> Value {
    let rings: Map<String, Value> = secrets
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| mentions(provider, name))
        .map(|(name, ring)| (name.clone(), ring.clone()))
        .collect();
    json!({
        "version": 1,
        "secrets": rings,
        "key_service": { "cluster": "keys", "authority": "keys", "token_env": TOKEN },
        "providers": { "it": provider },
        "rules": [{
            "name": "all",
            "match": { "path": "/**" },
            "require": "it",
            "allow_encoded_slash": true,
            "allow_path_parameters": true
        }],
        "unmatched": "deny"
    })
}

/// Whether a value contains this text at any depth.
pub fn mentions(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text == name,
        Value::Array(items) => items.iter().any(|item| mentions(item, name)),
        Value::Object(members) => members.values().any(|member| mentions(member, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn environment(name: &str) -> Option<Vec<u8>> {
    match name {
        TOKEN => Some(b"unused".to_vec()),
        _ => std::env::var_os(name).map(OsString::into_encoded_bytes),
    }
}
