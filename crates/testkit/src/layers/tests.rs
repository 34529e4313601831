//! Each way in which a file can name another one, in a crate that is a table of texts.

use std::collections::BTreeMap;
use std::path::Path;

use super::Crate;

fn parse(files: &[(&str, &str)]) -> Crate {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    let text = |path: &Path| {
        let text = files.get(path.to_str()?)?;
        Some((*text).to_owned())
    };
    Crate::from_files(Path::new("src/lib.rs"), &text)
}

/// What `a.rs` with this text imports, beside an empty `b` with a child.
fn imports(text: &str) -> Vec<String> {
    let files = [
        ("src/lib.rs", "mod a; mod b; pub use b::c::Exported;"),
        ("src/a.rs", text),
        (
            "src/b.rs",
            "mod c; pub(crate) use c::{Item, other as Renamed}; use std::fmt;",
        ),
        ("src/b/c.rs", "pub struct Item;"),
    ];
    let parsed = parse(&files);
    let imports = parsed.imports().into_iter();
    let of_a = imports.filter(|(module, _)| *module == "a");
    of_a.map(|(_, target)| target.to_owned()).collect()
}

#[test]
fn every_path_to_another_file_is_an_import() {
    for (text, expected) in [
        ("use crate::b::Own;", "b"),
        ("use super::{b::{self, Own as It}};", "b"),
        ("use crate::b::c::*;", "b::c"),
        ("fn f() -> crate::b::Own { g() }", "b"),
        ("fn f() { vec![super::b::own()] }", "b"),
        ("macro_rules! m { () => { $crate::b::own() } }", "b"),
        ("#[serde(with = \"Vec<super::b::Own>\")] struct S;", "b"),
        ("mod inner { use super::super::b::Own; }", "b"),
        ("#[cfg(test)] mod tests; use crate::b::Own;", "b"),
        ("#[cfg(test)] fn f<A, B>() {} use crate::b::Own;", "b"),
        ("struct S { #[cfg(test)] x: u8, y: crate::b::Own }", "b"),
        ("#[cfg(any(test, feature = \"x\"))] use crate::b::Own;", "b"),
        // Through a facade, to where it is declared.
        ("use crate::b::Item;", "b::c"),
        ("use crate::b::Renamed as Other;", "b::c"),
    ] {
        assert_eq!(imports(text), [expected], "{text}");
    }
    assert_eq!(
        imports("use crate::b; fn f() { b::Item::new() }"),
        ["b", "b::c"]
    );
}

#[test]
fn tests_comments_strings_and_other_crates_are_no_imports() {
    for text in [
        "#[cfg(test)] mod tests { use crate::b::Own; }",
        "#[cfg(test)] use crate::b::Own;",
        "#[cfg(test)] #[allow(x)] fn f() { crate::b::own() }",
        "struct S { #[cfg(test)] x: crate::b::Own, y: u8 }",
        "// crate::b::Own\n/* super::b::Own */",
        "/// See [`crate::b::Own`].\nstruct S;",
        "const S: &str = \"crate::b::Own\";",
        "use other::b::Own; use std::fmt; fn f() { other::b::own() }",
        "use log::log; fn f() { log::info!() }",
        "struct S; impl S { fn f() -> Self { self::S } }",
    ] {
        assert_eq!(imports(text), [""; 0], "{text}");
    }
}

#[test]
#[should_panic(expected = "a imports Exported through the root of its crate")]
fn an_import_through_the_root_is_reported() {
    imports("use crate::Exported;");
}

#[test]
fn a_circle_is_found_and_parent_and_child_are_none() {
    let root = ("src/lib.rs", "mod a; mod b; mod c; mod d;");
    let crate_of = |a, b, c| {
        let files = [
            root,
            ("src/a/mod.rs", a),
            ("src/a/child.rs", "use super::Own; use crate::d::Leaf;"),
            ("src/b.rs", b),
            ("src/c.rs", c),
            ("src/d.rs", ""),
        ];
        let parsed = parse(&files);
        assert_eq!(parsed.size(), 6);
        let circles = parsed.circles().into_iter();
        circles
            .map(|(module, target)| format!("{module} {target}"))
            .collect::<Vec<_>>()
    };
    let (a, b, c) = (
        "mod child; use child::It; use crate::b::B;",
        "use crate::c::C;",
        "",
    );
    assert_eq!(crate_of(a, b, c), [""; 0]);
    assert_eq!(crate_of(a, b, "use crate::a::Own;"), ["a b", "b c", "c a"]);
    let through_the_child = "use crate::a::It;";
    let child_imports = "mod child; pub use child::It; use crate::d::Leaf;";
    assert_eq!(crate_of(child_imports, b, through_the_child), [""; 0]);
}
