//! No crate of the workspace has files that import each other in a circle.

use std::fs;
use std::path::{Path, PathBuf};

use keygate_testkit::layers::Crate;

#[test]
fn no_files_of_a_crate_import_each_other_in_a_circle() {
    let mut files = 0;
    let mut circles = Vec::new();
    for root in roots() {
        let read = Crate::read(&root);
        files += read.size();
        let of_crate = read.circles().into_iter();
        let name = root.strip_prefix(workspace()).unwrap_or(&root).display();
        let line = |(module, target)| format!("{name}: {module} imports {target}");
        circles.extend(of_crate.map(line));
    }
    assert!(files > 450, "only {files} files");
    assert!(
        circles.is_empty(),
        "these are in a circle or between two: {circles:#?}"
    );
}

fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap()
}

/// The roots of the library and of the programs of each crate.
fn roots() -> Vec<PathBuf> {
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let (_, members) = manifest.split_once("members = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    let members = members.split('"').skip(1).step_by(2);
    // The filter is the package of the workspace itself.
    let sources = members
        .chain([""])
        .map(|member| workspace().join(member).join("src"));
    let mut roots = Vec::new();
    for source in sources {
        let own = ["lib.rs", "main.rs"].map(|name| source.join(name));
        let programs = fs::read_dir(source.join("bin")).into_iter().flatten();
        let programs = programs.map(|entry| entry.unwrap().path());
        let before = roots.len();
        roots.extend(
            own.into_iter()
                .chain(programs)
                .filter(|path| path.is_file()),
        );
        assert!(roots.len() > before, "{} has no root", source.display());
    }
    roots
}
