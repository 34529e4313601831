//! URLs on the command line: their parts, and what no client would send.

use keygate_core::Header;
use keygate_core::http::path::as_envoy_sends;

use crate::error::CliError;

/// A URL in two: what comes before the path, and the target, which is what is signed.
pub fn split_url(url: &str) -> Result<(&str, &str), CliError> {
    if url.contains(|it: char| it.is_ascii_whitespace() || it.is_ascii_control()) {
        return Err(CliError::Usage(
            "the URL contains a space or a control character: percent-encode it, a space as %20"
                .to_owned(),
        ));
    }
    let at = match url.split_once("://") {
        Some((scheme, rest)) if !url.starts_with('/') => {
            if !["http", "https"]
                .iter()
                .any(|it| scheme.eq_ignore_ascii_case(it))
            {
                return Err(CliError::Usage(
                    "the URL must start with http:// or https://".to_owned(),
                ));
            }
            let host = rest.find('/').ok_or_else(|| {
                CliError::Usage("the URL has no path: add at least a \"/\"".to_owned())
            })?;
            scheme.len() + 3 + host
        }
        _ => 0,
    };
    let (origin, target) = url.split_at(at);
    if target.starts_with('/') {
        Ok((origin, target))
    } else {
        Err(CliError::Usage(
            "the URL must start with http:// or https://, or be a path that starts with /"
                .to_owned(),
        ))
    }
}

/// What a URL contains that a client would have percent-encoded. The path may hold a credential,
/// so it is not repeated.
pub fn unencoded(url: &str) -> Option<&'static str> {
    let (_, target) = split_url(url).ok()?;
    (!target.is_ascii()).then_some(
        "the path contains characters that must be percent-encoded: percent-encode each segment, \
         such as \u{e4} as %C3%A4",
    )
}

/// Rejects what no client sends as the host of a URL. It may hold a password, so only a port is
/// repeated.
pub fn check_origin(origin: &str) -> Result<(), CliError> {
    let wrong = |message: String| Err(CliError::Usage(message));
    let Some((_, authority)) = origin.split_once("://") else {
        return Ok(());
    };
    if authority.contains('@') {
        return wrong("the URL contains a user name or a password: remove user:password@".into());
    }
    // Colons inside the brackets are those of IPv6.
    let after = authority.rsplit(']').next().unwrap_or_default();
    match after.split_once(':') {
        Some((_, port)) if port.parse::<u16>().is_err() => {
            wrong(format!("the port {port} is not valid"))
        }
        _ => Ok(()),
    }
}

/// The pseudo-headers of a request as the filter sees them: Envoy has normalised the path.
/// The scheme is HTTPS unless the URL says otherwise.
pub fn headers(method: &str, url: &str, host: &str) -> Result<Vec<Header>, CliError> {
    let (origin, target) = split_url(url)?;
    let (scheme, host) = origin.split_once("://").unwrap_or(("https", host));
    let pseudo = [
        (":method", method),
        (":scheme", scheme),
        (":authority", host),
        (":path", &as_envoy_sends(target)),
    ];
    Ok(pseudo
        .map(|(name, value)| (name.into(), value.into()))
        .into())
}
