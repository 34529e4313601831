//! Writes the known answers as inputs where `cargo fuzz` looks for a corpus.

use std::path::Path;

fn main() -> std::io::Result<()> {
    for (format, system) in keygate_fuzz::SYSTEMS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(format);
        std::fs::create_dir_all(&folder)?;
        for (index, seed) in keygate_fuzz::Requests::of(system)
            .seeds()
            .iter()
            .enumerate()
        {
            std::fs::write(folder.join(format!("known-{index:02}")), seed)?;
        }
    }
    Ok(())
}
