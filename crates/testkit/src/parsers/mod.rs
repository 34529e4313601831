//! Fuzz targets for everything else that reads untrusted bytes. Each module defines its input,
//! and compares the parser with a reference that it must agree with.

mod answers;
mod app_keys;
mod headers;
mod json;
mod paths;
mod policies;
mod scopes;
mod sealed;
mod times;
mod tokens;
mod wire;

use keygate_core::decision::Problem;
use keygate_core::keys::{KeyRingId, MasterSecret, NewAppKey, Prefix};
use keygate_core::secret::{KeyRing, RingEntry};
use keygate_core::{Policy, Secret, UnixMillis};

/// One target: its name, what it does with an input, and the first inputs.
pub struct Parser {
    pub name: &'static str,
    pub run: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
}

macro_rules! parsers {
    ($($module:ident)*) => {
        /// Every parser with a target.
        pub const PARSERS: &[Parser] = &[$(Parser {
            name: stringify!($module),
            run: $module::run,
            seeds: $module::seeds,
        }),*];
    };
}

parsers! { answers app_keys headers json paths policies scopes sealed times tokens wire }

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

const NOW: UnixMillis = UnixMillis(1_767_225_600_000);

/// A policy in which every variable holds [`SECRET`].
fn policy(text: &str) -> Result<Policy, Vec<Problem>> {
    Policy::parse(text.as_bytes(), &|_| Some(SECRET.to_vec()))
}

/// The ring of app keys under [`SECRET`].
fn ring() -> KeyRing<MasterSecret> {
    KeyRing(vec![RingEntry {
        id: "01".to_owned(),
        key: MasterSecret::derive(&Secret::new(SECRET.to_vec())).unwrap(),
        not_before: None,
        not_after: None,
    }])
}

/// A key that was made of these bytes.
fn key(random: &[u8]) -> NewAppKey {
    let mut random = random.iter().copied().chain([0, 61, 7]).cycle();
    let (prefix, kid) = (
        Prefix::parse("kg").unwrap(),
        KeyRingId::parse("01").unwrap(),
    );
    // Bytes from 248 on are drawn again: there must be others.
    let mut fill = |bytes: &mut [u8]| bytes.fill_with(|| random.next().unwrap_or_default() % 64);
    ring().0[0].key.generate(&prefix, kid, &mut fill)
}

fn texts(list: &[&str]) -> Vec<Vec<u8>> {
    list.iter().map(|it| it.as_bytes().to_vec()).collect()
}

/// The first line of an input, and the rest.
fn line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|it| *it == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}
