//! The manifests for Kubernetes that users copy, as values.

use serde_json::Value;

use crate::repository;

/// The resources in a file of the repository, in their order.
///
/// # Panics
/// If the file is missing or is not valid YAML.
#[must_use]
pub fn resources(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(repository().join(path));
    let text = text.unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The only resource in a file of the repository.
///
/// # Panics
/// If the file is missing, is not valid YAML, or has another number of resources.
#[must_use]
pub fn resource(path: &str) -> Value {
    let [resource] = resources(path).try_into().unwrap_or_else(|all: Vec<_>| {
        panic!("{path}: {} resources", all.len());
    });
    resource
}
