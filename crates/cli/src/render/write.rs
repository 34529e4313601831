//! Files in a folder: all of them or none.

use std::fs;
use std::path::{Path, PathBuf};

use super::File;
use super::template::CHANGE;
use crate::error::CliError;

/// Writes the files. A file is complete under its name or not there.
///
/// # Errors
/// A file is there already and must not be replaced, or the folder cannot be written. Then nothing
/// was changed, unless renaming failed.
pub fn all(folder: &Path, files: &[File], replace: bool) -> Result<(), CliError> {
    let there = files.iter().filter(|file| folder.join(file.name).exists());
    let there: Vec<&str> = there.map(|file| file.name).collect();
    if !there.is_empty() && !replace {
        return Err(CliError::Usage(format!(
            "{} already has {}: add --force to replace them, or name another folder",
            folder.display(),
            there.join(", ")
        )));
    }
    let new: Vec<(PathBuf, PathBuf)> = files
        .iter()
        .map(|file| {
            (
                folder.join(format!(".{}.new", file.name)),
                folder.join(file.name),
            )
        })
        .collect();
    let written = fs::create_dir_all(folder).and_then(|()| {
        let mut texts = new.iter().zip(files);
        texts.try_for_each(|((new, _), file)| fs::write(new, &file.text))?;
        new.iter().try_for_each(|(new, file)| fs::rename(new, file))
    });
    written.map_err(|error| {
        for (new, _) in &new {
            // Most were not made, or have been renamed.
            let _ = fs::remove_file(new);
        }
        CliError::Usage(format!("cannot write to {}: {error}", folder.display()))
    })
}

/// The lines that a user must look at, with their places.
pub fn changes(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        // The first lines say what the word means.
        for (line, number) in file.text.lines().zip(1..).skip(2) {
            if line.contains(&format!(" {CHANGE}")) {
                found.push(format!("{}:{number}: {}", file.name, line.trim()));
            }
        }
    }
    found
}
