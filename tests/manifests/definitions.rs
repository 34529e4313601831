//! The definitions of custom resources, from the folder that `KEYGATE_CRDS` names.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// Such a folder.
pub struct Definitions(PathBuf);

impl Definitions {
    /// `None` if the variable is not set. What is then not tested is printed.
    pub fn find() -> Option<Self> {
        match std::env::var_os("KEYGATE_CRDS") {
            Some(folder) => Some(Self(folder.into())),
            None => {
                eprintln!(
                    "!!! SKIPPED: KEYGATE_CRDS is not set, so the manifests of Istio and Envoy Gateway \
                     are not checked against the definitions of their resources (CONTRIBUTING.md)"
                );
                None
            }
        }
    }

    /// What is wrong in a resource, one line each with the path of the field.
    #[track_caller]
    pub fn faults(&self, resource: &Value) -> Vec<String> {
        let validator = jsonschema::validator_for(&self.schema(resource)).unwrap();
        let errors = validator.iter_errors(resource);
        errors
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    /// The schema of the version that a resource names. As in a cluster with strict validation, a
    /// field that the schema does not name is wrong.
    #[track_caller]
    fn schema(&self, resource: &Value) -> Value {
        let kind = resource["kind"].as_str().unwrap();
        let (group, version) = resource["apiVersion"]
            .as_str()
            .unwrap()
            .split_once('/')
            .unwrap();
        let text = self.text(kind, group);
        let definition: Value = serde_saphyr::from_str(&text).unwrap();
        let mut versions = definition["spec"]["versions"].as_array().unwrap().iter();
        let version = versions.find(|it| it["name"] == version && it["served"] == true);
        let version = version.unwrap_or_else(|| panic!("{kind}: no such version is served"));
        let mut schema = version["schema"]["openAPIV3Schema"].clone();
        for field in ["apiVersion", "kind", "metadata"] {
            schema["properties"][field] = json!({});
        }
        close(&mut schema);
        schema
    }

    /// The file with the definition of a kind.
    #[track_caller]
    fn text(&self, kind: &str, group: &str) -> String {
        let mut found = files(&self.0)
            .into_iter()
            .filter(|file| file.extension().is_some_and(|it| it == "yaml"))
            .map(|file| fs::read_to_string(file).unwrap())
            .filter(|text| text.contains(&format!("\n  group: {group}\n")))
            .filter(|text| text.contains(&format!("\n    kind: {kind}\n")));
        let folder = self.0.display();
        found
            .next()
            .unwrap_or_else(|| panic!("{folder} has no definition of {kind} in {group}"))
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| {
        panic!(
            "KEYGATE_CRDS is '{}', which cannot be read: {error}",
            folder.display()
        )
    });
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

/// Rejects unknown fields at every depth, except where the schema keeps them.
fn close(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    let keeps = schema.contains_key("x-kubernetes-preserve-unknown-fields");
    if schema.contains_key("properties") && !keeps {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    properties
        .into_iter()
        .flat_map(Map::values_mut)
        .for_each(close);
    for place in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(place) {
            close(inner);
        }
    }
}
