//! Which file of a crate imports which: for the tests that keep imports in one direction.
//!
//! Every path counts: in a `use` line, in code, in a macro, in the text of an attribute. What
//! only tests see is left out. Names are followed through `use` lines to the file that declares
//! them, so that a facade hides no circle. Types and globs are not followed: a method of a type
//! from another file is no import, nor is a name that a glob brings in.

mod source;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use source::Source;

/// The files of one crate by the paths of their modules. That of the root is empty.
pub struct Crate {
    files: BTreeMap<String, Source>,
}

impl Crate {
    /// Reads a crate from its root, such as `lib.rs`, and the files that its `mod` lines name.
    pub fn read(root: &Path) -> Self {
        Self::from_files(root, &|path| fs::read_to_string(path).ok())
    }

    fn from_files(root: &Path, text: &dyn Fn(&Path) -> Option<String>) -> Self {
        let mut files = BTreeMap::new();
        let folder = root.parent().unwrap().to_owned();
        let mut unread = vec![(String::new(), vec![root.to_owned()], folder)];
        while let Some((module, places, folder)) = unread.pop() {
            let text = places.iter().find_map(|place| text(place));
            let text = text.unwrap_or_else(|| panic!("{places:?} is missing"));
            let source = Source::read(&text).unwrap_or_else(|| panic!("{places:?} is no Rust"));
            for child in &source.children {
                let inner = folder.join(child);
                let places = vec![folder.join(format!("{child}.rs")), inner.join("mod.rs")];
                unread.push((join(&module, child), places, inner));
            }
            files.insert(module, source);
        }
        Self { files }
    }

    /// How many files it has.
    pub fn size(&self) -> usize {
        self.files.len()
    }

    /// Each import: the importing module, and the one that declares what it imports.
    ///
    /// # Panics
    /// If a path leads through an export of the root: files name each other.
    pub fn imports(&self) -> BTreeSet<(&str, &str)> {
        let mut imports = BTreeSet::new();
        for (module, source) in &self.files {
            let paths = source.paths.iter();
            let targets = paths.filter_map(|path| self.target(module, path));
            let others = targets.filter(|target| target != module);
            imports.extend(others.map(|target| (module.as_str(), target)));
        }
        imports
    }

    /// The imports that are in a circle or between two. Parent and child may know each other:
    /// imports of an ancestor or a descendant do not count.
    pub fn circles(&self) -> BTreeSet<(&str, &str)> {
        let mut left = self.imports();
        left.retain(|(one, other)| !is_inside(one, other) && !is_inside(other, one));
        // Modules that import nothing, or that nothing imports, are in no circle. Without them
        // others become such.
        loop {
            let importing: BTreeSet<&str> = left.iter().map(|(module, _)| *module).collect();
            let imported: BTreeSet<&str> = left.iter().map(|(_, target)| *target).collect();
            let before = left.len();
            left.retain(|(module, target)| imported.contains(module) && importing.contains(target));
            if left.len() == before {
                return left;
            }
        }
    }

    /// The module that declares what a path in another one names; `None` outside of the crate.
    fn target(&self, module: &str, path: &[String]) -> Option<&str> {
        let (first, rest) = path.split_first()?;
        let (mut place, rest) = match first.as_str() {
            "crate" => (String::new(), rest),
            "self" => (module.to_owned(), rest),
            "super" => (parent(module).to_owned(), rest),
            child if self.files.contains_key(&join(module, child)) => (module.to_owned(), path),
            name => {
                let bound = self.files[module].bound.get(name)?;
                return match bound[0] == *name {
                    // `use log::log` names no file of this crate.
                    true => None,
                    false => self.target(module, &[bound.as_slice(), rest].concat()),
                };
            }
        };
        for (index, name) in rest.iter().enumerate() {
            match name.as_str() {
                "self" => {}
                "super" => place = parent(&place).to_owned(),
                child if self.files.contains_key(&join(&place, child)) => {
                    place = join(&place, child);
                }
                name => {
                    let Some(bound) = self.files[&place].bound.get(name) else {
                        break;
                    };
                    assert!(
                        !place.is_empty() || module.is_empty(),
                        "{module} imports {name} through the root of its crate"
                    );
                    let path = [bound.as_slice(), &rest[index + 1..]].concat();
                    // What comes from another crate counts where it is imported.
                    if let Some(target) = self.target(&place, &path) {
                        return Some(target);
                    }
                    break;
                }
            }
        }
        self.files
            .get_key_value(&place)
            .map(|(place, _)| place.as_str())
    }
}

fn join(module: &str, child: &str) -> String {
    match module {
        "" => child.to_owned(),
        _ => format!("{module}::{child}"),
    }
}

fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}

fn is_inside(module: &str, other: &str) -> bool {
    other.is_empty() || module.starts_with(&format!("{other}::"))
}
