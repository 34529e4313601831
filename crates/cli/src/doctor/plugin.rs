//! The wasm filter that is Keygate: how it fails, its virtual machine, its policy and its variables.

use std::collections::BTreeSet;

use keygate_core::Policy;
use serde_json::Value;

use super::at::At;
use super::exam::{Exam, Gate, KeyService};
use super::findings::Id;
use super::{jwt, known};
use crate::environment::StandIns;

const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";
const TEXT: &str = "google.protobuf.StringValue";
const RUNTIME: &str = "envoy.wasm.runtime.v8";
const NAME: &str = "keygate";

/// Whether a filter is Keygate: a wasm filter with a policy, or with the name.
pub fn is_keygate(r#type: &str, name: &str, config: &At<'_>) -> bool {
    if r#type != WASM {
        return false;
    }
    let plugin = config.inside("config");
    let plugin_name = plugin.as_ref().map_or("", |it| it.text("name"));
    // In Istio, the namespace comes first.
    let is_named = |name: &str| name.rsplit('.').next() == Some(NAME);
    is_named(name) || is_named(plugin_name) || plugin.is_some_and(|it| is_policy(policy_text(&it)))
}

fn is_policy(text: Option<&str>) -> bool {
    let policy: Option<Value> = text.and_then(|it| serde_json::from_str(it).ok());
    policy.is_some_and(|it| it.get("rules").is_some() && it.get("unmatched").is_some())
}

fn policy_text<'d>(plugin: &At<'d>) -> Option<&'d str> {
    let (r#type, config) = plugin.typed("configuration")?;
    let value = config.json().get("value")?.as_str();
    value.filter(|_| r#type == TEXT)
}

/// Examines the configuration of the filter. Adds its policy to the gate, if it has one.
pub fn examine(exam: &mut Exam<'_>, wasm: &At<'_>, gate: &mut Gate) {
    known::WASM.check(wasm, &mut exam.findings);
    let nothing = At::new(&Value::Null, wasm.place.clone());
    let plugin = wasm.inside("config").unwrap_or_else(|| nothing.clone());
    known::PLUGIN.check(&plugin, &mut exam.findings);
    match plugin.text("failure_policy") {
        "FAIL_OPEN" => exam.add(Id::FailOpen, &plugin),
        _ if plugin.is_true("fail_open") => exam.add(Id::FailOpen, &plugin),
        "FAIL_RELOAD" => {}
        _ => exam.add(Id::NoReload, &plugin),
    }
    let vm = plugin.inside("vm_config").unwrap_or(nothing);
    examine_vm(exam, &vm);
    let Some(text) = policy_text(&plugin) else {
        return exam.add(Id::PolicyUnreadable, &plugin);
    };
    let stand_ins = StandIns::of(text.as_bytes());
    let policy = Policy::parse(text.as_bytes(), &|name| stand_ins.get(name));
    examine_variables(exam, &vm, &stand_ins.asked());
    let written: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(service) = key_service(&written)
        && !exam.services.contains(&service)
    {
        exam.services.push(service);
    }
    gate.headers.extend(jwt::headers_of(&written));
    match policy {
        Ok(policy) => gate.policies.push(policy),
        Err(problems) => {
            let first = problems.first().map(ToString::to_string);
            exam.say(Id::PolicyRejected, &plugin, first.unwrap_or_default());
        }
    }
}

fn key_service(policy: &Value) -> Option<KeyService> {
    let service = policy.get("key_service")?;
    let text = |name: &str| service.get(name)?.as_str().map(str::to_owned);
    let clusters = ["cluster", "poll_cluster"].into_iter();
    Some(KeyService {
        clusters: clusters.filter_map(text).collect(),
        token_env: text("token_env")?,
    })
}

fn examine_vm(exam: &mut Exam<'_>, vm: &At<'_>) {
    known::VM.check(vm, &mut exam.findings);
    let runtime = vm.text("runtime");
    if runtime != RUNTIME {
        exam.say(Id::UnknownRuntime, vm, runtime);
    }
    if vm.is_true("allow_precompiled") {
        exam.add(Id::Precompiled, vm);
    }
    let id = vm.text("vm_id");
    if id.is_empty() || exam.dump.other_vms(is_policy_of).contains(id) {
        exam.say(Id::VmShared, vm, format!("vm_id is {id:?}"));
    }
}

/// Whether a plugin with this configuration is Keygate.
fn is_policy_of(plugin: &At<'_>) -> bool {
    plugin.text("name").rsplit('.').next() == Some(NAME) || is_policy(policy_text(plugin))
}

fn examine_variables(exam: &mut Exam<'_>, vm: &At<'_>, needed: &[String]) {
    let variables = vm.inside("environment_variables");
    let json = |name: &str| variables.as_ref().and_then(|it| it.json().get(name));
    let host = json("host_env_keys").and_then(Value::as_array);
    let host: BTreeSet<&str> = host
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let inline = json("key_values").and_then(Value::as_object);
    for name in needed {
        if inline.is_some_and(|it| it.contains_key(name)) {
            exam.say(Id::SecretInConfig, vm, name);
        } else if !host.contains(name.as_str()) {
            exam.say(Id::VariableMissing, vm, name);
        }
    }
}
