//! Imports point down: the order of the core's folders, and no circle between files.

use std::path::Path;

use keygate_testkit::layers::Crate;

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

fn core() -> Crate {
    Crate::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"))
}

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
    let core = core();
    assert!(core.size() > 200, "only {} files", core.size());
    // The front door is above all.
    let imports = core.imports().into_iter();
    for (module, target) in imports.filter(|(module, _)| !module.is_empty()) {
        let ((from, upper), (to, lower)) = (row(module), row(target));
        assert!(from == to || upper < lower, "{module} imports {target}");
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let core = core();
    let circles = core.circles();
    assert!(
        circles.is_empty(),
        "these are in a circle or between two: {circles:#?}"
    );
}
