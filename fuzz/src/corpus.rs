//! Writes the first inputs of every fuzz target where `scripts/fuzz` keeps its corpus; with
//! the argument `list`, prints the names of the targets instead.

use std::path::Path;

use keygate_testkit::targets::{Target, names};

fn main() -> std::io::Result<()> {
    let is_list = std::env::args().nth(1).is_some_and(|it| it == "list");
    for name in names() {
        if is_list {
            println!("{name}");
        } else {
            write(name, &Target::of(name).seeds())?;
        }
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
