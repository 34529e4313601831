//! Looks for every secret of a run in all that the run has left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{LEDGER, spellings};

/// Where something was found, or looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Envoy's own log, at level trace; of it the lines of the filter.
    EnvoyLog,
    /// Envoy's access log, in the format of the file that a user copies.
    AccessLog,
    /// Everything that the admin port tells, `/config_dump` among it.
    Admin,
    /// What the key service writes.
    ServiceLog,
    /// The database with its journal.
    Database,
    /// What Envoy sends to the key service.
    ToService,
    /// What the key service answers to Envoy.
    FromService,
    /// Answers of 300 and above to clients, but for their cookies.
    Rejections,
    /// What the command writes to standard error.
    Command,
}

const SOURCES: [Source; 9] = [
    Source::EnvoyLog,
    Source::AccessLog,
    Source::Admin,
    Source::ServiceLog,
    Source::Database,
    Source::ToService,
    Source::FromService,
    Source::Rejections,
    Source::Command,
];

/// Components of Envoy that write headers of requests into their records at level debug or
/// trace, before Keygate has seen them or after it has made a call. No filter can help it.
const ENVOYS_OWN: [&str; 3] = ["http", "jwt", "router"];

/// How the attacks A5 and A8 spell a parameter into the path: a token there is part of the
/// name of a file, for Keygate and for all others.
const MISPLACED: [&str; 6] = [
    "&verify=",
    "%26verify=",
    "%3Fverify=",
    "&kg=",
    "%26kg=",
    "%3Fkg=",
];

/// The kind of a hash that a client sends in place of its key: it opens nothing, and is what the
/// key service stores and Envoy asks for.
pub const STORED_HASH: &str = "stored hash";

impl Source {
    /// The name of its files.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::EnvoyLog => "envoy-log",
            Self::AccessLog => "access-log",
            Self::Admin => "admin",
            Self::ServiceLog => "service-log",
            Self::Database => "database",
            Self::ToService => "to-service",
            Self::FromService => "from-service",
            Self::Rejections => "rejections",
            Self::Command => "command",
        }
    }

    /// Whether a secret of this kind belongs here.
    fn may_hold(self, kind: &str, line: &[u8]) -> bool {
        match self {
            Self::EnvoyLog => record(line).is_some_and(|(level, logger)| {
                matches!(level, "trace" | "debug") && ENVOYS_OWN.contains(&logger)
            }),
            // By it the key service knows Envoy.
            Self::ToService => ["KEYGATE_EDGE_TOKEN", STORED_HASH].contains(&kind),
            Self::FromService | Self::Database => kind == STORED_HASH,
            Self::AccessLog => {
                let line = String::from_utf8_lossy(line);
                MISPLACED.iter().any(|it| line.contains(it))
            }
            _ => false,
        }
    }
}

/// What is looked for.
#[derive(Debug, Default)]
pub struct Ledger(BTreeSet<(String, Vec<u8>)>);

/// A kind of secret in a place.
#[derive(Debug)]
pub struct Finding {
    /// The file, and of a record of Envoy its level and component.
    pub place: String,
    /// The kind of the secret.
    pub kind: String,
    /// How many were found.
    pub count: usize,
    /// The first, with what stands around it.
    pub excerpt: String,
    /// Whether it belongs there.
    pub is_expected: bool,
}

impl Ledger {
    /// Reads the list that a run has kept.
    ///
    /// # Errors
    /// When there is none, or a line is broken.
    pub fn read(directory: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(directory.join(LEDGER))?;
        let broken = |line: &str| io::Error::other(format!("not a line of a ledger: {line}"));
        let entry = |line: &str| {
            let (kind, value) = line.split_once('\t')?;
            Some((kind.to_owned(), STANDARD.decode(value).ok()?))
        };
        let entries = text
            .lines()
            .map(|line| entry(line).ok_or_else(|| broken(line)));
        Ok(Self(entries.collect::<io::Result<_>>()?))
    }

    /// How many secrets of each kind there are.
    #[must_use]
    pub fn kinds(&self) -> BTreeMap<&str, usize> {
        let mut kinds = BTreeMap::new();
        for (kind, _) in &self.0 {
            *kinds.entry(kind.as_str()).or_default() += 1;
        }
        kinds
    }

    /// The machine that finds them, and which kinds each of its patterns is of: a value may
    /// be a key that was created, and a key that was sent.
    fn searcher(&self) -> (AhoCorasick, Vec<Vec<&str>>) {
        let mut patterns: BTreeMap<Vec<u8>, Vec<&str>> = BTreeMap::new();
        for (kind, secret) in &self.0 {
            for spelling in spellings::spellings(secret) {
                let kinds = patterns.entry(spelling).or_default();
                if kinds.last() != Some(&kind.as_str()) {
                    kinds.push(kind);
                }
            }
        }
        let searcher = AhoCorasick::new(patterns.keys()).expect("as many as a run can have");
        (searcher, patterns.into_values().collect())
    }
}

/// Looks for all of the ledger in all of a run: what was found, and how many bytes of each
/// source there were.
///
/// # Errors
/// When a file cannot be read.
pub fn scan(
    directory: &Path,
    ledger: &Ledger,
) -> io::Result<(Vec<Finding>, BTreeMap<Source, usize>)> {
    let (searcher, kinds) = ledger.searcher();
    let mut sizes: BTreeMap<Source, usize> = SOURCES.iter().map(|&it| (it, 0)).collect();
    let mut found: BTreeMap<(String, String, bool), (usize, String)> = BTreeMap::new();
    for file in fs::read_dir(directory)? {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        let stem = name.split('.').next().unwrap_or_default();
        let Some(&source) = SOURCES.iter().find(|it| it.file() == stem) else {
            continue;
        };
        let bytes = fs::read(file.path())?;
        *sizes.entry(source).or_default() += bytes.len();
        for hit in searcher.find_iter(&bytes) {
            let line = line_around(&bytes, hit.start());
            let kinds = &kinds[hit.pattern().as_usize()];
            let is_expected = kinds.iter().any(|kind| source.may_hold(kind, line));
            let place = match (source, record(line)) {
                (Source::EnvoyLog, Some((level, logger))) => format!("{stem} {level} {logger}"),
                _ => stem.to_owned(),
            };
            let at = found
                .entry((place, kinds.join(", "), is_expected))
                .or_insert_with(|| {
                    let (from, to) = (hit.start().saturating_sub(160), hit.end() + 60);
                    let around = &bytes[from..to.min(bytes.len())];
                    (0, format!("{name}: {}", around.escape_ascii()))
                });
            at.0 += 1;
        }
    }
    let finding = |((place, kind, is_expected), (count, excerpt))| Finding {
        place,
        kind,
        count,
        excerpt,
        is_expected,
    };
    Ok((found.into_iter().map(finding).collect(), sizes))
}

fn line_around(bytes: &[u8], at: usize) -> &[u8] {
    let is_end = |byte: &u8| *byte == b'\n';
    let start = bytes[..at].iter().rposition(is_end).map_or(0, |it| it + 1);
    let end = bytes[at..]
        .iter()
        .position(is_end)
        .map_or(bytes.len(), |it| at + it);
    &bytes[start..end]
}

/// Level and component of a record of Envoy: `[time][thread][level][component] …`.
pub(super) fn record(line: &[u8]) -> Option<(&str, &str)> {
    let end = line.windows(2).position(|it| it == b"] ")?;
    let head = std::str::from_utf8(line.get(1..end)?).ok()?;
    let mut fields = head.split("][").skip(2);
    Some((fields.next()?, fields.next()?)).filter(|_| line.starts_with(b"[20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"0a9ZkQ7mP4xL2vB8nR6tY1cW3sD5fG";

    /// What is found when `planted` stands in this file of a run.
    fn found(file: &str, planted: &[u8]) -> Vec<Finding> {
        let directory = tempfile::tempdir().unwrap();
        let secret = STANDARD.encode(SECRET);
        fs::write(
            directory.path().join(LEDGER),
            format!("KEYGATE_MEDIA\t{secret}\n"),
        )
        .unwrap();
        let text = [b"some text before\n", planted, b" and after\nmore\n"].concat();
        fs::write(directory.path().join(file), text).unwrap();
        let ledger = Ledger::read(directory.path()).unwrap();
        scan(directory.path(), &ledger).unwrap().0
    }

    #[test]
    fn a_planted_secret_is_found_in_every_place_and_spelling() {
        let hex: String = SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
        let percent: String = SECRET.iter().map(|byte| format!("%{byte:02X}")).collect();
        let basic = STANDARD.encode([b"alice:", SECRET].concat());
        let numbers = format!("{SECRET:?}");
        let spellings: [&[u8]; 6] = [
            SECRET,
            hex.as_bytes(),
            percent.as_bytes(),
            basic.as_bytes(),
            numbers.trim_matches(['[', ']']).as_bytes(),
            &[b"junk", SECRET, b"junk"].concat(),
        ];
        for source in SOURCES {
            for (file, spelling) in spellings.iter().flat_map(|it| {
                [source.file().to_owned(), format!("{}.7-3", source.file())].map(|file| (file, it))
            }) {
                let findings = found(&file, spelling);
                assert_eq!(findings.len(), 1, "{file}: {}", spelling.escape_ascii());
                assert!(!findings[0].is_expected);
                assert_eq!(
                    (findings[0].place.as_str(), findings[0].count),
                    (source.file(), 1)
                );
            }
            assert!(found(source.file(), &SECRET[1..]).is_empty());
        }
    }

    #[test]
    fn of_envoys_own_log_only_what_envoy_writes_of_headers_is_expected() {
        let secret = String::from_utf8_lossy(SECRET);
        for (head, is_expected) in [
            ("[2026-11-22 07:00:00.000][12][debug][http]", true),
            ("[2026-11-22 07:00:00.000][12][trace][router]", true),
            ("[2026-11-22 07:00:00.000][12][info][http]", false),
            ("[2026-11-22 07:00:00.000][12][trace][wasm]", false),
            ("[2026-11-22 07:00:00.000][12][warning][wasm]", false),
            ("[2026-11-22 07:00:00.000][12][trace][config]", false),
            ("no record", false),
        ] {
            let findings = found(
                "envoy-log.1-1",
                format!("{head} [a.cc:1] {secret}").as_bytes(),
            );
            assert_eq!(findings.len(), 1, "{head}");
            assert_eq!(findings[0].is_expected, is_expected, "{head}");
        }
    }
}
