//! What was found of a link, and what was signed when it does not hold.
//!
//! What a signer may have signed instead is tried with each key of the ring: the explanation
//! contains nothing that an owner of the ring could not find out, and no MAC.

use super::fields::Fields;
use super::text::Subject;
use super::verify::subject;
use super::{Keygate, Keys};
use crate::http::path::decode;
use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::signed_url::carrier;
use crate::signed_url::facts::LinkFacts;
use crate::signed_url::format::Format as _;
use crate::signed_url::parts::rings::ring;
use crate::signed_url::parts::told::named;

/// The steps of the check, without its result.
pub(super) fn lines(links: &Keygate, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
    let algorithm = links.keys.algorithm();
    let mut steps = vec![match &links.keys {
        Keys::Hs256(keys) => ring(keys, facts.now),
        Keys::EdDsa(keys) => ring(keys, facts.now),
    }];
    let found = match carrier::find(&links.carriers, request) {
        Ok(found) => found,
        Err(reason) => {
            let places = links.carriers.iter().map(named);
            let places = places.collect::<Vec<_>>().join(", ");
            steps.push(format!("token: {} (looked in: {places})", reason.code()));
            return steps;
        }
    };
    steps.push(format!("token: in {}", named(found.carrier)));
    let Ok(token) = links.decode(&found) else {
        let bytes = algorithm.signature_length();
        steps.push(format!(
            "the token is not kg1.FIELDS.SIGNATURE in canonical base64url, with a signature of \
             {bytes} bytes ({})",
            algorithm.name()
        ));
        return steps;
    };
    let fields = match Fields::parse(&token.fields) {
        Ok(fields) => fields,
        Err(error) => {
            steps.push(error.to_string());
            return steps;
        }
    };
    steps.extend(said(&fields));
    match (
        links.verify(request, facts),
        subject(request, &fields, found.carrier),
    ) {
        (Err(_), Err(Reason::DuplicateCredential)) => {
            steps.push("what differs: a signed header or cookie is duplicate".to_owned());
        }
        (Err(_), Err(_)) => {
            steps.push("what differs: a signed header or cookie is missing".to_owned());
        }
        (Err(reason), Ok(subject)) => {
            let near = Near {
                links,
                fields: &fields,
                signature: token.signature(),
                facts,
            };
            steps.extend(near.differences(request, &subject, reason));
        }
        (Ok(_), _) => {}
    }
    steps
}

/// What the token says, a line each.
fn said(fields: &Fields<'_>) -> Vec<String> {
    let mut said = vec![format!("it names the key \"{}\"", fields.key_id)];
    let begin = fields.not_before.map(|it| format!("from {it} "));
    said.push(format!(
        "it is valid {}until {}",
        begin.unwrap_or_default(),
        fields.expires
    ));
    let method = fields.method.unwrap_or("GET (and HEAD)");
    said.push(format!("it is for the method {method}"));
    let scope = fields
        .prefix
        .map(|it| format!("it covers everything below {it}"));
    said.extend(scope);
    for (letter, what) in [
        ('g', "it covers paths that match"),
        ('i', "it does not sign the parameter"),
        ('a', "it is for clients in"),
        ('r', "it signs the header"),
        ('c', "it signs the cookie"),
    ] {
        said.extend(fields.values(letter).map(|it| format!("{what} {it}")));
    }
    for (is_so, what) in [(fields.any_host, "host"), (fields.any_query, "query")] {
        said.extend(is_so.then(|| format!("it is for any {what}")));
    }
    said.extend(fields.account.map(|it| format!("its account is {it}")));
    said.extend(fields.once.map(|_| "it works once".to_owned()));
    said
}

/// A link that does not hold, and what it would have held with.
struct Near<'a> {
    links: &'a Keygate,
    fields: &'a Fields<'a>,
    signature: &'a [u8],
    facts: &'a LinkFacts<'a>,
}

impl Near<'_> {
    fn differences(
        &self,
        request: &Request<'_>,
        subject: &Subject<'_>,
        reason: Reason,
    ) -> Vec<String> {
        if let Some(id) = self.signer(subject) {
            return self.bounds(&id, request, reason);
        }
        let tried = Subject {
            keeps_case: true,
            ..subject.clone()
        };
        if let Some(id) = self.signer(&tried) {
            return vec![
                format!("it was signed with the key \"{id}\""),
                "what differs: the host: it must be signed in lower case".to_owned(),
            ];
        }
        for (what, host, path, query) in spellings(subject) {
            let tried = Subject {
                host: &host,
                path: &path,
                query: query.as_deref(),
                ..subject.clone()
            };
            if let Some(id) = self.signer(&tried) {
                return vec![
                    format!("it was signed with the key \"{id}\""),
                    format!("what differs: {what}"),
                ];
            }
        }
        let what = match self.links.keys {
            Keys::Hs256(_) => "secret",
            Keys::EdDsa(_) => "key",
        };
        vec![format!(
            "cannot tell what was signed: another host, path, query, header, cookie or {what}"
        )]
    }

    /// With a right signature: what else does not fit.
    fn bounds(&self, id: &str, request: &Request<'_>, reason: Reason) -> Vec<String> {
        let mut told = vec![format!("it was signed with the key \"{id}\"")];
        let mut differs = |what: String| told.push(format!("what differs: {what}"));
        if id != self.fields.key_id {
            differs(format!(
                "the secret is right, but the link names \"{}\", and here its id is \"{id}\"",
                self.fields.key_id
            ));
        } else if !self.links.keys.counts(id, self.facts.now) {
            differs(format!(
                "the key \"{id}\" is not valid at this time (not_before, not_after)"
            ));
        }
        match reason {
            Reason::Expired | Reason::NotYetValid => differs("the time".to_owned()),
            Reason::LifetimeTooLong => {
                differs("it expires later than max_lifetime allows".to_owned());
            }
            Reason::AddressNotAllowed => differs(match self.facts.client.address() {
                Some(client) => format!("the client's address {client}"),
                None => "the client's address is not known".to_owned(),
            }),
            _ => {}
        }
        let method = self.fields.method.unwrap_or("GET");
        let is_head = method == "GET" && request.method == "HEAD";
        if request.method != method && !is_head {
            differs(format!("the method {}", request.method));
        }
        for name in self.fields.values('i') {
            if !self.links.query_ignore.iter().any(|it| it.0 == name) {
                differs(format!("{name} is not in query_ignore"));
            }
        }
        let path = request.target.path;
        let mut globs = self.fields.values('g');
        let is_outside = match self.fields.prefix {
            Some(prefix) => super::covers::prefix(prefix, path).is_none(),
            None => self.fields.has('g') && !globs.any(|it| super::covers::glob(it, path)),
        };
        if is_outside {
            differs("the link does not cover this path".to_owned());
        }
        if self.links.query_allow.is_some() && reason == Reason::WrongSignature {
            differs("perhaps a parameter that query_allow does not list".to_owned());
        }
        told
    }

    /// The key of the ring, whether it counts or not, that signed this.
    fn signer(&self, subject: &Subject<'_>) -> Option<String> {
        let keys: Vec<(String, Keys)> = match &self.links.keys {
            Keys::Hs256(ring) => alone(ring, Keys::Hs256),
            Keys::EdDsa(ring) => alone(ring, Keys::EdDsa),
        };
        let signed = |it: &Keys| it.any_signed(self.fields, subject, self.signature);
        keys.into_iter()
            .find(|(_, it)| signed(it))
            .map(|(id, _)| id)
    }
}

/// Each entry of a ring in a ring of its own, with its id.
fn alone<K: Clone>(ring: &KeyRing<K>, keys: fn(KeyRing<K>) -> Keys) -> Vec<(String, Keys)> {
    let entries = ring.0.iter();
    entries
        .map(|it| (it.id.clone(), keys(KeyRing(vec![it.clone()]))))
        .collect()
}

/// What a signer may have signed in place of the request: what differs, host, path, query.
fn spellings(subject: &Subject<'_>) -> Vec<(String, String, String, Option<String>)> {
    let (host, path) = (subject.host.to_owned(), subject.path.to_owned());
    let query = subject.query.map(str::to_owned);
    let mut all = Vec::new();
    let mut add = |what: &str, host: &str, path: &str, query: Option<&str>| {
        let query = query.map(str::to_owned);
        all.push((what.to_owned(), host.to_owned(), path.to_owned(), query));
    };
    let q = query.as_deref();
    for port in [":80", ":443"] {
        add("the port of the host", &format!("{host}{port}"), &path, q);
    }
    if let Some((bare, _)) = host.rsplit_once(':') {
        add("the port of the host", bare, &path, q);
    }
    if let Some(bare) = host.strip_prefix("www.") {
        add("the host: it was signed without www.", bare, &path, q);
    }
    add(
        "the host: it was signed with www.",
        &format!("www.{host}"),
        &path,
        q,
    );
    add(
        "the query: the link was signed without one",
        &host,
        &path,
        None,
    );
    let token = subject.token_parameter.map(|name| format!("{name}="));
    let mut parameters: Vec<&str> = q
        .unwrap_or_default()
        .split('&')
        .filter(|it| token.as_ref().is_none_or(|token| !it.starts_with(token)))
        .collect();
    for without in &parameters {
        let rest: Vec<&str> = parameters
            .iter()
            .filter(|it| *it != without)
            .copied()
            .collect();
        let name = super::text::name_of(without);
        add(
            &format!("the query: it was signed without {name}"),
            &host,
            &path,
            Some(&rest.join("&")),
        );
    }
    parameters.sort_unstable();
    add(
        "the order of the query",
        &host,
        &path,
        Some(&parameters.join("&")),
    );
    match path.strip_suffix('/') {
        Some(bare) => add("the slash at the end of the path", &host, bare, q),
        None => add(
            "the slash at the end of the path",
            &host,
            &format!("{path}/"),
            q,
        ),
    }
    if let Ok(decoded) = decode(&path)
        && let Ok(decoded) = std::str::from_utf8(&decoded)
    {
        add("the path: it was signed decoded", &host, decoded, q);
    }
    if let Some(at) = path.rfind('/') {
        let directory = path.get(..=at).unwrap_or_default();
        add("the path: its directory was signed", &host, directory, q);
    }
    all
}
