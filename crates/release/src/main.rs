//! `keygate-oci MODULE FOLDER`: writes an OCI layout of the module into a folder, with its bill of
//! materials, and prints the digests. `make oci` builds the module and runs this.
//!
//! The same module and the same Cargo.lock give the same bytes, on every machine: no time, no user
//! and no path is in them.

mod layout;
mod manifests;
mod materials;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use layout::Layout;
use materials::Materials;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, folder] = &arguments[..] else {
        eprintln!("usage: keygate-oci MODULE FOLDER");
        return ExitCode::from(2);
    };
    match run(Path::new(module), Path::new(folder)) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("keygate-oci: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes everything. Returns a line for each reference: its name and its digest.
fn run(module: &Path, folder: &Path) -> Result<String> {
    let bytes = fs::read(module).map_err(|error| format!("{}: {error}", module.display()))?;
    if !bytes.starts_with(b"\0asm") {
        return Err(format!("{} is not a WebAssembly module", module.display()).into());
    }
    let materials = Materials::read()?.document(&bytes);
    let mut layout = Layout::create(folder)?;
    let image = manifests::image(&mut layout, &bytes)?;
    let artifact = manifests::artifact(&mut layout, &bytes)?;
    let bill = manifests::bill(&mut layout, &materials, &image)?;
    layout.finish()?;
    let version = env!("CARGO_PKG_VERSION");
    Ok(format!(
        "{version} {}\n{version}-artifact {}\n{version}-sbom {}\n",
        image.digest, artifact.digest, bill.digest
    ))
}
