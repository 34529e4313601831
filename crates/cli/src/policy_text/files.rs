//! `@FILE` in a policy: a longer text in a file of its own.
//!
//! The file must be in the folder of the policy. A pipeline may render a policy from an untrusted
//! branch, and must not publish other files of its machine.

use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::document::{Node, Value};

/// The longest file. The page of a rejected request is sent with every one, and a resource of
/// Kubernetes has room for 1 MiB in all.
const MAX_BYTES: u64 = 256 * 1024;

/// Where a policy may name a file; `*` is any name or any item.
const FIELDS: [(&str, Kind); 6] = [
    ("brand.logo", Kind::Image),
    ("responses.*.html", Kind::Text),
    ("responses.*.text", Kind::Text),
    ("responses.*.reasons.*.html", Kind::Text),
    ("responses.*.reasons.*.text", Kind::Text),
    ("secrets.*.*.public_key", Kind::Text),
];

/// What a field is given of the file.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// A data URL, whose type is that of the file's extension.
    Image,
}

/// The types of an image, by extension.
const IMAGES: [(&str, &str); 3] = [
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("webp", "image/webp"),
];

/// A file that cannot be used.
pub struct Problem {
    /// The byte at which the name of the file is.
    pub at: usize,
    /// The field.
    pub path: String,
    pub message: String,
}

/// Replaces each `@FILE` by the text in the file, and `@@` at the start of a text by `@`.
pub fn put_in_place(root: &mut Node, folder: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (pattern, kind) in FIELDS {
        let steps: Vec<&str> = pattern.split('.').collect();
        visit(root, &steps, "", &mut |node, path| {
            let Some(text) = node.as_text() else { return };
            let Some(name) = text.strip_prefix('@') else {
                return;
            };
            if name.starts_with('@') {
                *node = node.replaced_by(name);
                return;
            }
            match load(folder, name, kind) {
                Ok(text) => *node = node.replaced_by(&text),
                Err(why) => problems.push(Problem {
                    at: node.at,
                    path: path.to_owned(),
                    message: format!("cannot use the file {name:?}: {why}"),
                }),
            }
        });
    }
    problems.sort_by_key(|it| it.at);
    problems
}

/// Calls `change` for each value at the end of these steps, with its path.
fn visit(node: &mut Node, steps: &[&str], path: &str, change: &mut dyn FnMut(&mut Node, &str)) {
    let Some((step, rest)) = steps.split_first() else {
        change(node, path);
        return;
    };
    match &mut node.value {
        Value::Object(members) => {
            for member in members {
                if *step == "*" || *step == member.name {
                    let dot = if path.is_empty() { "" } else { "." };
                    let path = format!("{path}{dot}{}", member.name);
                    visit(&mut member.node, rest, &path, change);
                }
            }
        }
        Value::Array(items) if *step == "*" => {
            for (index, item) in items.iter_mut().enumerate() {
                visit(item, rest, &format!("{path}[{index}]"), change);
            }
        }
        Value::Array(_) | Value::Leaf(_) => {}
    }
}

fn load(folder: &Path, name: &str, kind: Kind) -> Result<String, String> {
    let path = inside(folder, name)?;
    let bytes = bytes(&path)?;
    match kind {
        Kind::Text => String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()),
        Kind::Image => {
            let extension = path.extension().and_then(|it| it.to_str());
            let kind = IMAGES.iter().find(|row| Some(row.0) == extension);
            let (_, kind) = kind.ok_or("a logo is a .png, .svg or .webp file")?;
            Ok(format!("data:{kind};base64,{}", STANDARD.encode(bytes)))
        }
    }
}

/// The file of this name, if it is in the folder, also behind links.
fn inside(folder: &Path, name: &str) -> Result<PathBuf, String> {
    const OUTSIDE: &str = "it must be in the folder of the policy, and named relative to it";
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if name.is_empty() || !Path::new(name).components().all(is_plain) {
        return Err(OUTSIDE.to_owned());
    }
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let real = |path: &Path| fs::canonicalize(path).map_err(|error| error.to_string());
    let path = real(&folder.join(name))?;
    match path.starts_with(real(folder)?) {
        true => Ok(path),
        false => Err(OUTSIDE.to_owned()),
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let told = |error: std::io::Error| error.to_string();
    // A pipe would be waited for, and a folder cannot be read.
    if !fs::metadata(path).map_err(told)?.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(told)?;
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(told)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(format!("it has more than {MAX_BYTES} bytes")),
        false => Ok(bytes),
    }
}
