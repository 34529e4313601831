//! From the text of a configuration to a [`Policy`]: everything that can be wrong is
//! found here, and named by the path of its field.
//!
//! Its maps are those of `litemap`: with `BTreeMap` of std in its place everywhere, the module has
//! 68 kB more (5 %), and an Envoy starts that much later.

mod assertion;
mod brand;
mod challenge;
mod identity;
mod key_service;
mod metrics;
mod provider;
mod read;
mod response;
mod rings;
mod rule;
#[cfg(feature = "schema")]
mod schema;
mod sealed;
mod session;
mod signed_url;
mod written;

#[cfg(feature = "tools")]
use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

#[cfg(feature = "schema")]
pub use schema::schema;
pub use signed_url::FORMATS;
#[cfg(feature = "tools")]
pub use signed_url::{GROUPS, has_key_id};

use litemap::LiteMap;

use crate::answer::brand::Brand;
use crate::answer::{Authenticate, Page, Template};
use crate::decision::carriers::Carriers;
use crate::decision::challenge::Page as ChallengePage;
use crate::decision::index::Rules;
use crate::decision::policy::{Policy, Unmatched};
use crate::decision::problem::{Problem, Wrong};
use crate::decision::provider::Provider;
use crate::decision::rule::Rule;
use crate::http::path_token::PARAMETER;
use crate::identity::RateLimit;
use crate::keys::KeyService;
use crate::keys::failure_limit::FailureLimit;
use crate::keys::wire::Want;
use crate::secret::memo::Memo;
use crate::secret::{KeyRing, Secret};
use crate::signed_url::SignedUrl;
use crate::signed_url::crypto::public_key::{PublicKey, Seen};
use crate::time::{Millis, UnixMillis};

/// Reads environment variables on behalf of the configuration.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

impl Policy {
    /// Reads a configuration of version 1: JSON text.
    ///
    /// # Errors
    /// Every problem that can be found; at least one. No message holds a secret.
    pub fn parse(text: &[u8], environment: Environment<'_>) -> Result<Self, Vec<Problem>> {
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(vec![problem(
                "",
                "is not a JSON object. In Envoy's configuration, pass it as \
                 google.protobuf.StringValue: a Struct does not arrive as JSON",
            )]);
        }
        let text = std::str::from_utf8(text).map_err(|_| vec![problem("", "is not UTF-8")])?;
        read::check_syntax(text).map_err(|it| vec![it])?;
        let written = read::read("", text).map_err(|it| vec![it])?;
        let mut compiler = Compiler::new(text.as_bytes(), environment);
        let policy = compiler.policy(&written);
        match policy {
            Some(policy) if compiler.problems.is_empty() => Ok(policy),
            _ => Err(compiler.problems),
        }
    }
}

fn problem(path: &str, message: &str) -> Problem {
    problem_of(path, Wrong::Text(message.to_owned()))
}

fn problem_of(path: &str, wrong: Wrong) -> Problem {
    Problem {
        path: path.to_owned(),
        wrong,
        place: None,
    }
}

/// What verifies.
#[derive(Clone, Debug)]
enum Material {
    Secret(Secret),
    Public(Box<PublicKey>),
}

/// Turns the written into the used, and collects what is wrong on the way.
struct Compiler<'a> {
    text: &'a [u8],
    environment: Environment<'a>,
    secrets: LiteMap<String, KeyRing<Material>>,
    /// Signatures that held, over all providers.
    seen: Rc<Seen>,
    /// MACs that held, over all providers.
    held: Rc<Memo<()>>,
    /// `None` for an invalid one: that is reported once, not again at each use of its name.
    providers: LiteMap<String, Option<Rc<Provider>>>,
    responses: LiteMap<String, Rc<Template>>,
    /// What a rejected person sees where no response says otherwise.
    page: Rc<Page>,
    /// What a browser shows while it computes.
    challenge_page: Rc<ChallengePage>,
    /// What the links of each ring in Cloudflare's format cover, and whether their stamp is
    /// their end.
    link_scopes: LiteMap<String, signed_url::LinkScope>,
    /// The ring of every use, in the order of uses.
    used_rings: Vec<String>,
    /// The names of path segments that carry tokens, of all providers.
    path_tokens: Rc<[String]>,
    /// The carriers of the credentials of all providers.
    carriers: Carriers,
    /// Path and ring of every exchange of links.
    exchanges: Vec<(String, String)>,
    realm: String,
    /// What a rule allows that does not say.
    allow_encoded_slash: bool,
    allow_path_parameters: bool,
    /// Whether a rule lets keys pass that cannot be looked up.
    allows_outage: bool,
    problems: Vec<Problem>,
    /// Valid settings that are probably mistakes.
    warnings: Vec<Problem>,
}

impl<'a> Compiler<'a> {
    fn new(text: &'a [u8], environment: Environment<'a>) -> Self {
        Self {
            text,
            environment,
            secrets: LiteMap::new(),
            seen: Rc::default(),
            held: Rc::default(),
            providers: LiteMap::new(),
            responses: LiteMap::new(),
            page: Page::new(&Brand::default()).into(),
            challenge_page: ChallengePage::new(&Brand::default()).into(),
            link_scopes: LiteMap::new(),
            used_rings: Vec::new(),
            path_tokens: Rc::default(),
            carriers: Carriers::default(),
            exchanges: Vec::new(),
            realm: Authenticate::default().realm,
            allow_encoded_slash: false,
            allow_path_parameters: false,
            allows_outage: false,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn wrong(&mut self, path: &str, message: impl fmt::Display) {
        self.wrong_in(path, "", message);
    }

    /// Notes a problem in a member of the value at `path`.
    fn wrong_in(&mut self, path: &str, field: &str, message: impl fmt::Display) {
        self.note(path, field, &message);
    }

    // Apart, and once: there are hundreds of calls.
    #[cold]
    #[inline(never)]
    fn note(&mut self, path: &str, field: &str, message: &dyn fmt::Display) {
        let path = match field {
            "" => path.to_owned(),
            field => member(path, field),
        };
        self.wrong_as(&path, Wrong::Text(message.to_string()));
    }

    /// Notes what a tool may say in other words.
    #[cold]
    #[inline(never)]
    fn wrong_as(&mut self, path: &str, wrong: Wrong) {
        self.problems.push(problem_of(path, wrong));
    }

    /// Keeps the value, or notes under `path` why there is none.
    fn checked<T, E: fmt::Display>(&mut self, path: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.wrong(path, error)).ok()
    }

    fn policy(&mut self, written: &written::Policy<'_>) -> Option<Policy> {
        if written.version != 1 {
            self.wrong("version", "must be 1");
        }
        for (name, ring) in &written.secrets.0.0 {
            self.ring(name, ring);
        }
        let key_service = written
            .key_service
            .as_ref()
            .and_then(|it| self.key_service(it));
        let signature_limit = self.failure_limit(
            "signature_limit",
            &written.signature_limit,
            FailureLimit::CHECKS,
        );
        let account_rate_limit = written.account_rate_limit.as_deref();
        let account_rate_limit = account_rate_limit.map(RateLimit::parse).transpose();
        let account_rate_limit = self.checked("account_rate_limit", account_rate_limit);
        for (name, provider) in &written.providers.0 {
            self.provider(name, provider, written.key_service.is_some());
        }
        self.path_tokens = self.find_path_tokens();
        self.carriers = Carriers::of(self.providers.values().flatten());
        let brand = self.brand(&written.brand);
        self.page = Page::new(&brand).into();
        self.challenge_page = ChallengePage::new(&brand).into();
        for (name, response) in &written.responses.0 {
            self.response(name, response);
        }
        let mut names = LiteMap::new();
        self.realm(written.realm.as_deref());
        self.allow_encoded_slash = written.allow_encoded_slash;
        self.allow_path_parameters = written.allow_path_parameters;
        let mut rules: Vec<Rule> = Vec::new();
        for (index, rule) in written.rules.iter().enumerate() {
            let rule = self.rule(&format!("rules[{index}]"), rule, &mut names, &rules);
            rules.extend(rule);
        }
        self.metrics_by_rule(written);
        let identity = self.identity(&written.identity);
        let (mut identity, assertion) = self.assertion(&written.assertion, identity, &names);
        self.exchange_rings();
        let exchanges = self.links().filter_map(|it| it.exchange.as_ref());
        let exchanges = exchanges.map(|it| it.cookie.as_str());
        let cookies = exchanges.chain(rules.iter().filter_map(Rule::clearance_cookie));
        identity.own_cookies = cookies.map(str::to_owned).collect();
        identity.own_cookies.sort_unstable();
        identity.own_cookies.dedup();
        identity.reads_method = rules.iter().any(Rule::reads_method);
        let sealed_headers = self.sealed_headers(&rules, &identity);
        let want = sealed_headers.first().map(|_| Want::Sealed);
        Some(Policy {
            path_tokens: Rc::clone(&self.path_tokens),
            carriers: std::mem::take(&mut self.carriers),
            rules: Rules::new(rules),
            page: Rc::clone(&self.page),
            unmatched: match written.unmatched {
                written::Unmatched::Deny => Unmatched::Deny,
                written::Unmatched::Allow => Unmatched::Allow,
            },
            key_service: key_service.map(|service| KeyService {
                allows_outage: self.allows_outage,
                want: want.into_iter().collect(),
                ..service
            }),
            allow_encoded_slash: written.allow_encoded_slash,
            allow_path_parameters: written.allow_path_parameters,
            identity,
            assertion,
            sealed_headers,
            #[cfg(feature = "tools")]
            link_remarks: self.link_remarks(),
            warnings: std::mem::take(&mut self.warnings),
            signature_limit,
            metrics_by_rule: written.metrics_by_rule,
            account_rate_limit: account_rate_limit.flatten(),
        })
        .filter(|_| self.problems.is_empty())
    }

    fn links(&self) -> impl Iterator<Item = &SignedUrl> {
        let providers = self.providers.values().flatten();
        providers.filter_map(|it| match it.as_ref() {
            Provider::SignedUrl(links) => Some(links),
            Provider::AppKey(_) | Provider::Session(_) => None,
        })
    }

    #[cfg(feature = "tools")]
    fn link_remarks(&self) -> Vec<(String, Cow<'static, str>)> {
        let mut remarks = Vec::new();
        for (name, provider) in &self.providers {
            if let Some(Provider::SignedUrl(links)) = provider.as_deref() {
                let of_fields = links.format.remarks().into_iter();
                remarks
                    .extend(of_fields.map(|(field, it)| (format!("providers.{name}.{field}"), it)));
            }
        }
        remarks
    }

    fn find_path_tokens(&self) -> Rc<[String]> {
        let segments = self.links().filter_map(|it| it.format.path_token());
        let parameters = self.links().filter_map(|it| it.format.path_parameter());
        let parameters = parameters.map(|it| format!("{PARAMETER}{it}"));
        segments.map(str::to_owned).chain(parameters).collect()
    }

    fn instant(&mut self, path: &str, text: Option<&str>) -> Option<UnixMillis> {
        let text = text?;
        self.checked(path, UnixMillis::parse(text))
    }

    fn span(&mut self, path: &str, text: &str) -> Option<Millis> {
        self.checked(path, Millis::parse(text))
    }

    /// A longer span is probably a mistake, and would break a documented limit.
    fn at_most(&mut self, path: &str, span: Option<Millis>, most: Millis) {
        if span.is_some_and(|span| span > most) {
            self.wrong(path, format!("must be at most {} s", most.0 / 1000));
        }
    }
}

/// The path of a member of the value at `path`.
#[inline(never)]
fn member(path: &str, field: &str) -> String {
    format!("{path}.{field}")
}

/// The path of an item of the list at `path`.
#[inline(never)]
fn item(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

const NAME: &str = "must be 1 to 64 letters, digits, \".\", \"_\" or \"-\"";

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}
