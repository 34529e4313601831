//! The bill of materials of a program: every crate that is compiled into it (CycloneDX 1.6).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use serde_json::{Value, json};

use crate::Result;
use crate::layout::digest;

/// What cargo resolves for a program.
pub struct Materials {
    metadata: Metadata,
    /// Its packages but itself, and the references of what each needs.
    packages: BTreeMap<String, (PackageId, BTreeSet<String>)>,
    root: (PackageId, BTreeSet<String>),
}

impl Materials {
    /// Asks cargo, which must not change Cargo.lock, about a package and the target that it is built for.
    pub fn read(root: &str, target: &str) -> Result<Self> {
        let options = ["--locked", "--filter-platform", target].map(str::to_owned);
        let metadata = MetadataCommand::new().other_options(options).exec()?;
        let found = metadata.packages.iter().find(|it| it.name == root);
        let root = found.ok_or_else(|| format!("the workspace has no package {root}"))?;
        let mut packages = BTreeMap::new();
        let mut waiting = VecDeque::from([root.id.clone()]);
        while let Some(id) = waiting.pop_front() {
            let needed = needed(&metadata, &id)?;
            let references: Result<BTreeSet<String>> = needed
                .iter()
                .map(|id| Ok(reference(package(&metadata, id)?)))
                .collect();
            let own = reference(package(&metadata, &id)?);
            if packages.insert(own, (id, references?)).is_none() {
                waiting.extend(needed);
            }
        }
        let root = packages.remove(&reference(root)).ok_or("no root")?;
        Ok(Self {
            metadata,
            packages,
            root,
        })
    }

    /// The packages that are compiled into the program but its own.
    pub fn crates(&self) -> impl Iterator<Item = &Package> {
        let packages = self.packages.values();
        packages.filter_map(|(id, _)| package(&self.metadata, id).ok())
    }

    /// Whether the package itself is a program, and not a module that another one loads.
    fn is_command(&self) -> bool {
        let root = package(&self.metadata, &self.root.0);
        root.is_ok_and(|it| it.targets.iter().any(cargo_metadata::Target::is_bin))
    }

    /// The document, for a program with these bytes. Without a time and a serial number, which would
    /// make each build another one.
    pub fn document(&self, program: &[u8]) -> Value {
        let component = |id: &PackageId| package(&self.metadata, id).map(component);
        let components = self.packages.values().map(|(id, _)| component(id));
        let components: Vec<Value> = components.filter_map(Result::ok).collect();
        let mut root = component(&self.root.0).unwrap_or_default();
        let digest = digest(program);
        let (_, hex) = digest.split_once(':').unwrap_or_default();
        if self.is_command() {
            root["type"] = json!("application");
        }
        root["hashes"] = json!([{ "alg": "SHA-256", "content": hex }]);
        let all = self.packages.iter();
        let all = all.map(|(name, (_, needed))| json!({ "ref": name, "dependsOn": needed }));
        let first = json!({ "ref": root["bom-ref"], "dependsOn": self.root.1 });
        let dependencies: Vec<Value> = [first].into_iter().chain(all).collect();
        json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": { "component": root },
            "components": components,
            "dependencies": dependencies,
        })
    }
}

/// What is compiled into a package: not what only builds or tests it, and no macro.
fn needed(metadata: &Metadata, id: &PackageId) -> Result<Vec<PackageId>> {
    let resolve = metadata.resolve.as_ref().ok_or("cargo resolved nothing")?;
    let mut nodes = resolve.nodes.iter();
    let node = nodes.find(|it| it.id == *id);
    let node = node.ok_or_else(|| format!("cargo did not resolve {id}"))?;
    let is_normal = |kind: &cargo_metadata::DepKindInfo| kind.kind == DependencyKind::Normal;
    let is_macro = |id: &PackageId| {
        let package = package(metadata, id)?;
        Ok::<_, Box<dyn std::error::Error>>(package.targets.iter().any(|it| it.is_proc_macro()))
    };
    let mut needed = Vec::new();
    for dependency in &node.deps {
        let is_normal = dependency.dep_kinds.iter().any(is_normal);
        if is_normal && !is_macro(&dependency.pkg)? {
            needed.push(dependency.pkg.clone());
        }
    }
    Ok(needed)
}

fn package<'m>(metadata: &'m Metadata, id: &PackageId) -> Result<&'m Package> {
    let mut packages = metadata.packages.iter();
    let package = packages.find(|it| it.id == *id);
    package.ok_or_else(|| format!("cargo names {id}, and does not describe it").into())
}

/// A package URL, by which a component is named.
fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

fn component(package: &Package) -> Value {
    let reference = reference(package);
    let mut component = json!({
        "type": "library",
        "bom-ref": reference,
        "name": package.name.as_str(),
        "version": package.version.to_string(),
        "purl": reference,
        "scope": "required",
    });
    if let Some(license) = &package.license {
        // An older crate has "MIT/Apache-2.0".
        let license = license.replace('/', " OR ");
        component["licenses"] = json!([{ "expression": license }]);
    }
    component
}
