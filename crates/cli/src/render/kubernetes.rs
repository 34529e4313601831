//! What the resources of Istio and of Envoy Gateway have in common.

use serde_json::{Value, json};

use super::policy::Written;
use super::{Args, File, Kind};
use crate::error::CliError;

/// The largest policy. etcd takes requests of 1.5 MiB, and there is more in a resource.
const MAX_BYTES: usize = 1024 * 1024;

/// Beyond this, `kubectl apply` cannot keep its copy of a resource, which is an annotation.
const MAX_APPLIED: usize = 256 * 1024;

/// The variables of a container, each from the Secret.
pub fn variables(args: &Args, policy: &Written) -> Vec<Value> {
    let secret = args.secret.as_deref().unwrap_or("keygate-edge");
    let variable = |name: &String| {
        json!({ "name": name,
            "valueFrom": { "secretKeyRef": { "name": secret, "key": name } } })
    };
    policy.variables.iter().map(variable).collect()
}

/// Refuses variables whose names begin like this.
pub fn refuse_variables(policy: &Written, prefix: &str, why: &str) -> Result<(), CliError> {
    let mut found = None;
    policy.leaves(&mut |path, json| {
        let is_name = path.ends_with(".env") || path == "key_service.token_env";
        if is_name && json.trim_start_matches('"').starts_with(prefix) {
            found.get_or_insert_with(|| path.to_owned());
        }
    });
    match found {
        Some(path) => Err(policy.refuse(&path, why)),
        None => Ok(()),
    }
}

/// Refuses a policy that Kubernetes would not store, at its longest text.
pub fn refuse_size(policy: &Written) -> Result<(), CliError> {
    let size = policy.root().to_string().len();
    if size <= MAX_BYTES {
        return Ok(());
    }
    let mut longest = (0, String::new());
    policy.leaves(&mut |path, json| {
        if json.len() > longest.0 {
            longest = (json.len(), path.to_owned());
        }
    });
    let why = format!(
        "the policy has {size} bytes, and Kubernetes stores at most {MAX_BYTES}: make its longest \
         text, this one of {} bytes, shorter",
        longest.0
    );
    Err(policy.refuse(&longest.1, &why))
}

/// What to know before these files are applied.
pub fn notes(args: &Args, policy: &Written, files: &[File]) -> Vec<String> {
    let secret = args.secret.as_deref().unwrap_or("keygate-edge");
    let mut notes = Vec::new();
    if !policy.variables.is_empty() {
        let names = policy.variables.join(", ");
        notes.push(format!("the Secret {secret} must have {names}"));
    }
    if args.image.is_none() {
        notes.push("the image is an example: name yours with --image".to_owned());
    }
    if policy.root().to_string().len() > MAX_APPLIED {
        notes.push("this policy is so long that it needs `kubectl apply --server-side`".to_owned());
    }
    let values = files.iter().filter(|file| file.kind == Kind::Values);
    let values: Vec<&str> = values.map(|file| file.name).collect();
    if args.output.is_none() {
        notes.push(format!(
            "values for Helm charts are not printed, but written with --output: {}",
            values.join(", ")
        ));
    }
    notes
}
