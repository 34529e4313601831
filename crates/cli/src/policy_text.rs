//! A policy as a person writes it, and the JSON that Envoy receives.
//!
//! The file is JSON or YAML. It may name the schema for an editor in `$schema`, and files with
//! longer texts by `@FILE`: both are gone from what Envoy receives. The filter knows neither.

mod files;

use std::path::Path;

use crate::document::{Node, Value, line_and_column, yaml};
use crate::error::CliError;
use crate::file::{damaged, read, wrapper};

/// The name of the member that editors read.
const SCHEMA: &str = "$schema";

/// Such a file, read.
pub struct PolicyText {
    /// As it was written, for lines and columns.
    pub text: String,
    /// The values that Envoy receives, at their places in `text`. `None` if the text is not JSON.
    pub root: Option<Node>,
    /// What Envoy receives.
    pub json: String,
}

impl PolicyText {
    /// Reads the text of a file. `file` tells the format, and the folder of the files that the
    /// policy names. Invalid JSON is left to the reader of policies.
    ///
    /// # Errors
    /// `LINE:COLUMN: MESSAGE` for each problem: the text is damaged, is invalid YAML, or names a
    /// file that cannot be used.
    pub fn of(file: &Path, text: &[u8]) -> Result<Self, Vec<String>> {
        if let Some(hint) = damaged(text) {
            return Err(vec![format!("1:1: {hint}")]);
        }
        let text = String::from_utf8_lossy(text).into_owned();
        let is_yaml = is_yaml(file, &text);
        let root = match is_yaml {
            true => Some(read_yaml(&text)?),
            false => Node::parse(&text),
        };
        let Some(mut root) = root else {
            return Ok(Self {
                json: text.clone(),
                root: None,
                text,
            });
        };
        let before = root.to_string();
        take_out_schema(&mut root);
        let problems = files::put_in_place(&mut root, file.parent().unwrap_or(Path::new("")));
        if !problems.is_empty() {
            let line = |it: &files::Problem| {
                let (line, column) = line_and_column(&text, it.at);
                format!("{line}:{column}: {}: {}", it.path, it.message)
            };
            return Err(problems.iter().map(line).collect());
        }
        let json = root.to_string();
        Ok(Self {
            // A problem without a place is one of this text.
            json: match is_yaml || json != before {
                true => json,
                false => text.clone(),
            },
            root: Some(root),
            text,
        })
    }
}

/// The JSON of a policy in a file, for commands that do not show its lines.
///
/// # Errors
/// The file cannot be read, or as [`PolicyText::of`]. A damaged text is left to the caller.
pub fn json(file: &Path) -> Result<Vec<u8>, CliError> {
    let text = read(file)?;
    if damaged(&text).is_some() {
        return Ok(text);
    }
    let found = PolicyText::of(file, &text).map_err(|lines| {
        let first = lines.first().map_or("", String::as_str);
        CliError::Usage(format!("{}:{first}", file.display()))
    })?;
    Ok(found.json.into_bytes())
}

/// By its name; standard input, which has none, by how it begins.
fn is_yaml(file: &Path, text: &str) -> bool {
    let extension = file.extension().and_then(|it| it.to_str());
    match extension {
        Some("yaml" | "yml") => true,
        _ => file == Path::new("-") && !text.trim_start().starts_with('{'),
    }
}

fn read_yaml(text: &str) -> Result<Node, Vec<String>> {
    let placed = |at: usize, message: &str| {
        let (line, column) = line_and_column(text, at);
        vec![format!("{line}:{column}: {message}")]
    };
    let root = yaml::parse(text).map_err(|it| placed(it.at, &it.message))?;
    match wrapper(text) {
        Some(hint) if root.member("rules").is_none() => Err(placed(0, hint)),
        _ => Ok(root),
    }
}

fn take_out_schema(root: &mut Node) {
    if let Value::Object(members) = &mut root.value {
        members.retain(|member| member.name != SCHEMA);
    }
}
