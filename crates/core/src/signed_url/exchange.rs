//! The exchange of a link for a cookie: the children of a playlist come without the token
//! of the link, and a browser adds the cookie by itself.
//!
//! The cookie holds a token of the format `keygate` that we sign. It says no more than its
//! link said: the same host and prefix, the same account, an end that is not later. It is
//! made of a link only, and never of a cookie, so that no session renews itself.

use crate::http::client::Client;
use crate::http::cookie::cookie_values;
use crate::http::edit::{Edit, Strip};
use crate::http::path::{Target, canonical};
use crate::http::query;
use crate::http::request::{Header, Request};
use crate::identity::Identity;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::signed_url::SignedUrl;
use crate::signed_url::carrier::only_token;
use crate::signed_url::facts::LinkFacts;
use crate::signed_url::format::{Covers, Format, Link};
use crate::signed_url::keygate::sign::{Place, Terms, hs256};
use crate::signed_url::keygate::{Keygate, Keys};
use crate::time::Millis;

/// Most that browsers keep of a cookie's name and value together (RFC 6265 section 6.1
/// asks for 4096 with the attributes).
const MAX_COOKIE: usize = 4000;

/// Longest `Path` that browsers heed (RFC 6265bis section 5.6).
const MAX_PATH: usize = 1024;

/// How links are exchanged for cookies.
#[derive(Debug)]
pub struct Exchange {
    /// Checks the cookie; the first secret of its ring signs.
    pub tokens: Keygate,
    /// When the secrets of that ring count.
    pub ring: KeyRing<()>,
    /// The name of the cookie.
    pub cookie: String,
    /// How long a cookie lives at most.
    pub max_session: Millis,
    /// On which requests from other sites a browser sends it.
    pub same_site: SameSite,
    /// Whether a link for one path is exchanged, too.
    pub widens: bool,
}

/// The attribute `SameSite` (RFC 6265bis section 4.1.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Also when a user follows a link from another site.
    Lax,
    /// Only from pages of the same site.
    Strict,
    /// Always: for a player that is embedded elsewhere.
    None,
}

/// Whether the link of such a request holds. A check of a format is compiled once, where
/// [`SignedUrl::check`] is: what is seldom done calls it through this.
type Holds<'h> = dyn Fn(&Request<'_>, &LinkFacts<'_>) -> bool + 'h;

impl SignedUrl {
    /// Checks the link of a request or the cookie that replaces one, and returns what else the
    /// answer must carry.
    ///
    /// A link decides alone, even if there is a cookie. The cookie is ours, not a second
    /// credential that the client chose, and a player that reloads its playlist sends both.
    ///
    /// # Errors
    /// As [`Format::verify`]; [`Reason::DuplicateCredential`] for two cookies of this name.
    pub fn check<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<(Link<'a>, Vec<Edit>), Reason> {
        let by_link = self.format.verify(request, facts);
        let by_link = by_link.map_err(|reason| self.ring.reason(reason, facts.now));
        let Some(exchange) = &self.exchange else {
            return Ok((by_link?, Vec::new()));
        };
        only_token(cookie_values(request, &exchange.cookie))?;
        match by_link {
            Err(Reason::MissingCredential) => {
                let request = without_empty(request, &self.format.parameters());
                let link = exchange.tokens.verify(&request, facts);
                let link = link.map_err(|reason| exchange.ring.reason(reason, facts.now))?;
                match self.format.permits_query(&request) {
                    true => Ok((link, Vec::new())),
                    false => Err(Reason::WrongSignature),
                }
            }
            Err(reason) => Err(reason),
            Ok(link) => {
                let holds = |request: &Request<'_>, facts: &LinkFacts<'_>| {
                    self.format.verify(request, facts).is_ok()
                };
                let cookie = exchange.cookie_for(&link, &holds, request, facts);
                let edits = cookie.map(edits).unwrap_or_default();
                Ok((link, edits))
            }
        }
    }

    /// As [`Format::explain`], also for a cookie that replaces a link.
    #[cfg(feature = "tools")]
    pub fn explain(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
        let mut lines = self.format.explain(request, facts);
        if let Some(exchange) = &self.exchange
            && cookie_values(request, &exchange.cookie).next().is_some()
        {
            let name = &exchange.cookie;
            lines.push(format!(
                "the cookie {name}, for which a link was exchanged:"
            ));
            lines.extend(exchange.tokens.explain(request, facts));
        }
        lines
    }
}

/// The request without its query, if that is nothing but empty parameters of links: these are
/// no credential, and the upstream receives none of them.
fn without_empty<'a>(request: &Request<'a>, names: &[&str]) -> Request<'a> {
    let target = request.target;
    let is_empty = target
        .query
        .is_some_and(|it| query::has_only_empty(it, names));
    match is_empty {
        false => *request,
        true => Request {
            target: Target {
                whole: target.path,
                query: None,
                ..target
            },
            ..*request
        },
    }
}

/// What some shared caches heed in place of `cache-control`: RFC 9213, Edge Architecture
/// Specification, nginx, and the names of vendors after RFC 9213 section 3.1.
const FOR_CACHES_ALONE: [&str; 7] = [
    "cdn-cache-control",
    "surrogate-control",
    "x-accel-expires",
    "akamai-cache-control",
    "cloudflare-cdn-cache-control",
    "netlify-cdn-cache-control",
    "vercel-cdn-cache-control",
];

/// No shared cache may give the cookie to another client.
fn edits(cookie: String) -> Vec<Edit> {
    let for_caches = FOR_CACHES_ALONE.iter();
    let mut edits: Vec<Edit> = for_caches.map(|&name| Edit::Remove(name.into())).collect();
    edits.extend([
        Edit::Add("set-cookie".into(), cookie.into_bytes().into()),
        Edit::set("cache-control", "private, no-cache"),
    ]);
    edits
}

impl Exchange {
    /// The value of `set-cookie` for a link that holds; `None` when it is not exchanged.
    fn cookie_for(
        &self,
        link: &Link<'_>,
        holds: &Holds<'_>,
        request: &Request<'_>,
        facts: &LinkFacts<'_>,
    ) -> Option<String> {
        // The cookie is for GET and HEAD, and for more than once; so must the link be.
        if !["GET", "HEAD"].contains(&request.method) || link.once.is_some() {
            return None;
        }
        let prefix = self.prefix(link.covers, request.target.path)?;
        let account = match &link.identity {
            None => None,
            Some(identity) => Some(only_account(identity)?),
        };
        if !holds_for_anyone(link, holds, request, facts) {
            return None;
        }
        // A link for a prefix whose query is signed opens its children with that query only.
        let is_widened = matches!(link.covers, Covers::Path);
        let any_query = is_widened || holds_with_another_query(holds, request, facts);
        if !any_query && has_query(link, request) {
            return None;
        }
        let latest = facts.now.plus(self.max_session);
        let end = link.expires.map_or(latest, |it| it.min(latest));
        let age = end.0.saturating_sub(facts.now.0) / 1000;
        let canonical = canonical(prefix);
        let terms = Terms {
            expires_secs: end.as_secs(),
            prefix: Some(&canonical),
            any_query,
            account,
            ..Terms::default()
        };
        let place = Place {
            host: request.signed_authority(),
            path: request.target.path,
            query: None,
        };
        let Keys::Hs256(ring) = &self.tokens.keys else {
            return None;
        };
        let entry = ring.current(facts.now).next()?;
        let token = hs256(&terms, &place, &entry.with(entry.key.mac())).ok()?;
        let path = attribute(prefix);
        let name = &self.cookie;
        let fits = name.len().saturating_add(token.len()) <= MAX_COOKIE && path.len() <= MAX_PATH;
        if age == 0 || !fits {
            return None;
        }
        let same_site = self.same_site.name();
        Some(format!(
            "{name}={token}; Path={path}; Max-Age={age}; HttpOnly; Secure; SameSite={same_site}"
        ))
    }

    /// The prefix that the cookie opens, as the path of the request spells it: a browser
    /// compares bytes.
    fn prefix<'a>(&self, covers: Covers<'_>, path: &'a str) -> Option<&'a str> {
        let prefix = match covers {
            Covers::Prefix(prefix) => {
                let depth = prefix.matches('/').count();
                let segments = path.split_inclusive('/').take(depth);
                let length = segments.fold(0_usize, |sum, it| sum.saturating_add(it.len()));
                let spelled = path.get(..length)?;
                (canonical(spelled) == canonical(prefix)).then_some(spelled)?
            }
            Covers::Path if self.widens => {
                let end = path.rfind('/')?;
                let directory = path.get(..=end)?;
                // A link for one file is not meant for everything.
                (directory != "/").then_some(directory)?
            }
            Covers::Path => return None,
        };
        prefix.ends_with('/').then_some(prefix)
    }
}

impl SameSite {
    fn name(self) -> &'static str {
        match self {
            Self::Lax => "Lax",
            Self::Strict => "Strict",
            Self::None => "None",
        }
    }
}

/// The account, where nothing else is known: a cookie says no more.
fn only_account(identity: &Identity) -> Option<&str> {
    let account = &identity.account;
    let plain = Identity {
        account: account.clone(),
        ..Identity::default()
    };
    (plain == *identity).then_some(account)
}

/// Whether the link also holds from nowhere and without any header but the token: one that
/// is bound to an address, a header or a cookie must not become a cookie that is not.
fn holds_for_anyone(
    link: &Link<'_>,
    holds: &Holds<'_>,
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
) -> bool {
    let is_token = |name: &[u8]| {
        let mut strips = link.strips.iter();
        strips.any(|it| matches!(it, Strip::Header(token) if token.as_bytes() == name))
    };
    let mut cookies: Vec<u8> = Vec::new();
    for strip in &link.strips {
        if let Strip::Cookie(name) = strip {
            for value in cookie_values(request, name) {
                cookies.extend([name.as_bytes(), b"=", value, b"; "].concat());
            }
        }
    }
    let kept = request.headers.iter();
    let mut headers: Vec<Header> = kept
        .filter(|(name, _)| name.starts_with(b":") || is_token(name))
        .cloned()
        .collect();
    if !cookies.is_empty() {
        headers.push(("cookie".into(), cookies.into()));
    }
    let bare = Request {
        headers: &headers,
        ..*request
    };
    let facts = LinkFacts {
        client: Client::Known(None),
        ..*facts
    };
    holds(&bare, &facts)
}

/// Whether the link also holds with a parameter more than it came with.
fn holds_with_another_query(
    holds: &Holds<'_>,
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
) -> bool {
    let path = request.target.path;
    let query = request.target.query.map(|it| format!("&{it}"));
    let other = format!("{path}?keygate-exchange={}", query.unwrap_or_default());
    Target::parse(other.as_bytes()).is_ok_and(|target| {
        let other = Request { target, ..*request };
        holds(&other, facts)
    })
}

/// Whether there is a query besides the token.
fn has_query(link: &Link<'_>, request: &Request<'_>) -> bool {
    let mut whole = request.target.whole;
    let mut names = Vec::new();
    for strip in &link.strips {
        match strip {
            Strip::Target(without) => whole = without,
            Strip::Parameter(name) | Strip::KeyParameter(name) => names.push(*name),
            Strip::Segment(..) | Strip::Header(_) | Strip::Cookie(_) => {}
        }
    }
    let target = Target::parse(whole.as_bytes());
    let kept = target.map_or_else(|_| whole.to_owned(), |it| query::without(&it, &names));
    kept.split_once('?').is_some_and(|(_, it)| !it.is_empty())
}

/// A path as the attribute can say it. A `;` would end it: then it is the directory before,
/// so that a browser sends the cookie to more than it opens.
fn attribute(prefix: &str) -> &str {
    let Some((before, _)) = prefix.split_once(';') else {
        return prefix;
    };
    let end = before.rfind('/').map_or(0, |it| it.saturating_add(1));
    before.get(..end).unwrap_or("/")
}
