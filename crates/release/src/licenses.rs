//! The licenses of all that is compiled into a program, which MIT and BSD ask to be passed on.
//!
//! cargo-about does this by templates and a network service; the files are here with the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::Result;
use crate::materials::Materials;

/// What is not a crate, but linked in.
const OTHERS: &str = "\
Keygate is licensed under Apache-2.0. It contains the crates below, and:

- the standard library of Rust (MIT OR Apache-2.0, https://www.rust-lang.org)
- for Linux: musl (MIT, Copyright (c) 2005-2020 Rich Felker, et al., https://musl.libc.org), and SQLite
  (public domain, https://www.sqlite.org)
";

/// How the file with a license is called in a crate, in capitals.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"];

/// The text about programs, each a package and a target: every license once, below the crates that
/// have it.
pub fn text(programs: &[&str]) -> Result<String> {
    let mut crates_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for program in programs.chunks(2) {
        let [package, target] = program else {
            return Err("a package without a target".into());
        };
        collect(&Materials::read(package, target)?, &mut crates_of)?;
    }
    let lines = |crates: &BTreeSet<String>| crates.iter().cloned().collect::<Vec<_>>().join("\n");
    let all = crates_of.remove("").unwrap_or_default();
    let mut page = format!("{OTHERS}\n{}\n", lines(&all));
    for (text, crates) in &crates_of {
        let line = "-".repeat(78);
        let crates = lines(crates);
        page.push_str(&format!("\n{line}\n{crates}\n{line}\n\n{text}\n"));
    }
    Ok(page)
}

/// Adds the texts of the crates of a program, and each crate to the empty text.
fn collect(
    materials: &Materials,
    crates_of: &mut BTreeMap<String, BTreeSet<String>>,
) -> Result<()> {
    for package in materials.crates() {
        // Those of this repository have its license.
        if package.source.is_none() {
            continue;
        }
        let expression = package.license.as_deref().unwrap_or("no license");
        let name = format!("{} {} ({expression})", package.name, package.version);
        let folder = package.manifest_path.parent().ok_or("no folder")?;
        let files = files(folder.as_std_path())?;
        for text in files.into_iter().chain([String::new()]) {
            crates_of.entry(text).or_default().insert(name.clone());
        }
    }
    Ok(())
}

/// The texts of the licenses in a folder, without the spaces around them.
fn files(folder: &Path) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        if NAMES.iter().any(|start| name.starts_with(start)) && entry.path().is_file() {
            let text = fs::read(entry.path())?;
            let text = String::from_utf8_lossy(&text).replace('\r', "");
            texts.push(text.trim().to_owned());
        }
    }
    Ok(texts)
}
