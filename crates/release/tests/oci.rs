//! The layout as Istio and Envoy Gateway read it: each digest is that of its blob, and both forms
//! contain the module. `make test-oci` does the same with a registry, and builds the module twice.
#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

const MODULE: &[u8] = b"\0asm\x01\0\0\0 a module of a test";
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn make(module: &[u8], folder: &Path) -> Output {
    let file = folder.with_extension("wasm");
    fs::write(&file, module).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_keygate-release"));
    command.arg("oci").arg(file).arg(folder).output().unwrap()
}

/// A layout of the module in a folder, and what was printed.
fn made(folder: &Path) -> String {
    let output = make(MODULE, folder);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// What a descriptor refers to, which has the size and the digest that it says.
fn blob(folder: &Path, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap();
    let digits = digest.strip_prefix("sha256:").unwrap();
    let bytes = fs::read(folder.join("blobs/sha256").join(digits)).unwrap();
    let hash = Sha256::digest(&bytes);
    let found: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(found, digits);
    assert_eq!(descriptor["size"], bytes.len());
    bytes
}

/// The manifest with a name, and its descriptor in the index.
fn manifest(folder: &Path, name: &str) -> (Value, Value) {
    let index = json(&fs::read(folder.join("index.json")).unwrap());
    let manifests = index["manifests"].as_array().unwrap().iter();
    let mut named = manifests
        .filter(|it| it["annotations"]["org.opencontainers.image.ref.name"] == name)
        .cloned();
    let descriptor = named.next().unwrap();
    assert!(named.next().is_none(), "{name} is not unique");
    (json(&blob(folder, &descriptor)), descriptor)
}

#[test]
fn the_image_has_one_layer_with_the_module() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("oci");
    let printed = made(&folder);
    let (manifest, descriptor) = manifest(&folder, VERSION);
    let line = format!("{VERSION} {}", descriptor["digest"].as_str().unwrap());
    assert_eq!(printed.lines().next(), Some(line.as_str()));
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1);
    assert_eq!(
        layers[0]["mediaType"],
        "application/vnd.oci.image.layer.v1.tar+gzip"
    );
    let mut tar = Vec::new();
    let gzip = blob(&folder, &layers[0]);
    flate2::read::GzDecoder::new(&gzip[..])
        .read_to_end(&mut tar)
        .unwrap();
    let mut archive = tar::Archive::new(&tar[..]);
    let mut files = archive.entries().unwrap();
    let mut file = files.next().unwrap().unwrap();
    assert_eq!(file.path().unwrap().to_str(), Some("plugin.wasm"));
    assert_eq!(file.header().mtime().unwrap(), 0);
    let mut module = Vec::new();
    file.read_to_end(&mut module).unwrap();
    assert_eq!(module, MODULE);
    assert!(files.next().is_none());
    // The configuration names the layer by what is in it.
    let config = json(&blob(&folder, &manifest["config"]));
    let hash = Sha256::digest(&tar);
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{digits}"));
}

#[test]
fn the_artifact_has_two_layers_of_which_one_is_the_module() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("oci");
    made(&folder);
    let (manifest, _) = manifest(&folder, &format!("{VERSION}-artifact"));
    let layers = manifest["layers"].as_array().unwrap();
    // Istio reads this form only if there are two, and if the last is not of an image.
    assert_eq!(layers.len(), 2);
    assert_eq!(
        layers[0]["mediaType"],
        "application/vnd.module.wasm.config.v1+json"
    );
    assert_eq!(
        layers[1]["mediaType"],
        "application/vnd.module.wasm.content.layer.v1+wasm"
    );
    assert_eq!(json(&blob(&folder, &layers[0]))["type"], "envoy_proxy");
    assert_eq!(blob(&folder, &layers[1]), MODULE);
    blob(&folder, &manifest["config"]);
}

#[test]
fn the_bill_of_materials_refers_to_the_image_and_names_every_crate() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("oci");
    made(&folder);
    let (image, descriptor) = manifest(&folder, VERSION);
    let (manifest, _) = manifest(&folder, &format!("{VERSION}-sbom"));
    assert_eq!(manifest["subject"]["digest"], descriptor["digest"]);
    assert_eq!(image["mediaType"], descriptor["mediaType"]);
    let bill = json(&blob(&folder, &manifest["layers"][0]));
    assert_eq!(bill["bomFormat"], "CycloneDX");
    let hash = Sha256::digest(MODULE);
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let module = &bill["metadata"]["component"];
    assert_eq!(module["hashes"][0]["content"], digits);
    let components = bill["components"].as_array().unwrap();
    let has = |name: &str| components.iter().any(|it| it["name"] == name);
    for name in ["proxy-wasm", "keygate-core", "hmac", "talc"] {
        assert!(has(name), "{name}");
    }
    for name in [
        "syn",
        "serde_derive",
        "rusqlite",
        "tempfile",
        "keygate-filter",
    ] {
        assert!(!has(name), "{name} is not in the module");
    }
    // Each names what it needs, and every name is there.
    let dependencies = bill["dependencies"].as_array().unwrap();
    assert_eq!(dependencies.len(), components.len().saturating_add(1));
    for name in dependencies
        .iter()
        .flat_map(|it| it["dependsOn"].as_array().unwrap())
    {
        assert!(components.iter().any(|it| it["bom-ref"] == *name), "{name}");
    }
    for component in components {
        assert!(
            component["licenses"][0]["expression"].is_string(),
            "{component}"
        );
    }
}

#[test]
fn two_layouts_of_one_module_have_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["a", "a longer name"].map(|name| folder.path().join(name));
    assert_eq!(made(&one), made(&other));
    let index = |folder: &Path| fs::read(folder.join("index.json")).unwrap();
    assert_eq!(index(&one), index(&other));
    // Another module has another digest.
    let output = make(b"\0asm another", &other);
    assert!(output.status.success());
    assert_ne!(index(&one), index(&other));
    let blobs = |folder: &Path| fs::read_dir(folder.join("blobs/sha256")).unwrap().count();
    assert_eq!(
        blobs(&one),
        blobs(&other),
        "nothing is left of the layout before"
    );
}

#[test]
fn what_is_no_module_and_a_folder_of_others_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("oci");
    let output = make(b"#!/bin/sh", &layout);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && told.contains("not a WebAssembly module"),
        "{told}"
    );
    assert!(!layout.exists());
    fs::create_dir(&layout).unwrap();
    fs::write(layout.join("letters.txt"), "mine").unwrap();
    let output = make(MODULE, &layout);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && told.contains("is not empty"),
        "{told}"
    );
    assert!(layout.join("letters.txt").is_file());
}
