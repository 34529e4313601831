//! An answer, parsed from bytes that may not be all there yet.

use std::io::{self, ErrorKind};
use std::time::Duration;

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// Like 200.
    pub status: u16,
    /// Names in lower case; values as they came.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Without the chunks' framing.
    pub body: Vec<u8>,
    /// From after the request was sent to the end of the answer.
    pub took: Duration,
}

impl Response {
    /// The first value of a header, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(n, _)| n == name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none, with the body.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }
}

/// An answer and its length, once it is whole. `closed`: nothing more will come.
pub(super) fn parse(
    bytes: &[u8],
    to_head: bool,
    closed: bool,
) -> io::Result<Option<(Response, usize)>> {
    let bad = |error: &dyn std::fmt::Display| {
        io::Error::new(ErrorKind::InvalidData, format!("not HTTP: {error}"))
    };
    let mut space = [httparse::EMPTY_HEADER; 256];
    let mut head = httparse::Response::new(&mut space);
    let httparse::Status::Complete(start) = head.parse(bytes).map_err(|error| bad(&error))? else {
        return Ok(None);
    };
    let headers: Vec<_> = head
        .headers
        .iter()
        .map(|header| (header.name.to_ascii_lowercase(), header.value.to_vec()))
        .collect();
    let status = head.code.unwrap_or_default();
    let value = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| &v[..]);
    let rest = &bytes[start..];
    let body = if to_head || status < 200 || matches!(status, 204 | 304) {
        Some((Vec::new(), 0))
    } else if value("transfer-encoding").is_some() {
        unchunk(rest).map_err(|error| bad(&error))?
    } else if let Some(length) = value("content-length") {
        let length = std::str::from_utf8(length)
            .ok()
            .and_then(|text| text.parse().ok());
        let length: usize = length.ok_or_else(|| bad(&"content-length is no number"))?;
        rest.get(..length).map(|body| (body.to_vec(), length))
    } else {
        closed.then(|| (rest.to_vec(), rest.len()))
    };
    Ok(body.map(|(body, length)| {
        (
            Response {
                status,
                headers,
                body,
                took: Duration::ZERO,
            },
            start + length,
        )
    }))
}

/// A chunked body and its length on the wire, once it is whole.
pub(crate) fn unchunk(
    bytes: &[u8],
) -> Result<Option<(Vec<u8>, usize)>, httparse::InvalidChunkSize> {
    let mut body = Vec::new();
    let mut at = 0;
    while let httparse::Status::Complete((head, size)) = httparse::parse_chunk_size(&bytes[at..])? {
        let start = at + head;
        if size == 0 {
            return Ok(end_of_trailers(&bytes[start..]).map(|length| (body, start + length)));
        }
        let end = usize::try_from(size)
            .ok()
            .and_then(|size| start.checked_add(size));
        let Some(chunk) = end.and_then(|end| bytes.get(start..end)) else {
            return Ok(None);
        };
        body.extend_from_slice(chunk);
        at = start + chunk.len() + "\r\n".len();
        if at > bytes.len() {
            return Ok(None);
        }
    }
    Ok(None)
}

/// The length of the trailers with the empty line that ends them.
fn end_of_trailers(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(b"\r\n") {
        return Some(2);
    }
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(end + 4)
}
