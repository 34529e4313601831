//! What a run of the end-to-end tests leaves behind, and every secret of it: with
//! `KEYGATE_LEAK_DIR` set, the harness keeps both there, and `keygate-leaks` looks for the
//! one in the other. Envoy then logs at level trace.

mod recorder;
mod scan;
mod spellings;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use sha2::Sha256;

pub(crate) use recorder::Recorder;
pub use scan::{Finding, Ledger, STORED_HASH, Source, scan};
use spellings::unescaped;

/// Where to keep things; `None` in an ordinary run.
static DIRECTORY: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let directory = PathBuf::from(std::env::var_os("KEYGATE_LEAK_DIR")?);
    std::fs::create_dir_all(&directory).expect("KEYGATE_LEAK_DIR can be made");
    Some(directory)
});

/// The list of secrets: a kind and base64 on each line.
const LEDGER: &str = "ledger";

/// Whether this run is recorded.
#[must_use]
pub fn is_on() -> bool {
    DIRECTORY.is_some()
}

/// What is derived from a secret, and as secret.
const DERIVED: [&str; 4] = [
    "keygate/v1/app-key/tag",
    "keygate/v1/app-key/pepper",
    "keygate/v1/challenge/token",
    "keygate/v1/challenge/clearance",
];

/// A secret of this run, by the name of the variable that holds it, and all that is
/// derived from it.
pub(crate) fn secret(name: &str, value: &str) {
    if !is_on() || !name.starts_with("KEYGATE_") {
        return;
    }
    for token in value.split(',') {
        enter(name, token.as_bytes());
    }
    let master = Hkdf::<Sha256>::new(None, value.as_bytes());
    for purpose in DERIVED {
        let mut key = [0; 32];
        let derived = master.expand(purpose.as_bytes(), &mut key);
        derived.expect("32 bytes can be derived");
        enter(purpose, &key);
    }
}

/// A credential that was issued, or that a client sends: of an app key what follows its
/// public id, of a JWT its signature, of all else what looks like nothing but chance.
pub fn credential(kind: &str, text: &[u8]) {
    if !is_on() {
        return;
    }
    let text = unescaped(text);
    for secret in spellings::secret_parts(&text) {
        enter(kind, &secret);
    }
}

/// The credentials of a request that a client is about to send.
pub(crate) fn request(path: &[u8], headers: &[(Vec<u8>, Vec<u8>)]) {
    if !is_on() {
        return;
    }
    let (path, query) = match path.iter().position(|&byte| byte == b'?') {
        Some(at) => path.split_at(at),
        None => (path, &b""[..]),
    };
    credential("query", query);
    for segment in path.split(|&byte| byte == b'/') {
        if segment.starts_with(b"~") || segment.contains(&b'=') {
            credential("path", segment);
        }
    }
    for (name, value) in headers {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        if matches!(&*name, "authorization" | "cookie")
            || name.contains("key")
            || name.contains("token")
        {
            credential(&name, value);
        }
    }
}

/// An answer. Its cookies are secret, and the rest of a rejection must contain no secret.
pub(crate) fn response(status: u16, headers: &[(String, Vec<u8>)], body: &[u8]) {
    if !is_on() {
        return;
    }
    let mut kept = Vec::new();
    for (name, value) in headers {
        if name == "set-cookie" {
            let cookie = value.split(|&byte| byte == b';').next();
            credential("cookie", cookie.unwrap_or_default());
        } else {
            kept.extend([name.as_bytes(), b": ", value, b"\n"].concat());
        }
    }
    if status >= 300 {
        kept.extend(body);
        keep(Source::Rejections, &kept);
    }
}

/// Keeps what a run has left behind.
pub(crate) fn keep(source: Source, bytes: &[u8]) {
    let Some(directory) = &*DIRECTORY else {
        return;
    };
    append(&directory.join(source.file()), &[bytes, b"\n"].concat());
}

/// Keeps a file that is large, under a name of its own.
pub(crate) fn keep_file(source: Source, file: &Path) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Some(directory) = &*DIRECTORY else {
        return;
    };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}.{}-{count}", source.file(), std::process::id());
    // A database may have no log beside it.
    let _ = std::fs::copy(file, directory.join(name));
}

/// What a command has written to standard error.
pub fn command(output: &Output) {
    keep(Source::Command, &output.stderr);
}

fn enter(kind: &str, value: &[u8]) {
    let Some(directory) = &*DIRECTORY else {
        return;
    };
    let line = format!("{kind}\t{}\n", STANDARD.encode(value));
    append(&directory.join(LEDGER), line.as_bytes());
}

fn append(file: &Path, bytes: &[u8]) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _lock = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(file)
        .expect("a file of the record");
    file.write_all(bytes)
        .expect("a file of the record can be written to");
}

/// What Envoy would have written at its ordinary level, of a log at level trace with
/// escaped lines; `components` said more from the start.
pub(crate) fn at_ordinary_level(log: &str, components: &str) -> String {
    let mut kept = String::new();
    for line in log.lines() {
        let is_wanted = match scan::record(line.as_bytes()) {
            Some((level, logger)) => {
                !matches!(level, "trace" | "debug") || components.contains(&format!("{logger}:"))
            }
            None => true,
        };
        if is_wanted {
            let line = line
                .replace("\\n", "\n")
                .replace("\\\"", "\"")
                .replace("\\'", "'");
            kept.push_str(&line);
            kept.push('\n');
        }
    }
    kept
}
