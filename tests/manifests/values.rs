//! The values of the chart: those that it ships fit its schema, and wrong ones are rejected. With
//! and without helm, since helm reads the same schema.

use std::fs;

use keygate_tests::manifests::resource;
use keygate_tests::repository;
use serde_json::{Value, json};

use crate::tools::{attempt, tool};

/// A value of the wrong type or form, as `helm --set-json` takes it.
pub const WRONG: [(&str, &str); 25] = [
    ("image.tag", "1"),
    ("image.digest", "\"sha256:1\""),
    ("image.pullPolicy", "\"Sometimes\""),
    ("image.repository", "\"\""),
    ("image.pullSecrets", "[\"registry\"]"),
    ("secret", "\"\""),
    ("secret", "{\"KEYGATE_APP_KEYS\":\"x\"}"),
    ("config", "{\"limits\":{}}"),
    ("store.sqlite.size", "\"one\""),
    ("store.sqlite.accessModes", "[\"ReadWriteMany\"]"),
    ("store.sqlite.existingClaim", "true"),
    ("store.postgres.url", "\"postgres://keygate:x@db/keygate\""),
    ("store.postgres.enabled", "\"yes\""),
    ("store.postgres.secret", "[\"store\"]"),
    ("replicas", "0"),
    ("replicas", "2"),
    ("service.port", "\"8801\""),
    ("service.pollPort", "0"),
    ("networkPolicy.enabled", "\"yes\""),
    ("networkPolicy.from", "[{\"pods\":{}}]"),
    ("podDisruptionBudget.maxUnavailable", "\"50%\""),
    ("serviceMonitor.interval", "30"),
    ("resources.limits.memory", "\"much\""),
    ("podLabels", "[]"),
    ("tolerations", "{}"),
];

fn schema() -> jsonschema::Validator {
    let path = repository().join("envoy/chart/values.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn values() -> Value {
    resource("envoy/chart/values.yaml")
}

#[test]
fn the_values_of_the_chart_fit_its_schema() {
    let faults: Vec<_> = schema()
        .iter_errors(&values())
        .map(|it| format!("{}: {it}", it.instance_path()))
        .collect();
    assert_eq!(faults, Vec::<String>::new());
}

/// Images are tagged with the version of the workspace.
#[test]
fn the_chart_and_the_composition_name_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let chart = resource("envoy/chart/Chart.yaml");
    assert_eq!(chart["appVersion"], version);
    let services = resource("envoy/compose.yaml");
    for (service, image) in [("keygate", "keygate"), ("upstream", "keygate-echo")] {
        let expected = format!("{image}:{version}");
        assert_eq!(services["services"][service]["image"], expected);
    }
}

/// Every value is in the schema, so that none is accepted with any type.
#[test]
fn the_schema_knows_every_value_and_no_other() {
    let schema = schema();
    let shipped = values();
    let mut unknown = shipped.clone();
    unknown["strategy"] = json!("RollingUpdate");
    assert!(!schema.is_valid(&unknown));
    for (group, members) in shipped.as_object().unwrap() {
        let is_free = ["podAnnotations", "podLabels", "nodeSelector", "affinity"];
        if members.is_object() && !is_free.contains(&group.as_str()) {
            let mut unknown = shipped.clone();
            unknown[group]["keygate"] = json!({});
            assert!(!schema.is_valid(&unknown), "{group}");
        }
    }
}

#[test]
fn a_wrong_value_is_rejected() {
    let schema = schema();
    for (path, value) in WRONG {
        let mut wrong = values();
        let place = path.split('.').fold(&mut wrong, |it, name| &mut it[name]);
        *place = serde_json::from_str(value).unwrap();
        assert!(!schema.is_valid(&wrong), "{path}={value}");
    }
}

#[test]
fn helm_rejects_a_wrong_value_and_names_it() {
    for (path, value) in WRONG {
        let Some(mut helm) = tool("helm") else {
            return;
        };
        let set = format!("{path}={value}");
        let (is_rendered, printed) =
            attempt(helm.args(["template", "keygate", "envoy/chart", "--set-json", &set]));
        let name = path.rsplit('.').next().unwrap();
        assert!(!is_rendered && printed.contains(name), "{set}: {printed}");
    }
}
