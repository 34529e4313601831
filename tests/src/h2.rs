//! One request over HTTP/2 without TLS, frame by frame: a client library would reject what a
//! hostile client sends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The status of the answer to a request without a body; `None` when the peer ends the stream or
/// the connection without one.
///
/// # Panics
/// When the peer is not there or does not answer.
#[must_use]
pub fn status(port: u16, method: &str, authority: &str, path: &str) -> Option<u16> {
    request(method, authority, path).status(port)
}

/// A request to be sent as it is.
#[derive(Clone)]
pub struct Request {
    /// Blocks of headers and pieces of the body, in their order.
    parts: Vec<(u8, Vec<u8>)>,
}

/// A request with these pseudo-headers.
#[must_use]
pub fn request(method: &str, authority: &str, path: &str) -> Request {
    of_headers(&[
        (b":method", method.as_bytes()),
        (b":scheme", b"http"),
        (b":authority", authority.as_bytes()),
        (b":path", path.as_bytes()),
    ])
}

/// A request with these headers and no others, pseudo-headers first.
#[must_use]
pub fn of_headers(headers: &[(&[u8], &[u8])]) -> Request {
    let headers = headers.iter().fold(Vec::new(), |mut block, header| {
        field(&mut block, header.0, header.1);
        block
    });
    Request {
        parts: vec![(HEADERS, headers)],
    }
}

impl Request {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        if let Some((_, block)) = self.parts.first_mut() {
            field(block, name.as_ref(), value.as_ref());
        }
        self
    }

    /// Adds a block of trailers, of one.
    #[must_use]
    pub fn trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        let mut block = Vec::new();
        field(&mut block, name.as_ref(), value.as_ref());
        self.parts.push((HEADERS, block));
        self
    }

    /// Adds a piece of the body, in a frame of its own. No length is declared.
    #[must_use]
    pub fn body(mut self, piece: impl AsRef<[u8]>) -> Self {
        self.parts.push((DATA, piece.as_ref().to_vec()));
        self
    }

    /// Sends it on a connection of its own; the status of the answer as in [`status`].
    ///
    /// # Panics
    /// When the peer is not there or does not answer.
    #[must_use]
    pub fn status(&self, port: u16) -> Option<u16> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the peer listens");
        let patience = Some(Duration::from_secs(10));
        stream.set_read_timeout(patience).expect("a socket");
        let mut bytes = PREFACE.to_vec();
        frame(&mut bytes, SETTINGS, 0, 0, &[]);
        for (at, (kind, payload)) in self.parts.iter().enumerate() {
            let of_kind = if *kind == HEADERS { END_HEADERS } else { 0 };
            let is_last = at + 1 == self.parts.len();
            let flags = of_kind | if is_last { END_STREAM } else { 0 };
            frame(&mut bytes, *kind, flags, 1, payload);
        }
        stream
            .write_all(&bytes)
            .expect("the peer takes the request");
        answer(&mut stream)
    }
}

fn answer(stream: &mut TcpStream) -> Option<u16> {
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).is_err() {
            return None;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).expect("a whole frame");
        match head[3] {
            HEADERS => return Some(status_of(&payload)),
            RESET | GO_AWAY => return None,
            _ => {}
        }
    }
}

/// A literal without indexing, with a new name (RFC 7541 section 6.2.2).
fn field(block: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    block.push(0);
    text(block, name);
    text(block, value);
}

fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("a short frame");
    bytes.extend(&length.to_be_bytes()[1..]);
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
}

/// A string without Huffman coding (RFC 7541 sections 5.1 and 5.2).
fn text(block: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).expect("below 127"));
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push(u8::try_from(length % 128 + 128).expect("a byte"));
            length /= 128;
        }
        block.push(u8::try_from(length).expect("below 128"));
    }
    block.extend(text);
}

/// The `:status` with which a block begins (RFC 7541 appendix A).
fn status_of(block: &[u8]) -> u16 {
    // The size of the dynamic table may come first.
    let mut rest = block;
    while rest.first().is_some_and(|it| it & 0xe0 == 0x20) {
        rest = &rest[1..];
    }
    let known = [200, 204, 206, 304, 400, 404, 500];
    match rest {
        [byte @ 0x88..=0x8e, ..] => known[usize::from(byte - 0x88)],
        // A literal under the name with the index 8; the length has the bit of Huffman in front.
        [0x48 | 0x18 | 0x08, length, digits @ ..] => {
            let digits = &digits[..usize::from(length & 0x7f)];
            match length & 0x80 {
                0 => std::str::from_utf8(digits)
                    .ok()
                    .and_then(|it| it.parse().ok()),
                _ => Some(huffman_digits(digits)),
            }
            .expect("a status of digits")
        }
        _ => panic!("no status in {block:02x?}"),
    }
}

/// Three digits in Huffman coding (RFC 7541 appendix B): `0` to `2` have five bits, the others
/// six.
fn huffman_digits(bytes: &[u8]) -> u16 {
    let bits = bytes
        .iter()
        .fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
    let mut left = 8 * bytes.len();
    let mut status = 0;
    for _ in 0..3 {
        let five = bits >> (left - 5) & 0x1f;
        let digit = if five < 3 {
            left -= 5;
            five
        } else {
            left -= 6;
            (bits >> left & 0x3f) - 0x19 + 3
        };
        status = status * 10 + u16::try_from(digit).expect("a digit");
    }
    status
}
