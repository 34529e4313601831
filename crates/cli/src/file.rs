//! The files that commands read, and what is wrong with one that should be a policy.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::Path;

use crate::error::CliError;

/// The longest policy, secret, list of headers or key record that is read: far more than Envoy
/// takes, and little enough to be read at once.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// The bytes of a file, or of standard input for "-"; at most [`MAX_BYTES`].
pub fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    read_up_to(file, MAX_BYTES)
}

/// The bytes of a file, or of standard input for "-"; at most so many.
pub fn read_up_to(file: &Path, most: u64) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let mut read = |from: &mut dyn Read| from.take(most + 1).read_to_end(&mut bytes);
    let done = match file == Path::new("-") {
        true => read(&mut stdin()),
        false => File::open(file).and_then(|mut file| read(&mut file)),
    };
    let cannot = |why: &dyn std::fmt::Display| {
        CliError::Usage(format!("cannot read {}: {why}", file.display()))
    };
    match done {
        Ok(length) if length as u64 > most => {
            Err(cannot(&format!("it has more than {most} bytes")))
        }
        Ok(_) => Ok(bytes),
        Err(error) => Err(cannot(&error)),
    }
}

/// What to take out of a file that holds the policy and more.
pub fn wrapper(text: &str) -> Option<&'static str> {
    if text.contains("google.protobuf.StringValue") {
        Some(
            "this is Envoy's configuration: use only its \"value:\", next to \"@type\": \
             type.googleapis.com/google.protobuf.StringValue",
        )
    } else if text.contains("pluginConfig") {
        Some("this is a WasmPlugin: use only its spec.pluginConfig, as JSON")
    } else {
        None
    }
}

/// What a text is that cannot be read as a policy, and what to give instead.
pub fn misread(text: &[u8]) -> Option<&'static str> {
    damaged(text).or_else(|| wrapper(&String::from_utf8_lossy(text)))
}

/// Why no policy can be in these bytes.
pub fn damaged(text: &[u8]) -> Option<&'static str> {
    let start = text.trim_ascii_start();
    match text {
        [0xef, 0xbb, 0xbf, ..] => Some(
            "the file begins with a byte order mark (BOM), which JSON does not allow: save it as \
             UTF-8 without one",
        ),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            Some("the file is UTF-16, and JSON is UTF-8: save it as UTF-8 without a BOM")
        }
        _ if text.trim_ascii().is_empty() => Some(
            "the file is empty: a policy is a JSON object with \"version\", \"rules\" and \
             \"unmatched\" (docs/configuration.md lists every field)",
        ),
        _ if start.starts_with(b"//") || start.starts_with(b"/*") => {
            Some("the file begins with a comment, which JSON does not allow: remove every comment")
        }
        _ if std::str::from_utf8(text).is_err() => {
            Some("the file is not UTF-8: save it as UTF-8 without a BOM")
        }
        _ => None,
    }
}
