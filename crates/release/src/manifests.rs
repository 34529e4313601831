//! The forms in which Istio and Envoy Gateway read a module, and its bill of materials.

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use std::io::Write as _;

use crate::Result;
use crate::layout::{Descriptor, Layout, MANIFEST, digest};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// An image with one layer, in which the file `plugin.wasm` is. Istio calls it the compatible form.
pub fn image(layout: &mut Layout, module: &[u8]) -> Result<Descriptor> {
    let tar = tar(module)?;
    let mut gzip = GzBuilder::new()
        .mtime(0)
        .operating_system(255) // unknown
        .write(Vec::new(), Compression::best());
    gzip.write_all(&tar)?;
    let layer = gzip.finish()?;
    let layer = layout.blob("application/vnd.oci.image.layer.v1.tar+gzip", &layer)?;
    let config = json!({
        "architecture": "wasm",
        "os": "wasip1",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [digest(&tar)] },
    });
    let config = config.to_string();
    let kind = "application/vnd.oci.image.config.v1+json";
    let config = layout.blob(kind, config.as_bytes())?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.json(),
        "layers": [layer.json()],
        "annotations": annotations(),
    });
    layout.manifest(VERSION, &manifest)
}

/// Two layers, a description and the module itself: the WASM Artifact Image Specification.
pub fn artifact(layout: &mut Layout, module: &[u8]) -> Result<Descriptor> {
    let description = json!({
        "type": "envoy_proxy",
        "abiVersions": ["proxy_abi_version_0_2_1"],
        "config": { "root_ids": [""] },
    });
    let description = description.to_string();
    let kind = "application/vnd.module.wasm.config.v1+json";
    let description = layout.blob(kind, description.as_bytes())?;
    let module = layout.blob("application/vnd.module.wasm.content.layer.v1+wasm", module)?;
    let titled = |layer: &Descriptor, title: &str| {
        let mut layer = layer.json();
        layer["annotations"] = json!({ "org.opencontainers.image.title": title });
        layer
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": module.kind,
        "config": empty(layout)?.json(),
        "layers": [titled(&description, "runtime-config.json"), titled(&module, "plugin.wasm")],
        "annotations": annotations(),
    });
    layout.manifest(&format!("{VERSION}-artifact"), &manifest)
}

/// The bill of materials of an image, which registries list among its referrers.
pub fn bill(layout: &mut Layout, materials: &Value, image: &Descriptor) -> Result<Descriptor> {
    let text = format!("{materials:#}\n");
    let materials = layout.blob("application/vnd.cyclonedx+json", text.as_bytes())?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": materials.kind,
        "config": empty(layout)?.json(),
        "layers": [materials.json()],
        "subject": image.json(),
    });
    layout.manifest(&format!("{VERSION}-sbom"), &manifest)
}

fn empty(layout: &mut Layout) -> Result<Descriptor> {
    layout.blob("application/vnd.oci.empty.v1+json", b"{}")
}

fn annotations() -> Value {
    json!({
        "org.opencontainers.image.title": "keygate-filter",
        "org.opencontainers.image.description": "Keygate: API keys and signed URLs in Envoy",
        "org.opencontainers.image.version": VERSION,
        "org.opencontainers.image.licenses": "Apache-2.0",
    })
}

/// An archive with the module alone; its user and its time are 0.
fn tar(module: &[u8]) -> Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(u64::try_from(module.len())?);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_data(&mut header, "plugin.wasm", module)?;
    Ok(builder.into_inner()?)
}
