//! Every input that a fuzzer has kept, and every known answer, is put to its format again.

use std::path::Path;

use keygate_testkit::targets::{Target, names};

/// Nor does one show a parser that says something else than its reference model.
#[test]
fn no_input_of_the_corpus_panics() {
    for name in names() {
        let target = Target::of(name);
        for seed in target.seeds() {
            target.run(&seed);
        }
        each_kept(name, |input| target.run(input));
    }
}

fn each_kept(target: &str, run: impl Fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let kept = std::fs::read_dir(corpus.join(target)).unwrap_or_else(|error| {
        panic!("fuzz/corpus/{target}: {error}");
    });
    let kept: Vec<_> = kept.collect();
    assert!(!kept.is_empty(), "fuzz/corpus/{target} is empty");
    for input in kept {
        run(&std::fs::read(input.unwrap().path()).unwrap());
    }
}
