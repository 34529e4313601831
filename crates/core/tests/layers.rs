//! Imports point down: the order of the core's folders, and no circle between files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// From top to bottom. A folder imports from rows below its own and from itself.
const ROWS: [&[&str]; 7] = [
    &["lint"],
    &["config"],
    &["decision"],
    &["answer", "keys", "signed_url"],
    &["identity"],
    &["http", "secret"],
    &["reason", "text", "time"],
];

/// For each module the modules that its `use` lines name, tests left out.
type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_import_points_upwards() {
    let row = |module: &str| {
        let folder = module.split("::").next().unwrap();
        let row = ROWS.iter().position(|row| row.contains(&folder));
        (
            folder.to_owned(),
            row.unwrap_or_else(|| panic!("{folder} has no row")),
        )
    };
    let imports = imports();
    assert!(imports.len() > 100, "only {} modules", imports.len());
    for (module, target) in edges(&imports) {
        let ((from, upper), (to, lower)) = (row(module), row(target));
        assert!(from == to || upper < lower, "{module} imports {target}");
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let imports = imports();
    // Parent and child may know each other.
    let is_inside = |one: &str, other: &str| one.starts_with(&format!("{other}::"));
    let mut left: BTreeSet<(&str, &str)> = edges(&imports)
        .filter(|(from, to)| !is_inside(from, to) && !is_inside(to, from))
        .collect();
    // Modules without imports go, until what is left is in a circle or leads into one.
    loop {
        let importers: BTreeSet<&str> = left.iter().map(|(from, _)| *from).collect();
        let before = left.len();
        left.retain(|(_, to)| importers.contains(to));
        if left.len() == before {
            break;
        }
    }
    assert!(left.is_empty(), "these are in or above a circle: {left:#?}");
}

fn edges(imports: &Imports) -> impl Iterator<Item = (&str, &str)> {
    imports
        .iter()
        .flat_map(|(module, targets)| targets.iter().map(|it| (module.as_str(), it.as_str())))
        .filter(|(module, target)| module != target)
}

fn imports() -> Imports {
    let mut texts = BTreeMap::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        "",
        &mut texts,
    );
    let targets = |(module, text): (&String, &String)| {
        let of_path = |path: String| target(module, &path, &texts);
        let targets = uses(text)
            .flat_map(|(_, tree)| paths(tree))
            .filter_map(of_path);
        (module.clone(), targets.collect())
    };
    texts.iter().map(targets).collect()
}

/// The trees of the `use` lines of a file before its tests, and whether each is exported.
fn uses(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.split(";\n").filter_map(|statement| {
        let (before, tree) = statement.rsplit_once("use ")?;
        let visibility = before.lines().last().unwrap_or_default();
        let is_exported = visibility.starts_with("pub");
        (visibility.is_empty() || is_exported).then_some((is_exported, tree))
    })
}

/// Reads every source file except the front door and tests, by the path of its module.
fn read(folder: &Path, parent: &str, texts: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let module = match (parent, name) {
            (_, "lib" | "tests") => continue,
            (_, "mod") => parent.to_owned(),
            ("", _) => name.to_owned(),
            (_, _) => format!("{parent}::{name}"),
        };
        match path.is_dir() {
            true => read(&path, &module, texts),
            false => drop(texts.insert(module, fs::read_to_string(&path).unwrap())),
        }
    }
}

/// The paths of a tree such as `a::{b, c::{d, e}}`.
fn paths(tree: &str) -> Vec<String> {
    let tree = tree.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((before, inner)) = tree.split_once('{') else {
        return vec![tree];
    };
    let inner = inner.trim().strip_suffix('}').unwrap_or(inner);
    let mut depth = 0_usize;
    let parts = inner.split(|letter| {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    });
    parts
        .flat_map(paths)
        .map(|it| format!("{before}{}", it.trim()))
        .collect()
}

/// The module that declares what a path of this crate names. Exports are followed, so that a
/// facade hides no circle.
fn target(module: &str, path: &str, texts: &BTreeMap<String, String>) -> Option<String> {
    let mut place: Vec<&str> = module.split("::").collect();
    let path = path.split(" as ").next()?;
    let mut names = path.split("::").peekable();
    match *names.peek()? {
        "crate" => place.clear(),
        "self" => {}
        "super" => {
            while names.next_if_eq(&"super").is_some() {
                place.pop();
            }
        }
        _ => return None,
    }
    place.extend(names.filter(|it| !matches!(*it, "crate" | "self" | "*")));
    let mut beyond = None;
    while !place.is_empty() && !texts.contains_key(&place.join("::")) {
        beyond = place.pop();
    }
    assert!(
        !place.is_empty(),
        "{module} imports {path} through the front door"
    );
    let place = place.join("::");
    let child = beyond.and_then(|name| exported(&place, name, texts));
    Some(child.unwrap_or(place))
}

/// The module below `facade` from which it exports a name.
fn exported(facade: &str, name: &str, texts: &BTreeMap<String, String>) -> Option<String> {
    let exports = uses(texts.get(facade)?).filter(|(is_exported, _)| *is_exported);
    exports.flat_map(|(_, tree)| paths(tree)).find_map(|path| {
        let path = path.strip_prefix("self::").unwrap_or(&path);
        let (child, named) = path.rsplit_once("::")?;
        let named = named.split(" as ").last()?;
        let child = format!("{facade}::{child}");
        let is_it = named == name && texts.contains_key(&child);
        is_it.then(|| exported(&child, name, texts).unwrap_or(child))
    })
}
