//! Every input that a fuzzer has kept, and every known answer, is put to its format again.
#![allow(
    missing_docs,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

#[path = "../../../fuzz/src/lib.rs"]
mod fuzz;

use std::path::Path;

#[test]
fn no_input_of_the_corpus_panics() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (format, system) in fuzz::SYSTEMS {
        let requests = fuzz::Requests::of(system);
        for seed in requests.seeds() {
            requests.run(&seed);
        }
        let kept = std::fs::read_dir(corpus.join(format)).unwrap_or_else(|error| {
            panic!("fuzz/corpus/{format}: {error}");
        });
        let mut count = 0;
        for input in kept {
            requests.run(&std::fs::read(input.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 0, "fuzz/corpus/{format} is empty");
    }
}
