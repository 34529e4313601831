//! Every input that a fuzzer has kept, and every known answer, is put to its format again.

use std::path::Path;

use keygate_testkit::links::Requests;
use keygate_testkit::parsers::PARSERS;
use keygate_testkit::vectors;

#[test]
fn no_input_of_the_corpus_panics() {
    for format in vectors::formats() {
        let requests = Requests::of(format);
        for seed in requests.seeds() {
            requests.run(&seed);
        }
        each_kept(format, |input| requests.run(input));
    }
}

/// Nor does one show a parser that says something else than what it is held against.
#[test]
fn every_parser_agrees_with_its_model_on_the_corpus() {
    for parser in PARSERS {
        for seed in (parser.seeds)() {
            (parser.run)(&seed);
        }
        each_kept(parser.name, parser.run);
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
