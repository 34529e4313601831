//! A folder with blobs and an index (OCI image layout specification 1.1).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Result;

/// The media type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What refers to a blob: its type, digest and size.
#[derive(Clone)]
pub struct Descriptor {
    /// Its media type.
    pub kind: &'static str,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    size: usize,
}

impl Descriptor {
    /// As a manifest contains it.
    pub fn json(&self) -> Value {
        json!({ "mediaType": self.kind, "digest": self.digest, "size": self.size })
    }
}

/// Such a folder, until it is finished.
pub struct Layout {
    folder: PathBuf,
    manifests: Vec<Value>,
}

impl Layout {
    /// Begins an empty layout in place of what is there.
    pub fn create(folder: &Path) -> Result<Self> {
        let is_layout = folder.join("oci-layout").is_file();
        if folder.exists() && !is_layout && fs::read_dir(folder)?.next().is_some() {
            let folder = folder.display();
            return Err(format!("{folder} is not empty, and is no OCI layout").into());
        }
        if is_layout {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder.join("blobs/sha256"))?;
        Ok(Self {
            folder: folder.to_owned(),
            manifests: Vec::new(),
        })
    }

    /// Adds a blob.
    pub fn blob(&mut self, kind: &'static str, bytes: &[u8]) -> Result<Descriptor> {
        let digest = digest(bytes);
        let (_, hex) = digest.split_once(':').unwrap_or_default();
        fs::write(self.folder.join("blobs/sha256").join(hex), bytes)?;
        Ok(Descriptor {
            kind,
            digest,
            size: bytes.len(),
        })
    }

    /// Adds a manifest under a name.
    pub fn manifest(&mut self, name: &str, manifest: &Value) -> Result<Descriptor> {
        let descriptor = self.blob(MANIFEST, manifest.to_string().as_bytes())?;
        let mut entry = descriptor.json();
        if let Some(kind) = manifest.get("artifactType") {
            entry["artifactType"] = kind.clone();
        }
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        self.manifests.push(entry);
        Ok(descriptor)
    }

    /// Writes the index. Without it the folder is not a layout.
    pub fn finish(self) -> Result<()> {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": self.manifests,
        });
        fs::write(self.folder.join("index.json"), index.to_string())?;
        let version = json!({ "imageLayoutVersion": "1.0.0" });
        fs::write(self.folder.join("oci-layout"), version.to_string())?;
        Ok(())
    }
}

/// The SHA-256 of these bytes: `sha256:` and 64 hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let digits = hash.iter().map(|byte| format!("{byte:02x}"));
    format!("sha256:{}", digits.collect::<String>())
}
