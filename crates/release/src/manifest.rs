//! `release.json`: what a release consists of, and what is missing.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::layout::digest;
use crate::{Result, VERSION};

/// The document about the files of a folder. A line of `missing` is `WHAT: REASON`.
pub fn text(folder: &Path, missing: &str) -> Result<String> {
    let listed: std::io::Result<Vec<_>> = fs::read_dir(folder)?.collect();
    let mut paths: Vec<_> = listed?.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    let files: Result<Vec<Value>> = paths.iter().map(|path| file(path)).collect();
    let missing: Result<Vec<Value>> = missing
        .lines()
        .map(|line| {
            let (what, reason) = line.split_once(": ").ok_or("a line without a reason")?;
            Ok(json!({ "what": what, "reason": reason }))
        })
        .collect();
    let rustc = Command::new("rustc").arg("-V").output()?.stdout;
    let document = json!({
        "version": VERSION,
        "rustc": String::from_utf8_lossy(&rustc).trim(),
        "files": files?,
        "missing": missing?,
    });
    Ok(format!("{document:#}\n"))
}

fn file(path: &Path) -> Result<Value> {
    let bytes = fs::read(path)?;
    let digest = digest(&bytes);
    let (_, hex) = digest.split_once(':').unwrap_or_default();
    let name = path.file_name().ok_or("a file without a name")?;
    Ok(json!({ "name": name.to_string_lossy(), "sha256": hex, "size": bytes.len() }))
}
