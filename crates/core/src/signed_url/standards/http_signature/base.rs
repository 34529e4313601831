//! The text that is signed (RFC 9421 section 2.5): a line for each component.

use std::borrow::Cow;

use super::fields::{Component, Input, joined};
use crate::http::path::{decode, percent_encode};
use crate::http::request::Request;
use crate::reason::Reason;

/// A request as it is signed: what a proxy may have changed on the way is given apart.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    /// The request.
    pub request: &'a Request<'a>,
    /// `https` or `http`.
    pub scheme: &'a str,
    /// Path and query, in the spelling that is tried.
    pub target: &'a str,
}

/// The signature base of this input for this request.
///
/// # Errors [`Reason::MalformedCredential`] for a component that is unknown here, and
/// [`Reason::WrongSignature`] for one that the request does not have.
pub(super) fn base(input: &Input<'_>, seen: &Seen<'_>) -> Result<String, Reason> {
    let mut base = String::new();
    // Read once: a client may list as many as fit in a header.
    let query = seen.target.split_once('?').map_or("", |(_, query)| query);
    let is_parameter = |it: &Component<'_>| it.name == "@query-param";
    let parameters = match input.components.iter().any(is_parameter) {
        true => parameters(query)?,
        false => Vec::new(),
    };
    for component in &input.components {
        let value = value(component, seen, &parameters)?;
        base.push_str(&format!("{}: {value}\n", component.text));
    }
    base.push_str(&format!("\"@signature-params\": {}", input.text));
    Ok(base)
}

fn value<'a>(
    component: &Component<'_>,
    seen: &Seen<'a>,
    parameters: &[(String, &str)],
) -> Result<Cow<'a, str>, Reason> {
    let target = seen.target;
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(path, query)| (path, Some(query)));
    Ok(match component.name {
        "@method" => Cow::Borrowed(seen.request.method),
        "@scheme" => Cow::Borrowed(seen.scheme),
        "@authority" => Cow::Owned(authority(seen)),
        "@target-uri" => Cow::Owned(format!("{}://{}{target}", seen.scheme, authority(seen))),
        "@request-target" => Cow::Borrowed(target),
        "@path" => Cow::Borrowed(path),
        "@query" => Cow::Owned(format!("?{}", query.unwrap_or_default())),
        "@query-param" => {
            let name = component.parameter.unwrap_or_default();
            Cow::Owned(parameter(parameters, name)?)
        }
        // A signature cannot cover itself, and what is not known is not skipped.
        name if name.starts_with('@') || name.starts_with("signature") => {
            return Err(Reason::MalformedCredential);
        }
        name => match joined(seen.request.values(name))? {
            Some(value) => value,
            // The proxy hands it on as the authority.
            None if name == "host" => Cow::Borrowed(seen.request.authority.as_str()),
            None => return Err(Reason::WrongSignature),
        },
    })
}

/// In lower case, without the port that goes without saying (RFC 9421 section 2.2.3).
fn authority(seen: &Seen<'_>) -> String {
    let authority = seen.request.authority;
    authority
        .without_default_port(seen.scheme)
        .to_ascii_lowercase()
}

/// The parameters of a query, sorted: their names, encoded again, and the values as sent.
type Parameters<'a> = Vec<(String, &'a str)>;

fn parameters(query: &str) -> Result<Parameters<'_>, Reason> {
    let mut all = Parameters::new();
    for pair in query.split('&') {
        let (spelled, value) = pair.split_once('=').unwrap_or((pair, ""));
        all.push((encode(spelled)?, value));
    }
    all.sort_unstable();
    Ok(all)
}

/// The value of the one parameter of this name, both encoded again (RFC 9421 section 2.2.8).
fn parameter(parameters: &[(String, &str)], name: &str) -> Result<String, Reason> {
    let first = parameters.partition_point(|it| it.0.as_str() < name);
    let mut values = parameters.iter().skip(first).take_while(|it| it.0 == name);
    let (_, value) = values.next().ok_or(Reason::WrongSignature)?;
    match values.next() {
        None => encode(value),
        Some(_) => Err(Reason::MalformedCredential),
    }
}

/// The same text in the one spelling of the URL standard's form encoding, with `%20` for a
/// blank.
fn encode(text: &str) -> Result<String, Reason> {
    let plus = text.replace('+', "%20");
    let decoded = decode(&plus).map_err(|_| Reason::MalformedCredential)?;
    let mut encoded = String::with_capacity(text.len());
    let keep = |octet: u8| octet.is_ascii_alphanumeric() || b"*-._".contains(&octet);
    percent_encode(&mut encoded, &decoded, keep);
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query_parameter(query: &str, name: &str) -> Result<String, Reason> {
        parameter(&parameters(query)?, name)
    }

    #[test]
    fn a_parameter_is_unique_and_encoded_again() {
        // RFC 9421 section 2.2.8.
        let query = "var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something";
        for (name, value) in [
            ("var", "this%20is%20a%20big%0Amultiline%20value"),
            ("bar", "with%20plus%20whitespace"),
            ("fa%C3%A7ade%22%3A%20", "something"),
        ] {
            assert_eq!(query_parameter(query, name).as_deref(), Ok(value));
        }
        assert_eq!(
            query_parameter("a=1&%61=2", "a"),
            Err(Reason::MalformedCredential)
        );
        assert_eq!(query_parameter("b=1", "a"), Err(Reason::WrongSignature));
        assert_eq!(
            query_parameter("a=%zz", "a"),
            Err(Reason::MalformedCredential)
        );
    }
}
