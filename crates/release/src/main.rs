//! `keygate-release`: what is published of a build. `make oci` and `make release` build the programs
//! and run this.
//!
//! The same programs and the same Cargo.lock give the same bytes, on every machine: no time, no user
//! and no path is in them. So archives are written here, and not by the tar and gzip of a machine.

mod archive;
mod layout;
mod licenses;
mod manifest;
mod manifests;
mod materials;
mod notes;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use layout::Layout;
use materials::Materials;
use notes::Notes;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "\
usage: keygate-release oci MODULE FOLDER           an OCI layout of the module; prints the digests
       keygate-release bill PACKAGE TARGET FILE    the bill of materials of a program
       keygate-release licenses PACKAGE TARGET…    the licenses of all that is compiled into programs
       keygate-release notes CHANGELOG             the section of this version
       keygate-release date CHANGELOG              the date of this version
       keygate-release archive FOLDER FILE         a tar.gz with the folder, of the date SOURCE_DATE_EPOCH
       keygate-release tar FOLDER FILE             a tar with what is in the folder
       keygate-release manifest FOLDER MISSING     release.json: the files, and a line for each missing one";

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The package of the module, and what it is compiled for.
const MODULE: (&str, &str) = ("keygate-filter", "wasm32-unknown-unknown");

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["oci", module, folder] => oci(Path::new(module), Path::new(folder)),
        ["bill", package, target, file] => bill(package, target, Path::new(file)),
        ["licenses", ref programs @ ..] if !programs.is_empty() => licenses::text(programs),
        ["notes", file] => read(file).and_then(|text| Ok(Notes::find(&text, VERSION)?.text())),
        ["date", file] => read(file).and_then(|text| Ok(Notes::find(&text, VERSION)?.date())),
        ["archive", folder, file] => archive::compressed(Path::new(folder), Path::new(file)),
        ["tar", folder, file] => archive::plain(Path::new(folder), Path::new(file)),
        ["manifest", folder, missing] => {
            read(missing).and_then(|missing| manifest::text(Path::new(folder), &missing))
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("keygate-release: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes a layout. Returns a line for each reference: its name and its digest.
fn oci(module: &Path, folder: &Path) -> Result<String> {
    let bytes = fs::read(module).map_err(|error| format!("{}: {error}", module.display()))?;
    if !bytes.starts_with(b"\0asm") {
        return Err(format!("{} is not a WebAssembly module", module.display()).into());
    }
    let materials = Materials::read(MODULE.0, MODULE.1)?.document(&bytes);
    let mut layout = Layout::create(folder)?;
    let image = manifests::image(&mut layout, &bytes)?;
    let artifact = manifests::artifact(&mut layout, &bytes)?;
    let bill = manifests::bill(&mut layout, &materials, &image)?;
    layout.finish()?;
    Ok(format!(
        "{VERSION} {}\n{VERSION}-artifact {}\n{VERSION}-sbom {}\n",
        image.digest, artifact.digest, bill.digest
    ))
}

/// The bill of materials of a program that was built from a package for a target.
fn bill(package: &str, target: &str, file: &Path) -> Result<String> {
    let bytes = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let materials = Materials::read(package, target)?.document(&bytes);
    Ok(format!("{materials:#}\n"))
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(file).map_err(|error| format!("{file}: {error}").into())
}
