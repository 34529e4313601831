//! Writes the known answers, and the first inputs of the other parsers, where `cargo fuzz`
//! looks for a corpus.

use std::path::Path;

use keygate_testkit::links::Requests;
use keygate_testkit::parsers::PARSERS;
use keygate_testkit::vectors;

fn main() -> std::io::Result<()> {
    for format in vectors::formats() {
        write(format, &Requests::of(format).seeds())?;
    }
    for parser in PARSERS {
        write(parser.name, &(parser.seeds)())?;
    }
    Ok(())
}

fn write(target: &str, seeds: &[Vec<u8>]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    std::fs::create_dir_all(&folder)?;
    for (index, seed) in seeds.iter().enumerate() {
        std::fs::write(folder.join(format!("known-{index:02}")), seed)?;
    }
    Ok(())
}
