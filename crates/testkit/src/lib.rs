//! What the tests, the fuzz targets and the benches of Keygate share. It is never shipped.
//!
//! [`vectors`] tries the known answers of signed URLs, [`links`] puts arbitrary requests to
//! the policy of each, [`parsers`] compares every other parser with a reference model, and
//! [`judge`] makes policies, requests and orders for tests.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

pub mod judge;
pub mod links;
pub mod parsers;
pub mod vectors;

/// A fuzz target for one format of signed URLs.
#[macro_export]
macro_rules! fuzz_format {
    ($format:literal) => {
        thread_local! {
            static REQUESTS: $crate::links::Requests = $crate::links::Requests::of($format);
        }
        libfuzzer_sys::fuzz_target!(|data: &[u8]| REQUESTS.with(|it| it.run(data)));
    };
}

/// A fuzz target for one parser.
#[macro_export]
macro_rules! fuzz_parser {
    ($name:literal) => {
        libfuzzer_sys::fuzz_target!(|data: &[u8]| {
            ($crate::parsers::Parser::of($name).run)(data);
        });
    };
}
