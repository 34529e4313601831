//! Every known answer of signed URLs in `tests/vectors` does what it should.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "../examples/vectors/runner/mod.rs"]
mod runner;

#[test]
fn known_answers_hold_and_forgeries_do_not() {
    let text = include_str!("../../../tests/vectors/signed-urls.json");
    let tally = runner::run(&serde_json::from_str(text).unwrap());
    assert_eq!(tally.failures, Vec::<String>::new());
    assert!(tally.passed >= 11, "only {} were tried", tally.passed);
}

#[test]
fn known_answers_of_the_native_format_hold_and_forgeries_do_not() {
    let text = include_str!("../../../tests/vectors/keygate-links.json");
    let tally = runner::run(&serde_json::from_str(text).unwrap());
    assert_eq!(tally.failures, Vec::<String>::new());
    assert_eq!(tally.foreign, Vec::<String>::new());
    assert!(tally.passed >= 74, "only {} were tried", tally.passed);
}
