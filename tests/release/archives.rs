//! The files of a release, and what is in an archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{VERSION, brought, processors, release, run, skip};

/// The archive for a processor, unpacked into a folder; `None` if it was not built.
#[track_caller]
fn unpacked(release: &Path, processor: &str, into: &Path) -> Option<PathBuf> {
    let name = format!("keygate-{VERSION}-linux-{processor}");
    let file = release.join(format!("{name}.tar.gz"));
    if !file.is_file() {
        skip(&format!("{} was not built", file.display()));
        return None;
    }
    let mut tar = Command::new("tar");
    let _ = run(tar.arg("-xzf").arg(file).arg("-C").arg(into));
    Some(into.join(name))
}

#[test]
fn every_file_has_its_checksum_and_the_manifest_names_it() {
    let Some(release) = release() else { return };
    let mut check = Command::new("sh");
    let script = "cd \"$1\" && sha256sum --strict --check SHA256SUMS";
    let printed = run(check.args(["-euc", script, "sh"]).arg(&release));
    let count = fs::read_dir(&release).unwrap().count();
    assert_eq!(printed.lines().count(), count - 1, "{printed}");
    let manifest: Value =
        serde_json::from_slice(&fs::read(release.join("release.json")).unwrap()).unwrap();
    assert_eq!(manifest["version"], VERSION);
    let sums = fs::read_to_string(release.join("SHA256SUMS")).unwrap();
    let files = manifest["files"].as_array().unwrap();
    // Neither itself nor the checksums.
    assert_eq!(files.len(), count - 2);
    for file in files {
        let (name, digest) = (file["name"].as_str().unwrap(), &file["sha256"]);
        let line = format!("{}  {name}", digest.as_str().unwrap());
        assert!(sums.contains(&line), "{line}");
    }
    for missing in manifest["missing"].as_array().unwrap() {
        skip(&format!("left out of the release: {missing}"));
    }
    let notes = fs::read_to_string(release.join("NOTES.md")).unwrap();
    assert!(
        notes.starts_with(&format!("# Keygate {VERSION} (")),
        "{notes}"
    );
}

#[test]
fn an_archive_has_the_command_the_filter_and_every_page_that_the_readme_links() {
    let Some(release) = release() else { return };
    for processor in processors() {
        let dir = tempfile::tempdir().unwrap();
        let Some(root) = unpacked(&release, &processor, dir.path()) else {
            continue;
        };
        let module = fs::read(root.join("keygate.wasm")).unwrap();
        let published = release.join(format!("keygate-{VERSION}.wasm"));
        assert!(module == fs::read(published).unwrap());
        let readme = fs::read_to_string(root.join("README.md")).unwrap();
        let links = readme.split("](").skip(1);
        let links = links.filter_map(|it| it.split([')', '#']).next());
        let links: Vec<&str> = links
            .filter(|it| !it.is_empty() && !it.starts_with("http"))
            .collect();
        assert!(links.len() > 20, "{links:?}");
        for link in links {
            assert!(root.join(link).exists(), "{link}");
        }
        for name in [
            "LICENSE",
            "share/man/man1/keygate-serve.1",
            "share/bash-completion/completions/keygate",
            "share/zsh/site-functions/_keygate",
            "share/fish/vendor_completions.d/keygate.fish",
            "signers/python/keygate_sign/keygate_sign.py",
        ] {
            assert!(root.join(name).is_file(), "{name}");
        }
        let example = fs::read_to_string(root.join("envoy/envoy.yaml")).unwrap();
        assert!(example.contains("filename: keygate.wasm"));
        let licenses = fs::read_to_string(root.join("THIRD-PARTY-LICENSES")).unwrap();
        for part in [
            "rusqlite 0",
            "proxy-wasm 0",
            "SQLite",
            "Permission is hereby granted",
        ] {
            assert!(licenses.contains(part), "{part}");
        }
    }
}

#[test]
fn the_command_of_each_archive_signs_and_verifies() {
    let Some(release) = release() else { return };
    for processor in processors() {
        let dir = tempfile::tempdir().unwrap();
        let Some(root) = unpacked(&release, &processor, dir.path()) else {
            continue;
        };
        let program = root.join("bin/keygate");
        let command = || {
            let mut command = match processor == std::env::consts::ARCH {
                true => Command::new(&program),
                false if processor == "aarch64" => {
                    let mut command = Command::new(brought("scripts/qemu")?);
                    command.arg(&program);
                    command
                }
                false => {
                    skip(&format!("nothing runs programs for {processor} here"));
                    return None;
                }
            };
            command.env("KEYGATE_MEDIA", "secret of the media, long enough");
            Some(command)
        };
        let Some(mut version) = command() else {
            continue;
        };
        let version = run(version.arg("--version"));
        assert_eq!(version, format!("keygate {VERSION}\n"), "{processor}");
        let sign = [
            "sign",
            "https://a.example/media/a",
            "--key-id",
            "demo",
            "--expires-in",
            "3h",
        ];
        let link = run(command().unwrap().args(sign));
        let verify = ["verify", link.trim(), "--key-id", "demo"];
        let printed = run(command().unwrap().args(verify));
        assert!(printed.starts_with("valid"), "{processor}: {printed}");
    }
}
