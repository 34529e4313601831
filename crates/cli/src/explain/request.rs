//! A request from the command line.

use std::path::Path;

use keygate_core::Header;

use crate::error::CliError;
use crate::file::read;
use crate::url;

/// All headers of a request: its pseudo-headers, and those that were given; and its URL.
pub fn headers<'r>(
    request: &'r str,
    host: &str,
    given: &[String],
) -> Result<(Vec<Header>, &'r str), CliError> {
    let mut words = request.split_ascii_whitespace();
    let (method, url) = match (words.next(), words.next(), words.next()) {
        (Some(method), Some(url), None) => (method, url),
        (Some(url), None, None) if url.contains('/') => ("GET", url),
        _ => {
            return Err(CliError::Usage(
                "--request must be a method and a path or URL, such as 'GET /media/cat.jpg': \
                 percent-encode a space in the path as %20"
                    .to_owned(),
            ));
        }
    };
    let mut headers = url::headers(method, url, host)?;
    add(&mut headers, url, given)?;
    Ok((headers, url))
}

/// Adds headers as they were given: each itself, or a file of them. `host` becomes the
/// authority, as in Envoy, unless the URL has one.
pub fn add(headers: &mut Vec<Header>, url: &str, given: &[String]) -> Result<(), CliError> {
    let mut more = Vec::new();
    for text in given {
        match text.strip_prefix('@') {
            Some(file) => {
                let text = read(Path::new(file))?;
                let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
                for line in lines.filter(|line| !line.is_empty()) {
                    more.push(header(line)?);
                }
            }
            None => more.push(header(text.as_bytes())?),
        }
    }
    let is_host = |(name, _): &mut Header| name == "host";
    let hosts: Vec<Header> = more.extract_if(.., is_host).collect();
    let (origin, _) = url::split_url(url)?;
    if origin.is_empty() && !hosts.is_empty() {
        headers.retain(|(name, _)| name != ":authority");
        // Two of them are two authorities, which the filter rejects.
        headers.extend(
            hosts
                .into_iter()
                .map(|(_, host)| (":authority".into(), host)),
        );
    }
    headers.extend(more);
    Ok(())
}

/// The text may contain a credential, so no message repeats it.
fn header(line: &[u8]) -> Result<Header, CliError> {
    let colon = line.iter().position(|&byte| byte == b':');
    let split = colon.and_then(|at| line.split_at_checked(at));
    match split {
        Some((name, value)) if !name.is_empty() && name.iter().all(u8::is_ascii_graphic) => {
            let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
            Ok((name.to_ascii_lowercase().into(), value.into()))
        }
        _ => Err(CliError::Usage(
            "a header must be a name, a colon and a value".to_owned(),
        )),
    }
}
