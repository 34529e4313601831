//! What helm makes of `envoy/chart`: valid for the schemas of Kubernetes, and safe.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::tools::{attempt, run, tool};

/// The oldest and the newest Kubernetes that the manifests are checked for.
const KUBERNETES: [&str; 2] = ["1.32", "1.37"];

/// Everything that can be set, set.
const ALL: [&str; 19] = [
    "image.digest=\"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"",
    "image.pullSecrets=[{\"name\":\"registry\"}]",
    "config=\"[limits]\\nmax_lifetime = \\\"365d\\\"\\n\"",
    "store.sqlite.storageClass=\"fast\"",
    "store.sqlite.accessModes=[\"ReadWriteOncePod\"]",
    "service.annotations={\"a\":\"b\"}",
    "networkPolicy.from=[{\"namespaceSelector\":{\"matchLabels\":{\"kubernetes.io/metadata.name\":\"istio-ingress\"}},\"podSelector\":{\"matchLabels\":{\"istio\":\"ingressgateway\"}}}]",
    "networkPolicy.egress=[{\"to\":[{\"ipBlock\":{\"cidr\":\"192.0.2.0/24\"}}],\"ports\":[{\"port\":443,\"protocol\":\"TCP\"}]}]",
    "podDisruptionBudget.maxUnavailable=0",
    "serviceMonitor.enabled=true",
    "serviceMonitor.labels={\"release\":\"prometheus\"}",
    "resources={\"requests\":{\"cpu\":\"1\"},\"limits\":{\"memory\":\"1Gi\"}}",
    "podAnnotations={\"a\":\"b\"}",
    "podLabels={\"team\":\"core\"}",
    "nodeSelector={\"disk\":\"ssd\"}",
    "tolerations=[{\"key\":\"a\",\"operator\":\"Exists\"}]",
    "affinity={\"nodeAffinity\":{}}",
    "priorityClassName=\"high\"",
    "secret=\"other\"",
];

/// Everything that can be left out, left out.
const LEAST: [&str; 4] = [
    "store.sqlite.existingClaim=\"mine\"",
    "networkPolicy.enabled=false",
    "podDisruptionBudget.enabled=false",
    "resources={}",
];

/// With PostgreSQL.
const REPLICAS: [&str; 4] = [
    "replicas=3",
    "store.postgres.enabled=true",
    "store.postgres.secret=\"store\"",
    "store.postgres.certificates=\"store-ca\"",
];

/// What helm renders with these values, as text; `None` where there is no helm.
fn rendered(set: &[&str]) -> Option<String> {
    let mut helm = tool("helm")?;
    helm.args([
        "template",
        "keygate",
        "envoy/chart",
        "--namespace",
        "keygate",
    ]);
    let set = set.iter().flat_map(|value| ["--set-json", value]);
    Some(run(helm.args(set)))
}

/// The resources in such a text by their kind.
fn kinds(text: &str) -> BTreeMap<String, Value> {
    let resources: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    let kind = |resource: &Value| resource["kind"].as_str().unwrap().to_owned();
    resources.into_iter().map(|it| (kind(&it), it)).collect()
}

/// What a validator of a version of Kubernetes says of a text; `None` where there is none.
fn validated(text: &str, version: &str) -> Option<(bool, String)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rendered.yaml");
    fs::write(&file, text).unwrap();
    let mut validator = tool("kubernetes-validate")?;
    validator.args(["--strict", "--kubernetes-version", version]);
    Some(attempt(validator.arg(file)))
}

#[test]
fn helm_has_nothing_to_say_of_the_chart() {
    let Some(mut helm) = tool("helm") else {
        return;
    };
    run(helm.args(["lint", "--strict", "envoy/chart"]));
}

#[test]
fn every_resource_of_the_chart_is_valid_for_kubernetes() {
    for set in [&[][..], &ALL, &LEAST, &REPLICAS] {
        for version in KUBERNETES {
            let Some(text) = rendered(set) else {
                return;
            };
            let (is_valid, printed) = validated(&text, version).unwrap();
            assert!(is_valid, "{set:?}: {printed}");
            // Of the Prometheus operator, whose schema the validator does not have: see below.
            let unknown = printed.lines().filter(|line| line.starts_with("WARN"));
            let is_operators = |line: &str| line.contains("kind ServiceMonitor");
            let unknown: Vec<_> = unknown.filter(|line| !is_operators(line)).collect();
            assert_eq!(unknown, Vec::<&str>::new(), "{set:?}");
        }
    }
}

/// An unknown field, a wrong type, a missing field. Lists of values are not in these schemas.
#[test]
fn a_broken_resource_of_the_chart_is_rejected() {
    let Some(text) = rendered(&[]) else {
        return;
    };
    for (right, wrong) in [
        ("readOnlyRootFilesystem: true", "readOnlyRoot: true"),
        ("replicas: 1", "replicas: one"),
        ("storage: 1Gi", "storage: true"),
        ("claimName: keygate", "readOnly: false"),
        ("maxUnavailable: 1", "maxUnavailable: true"),
    ] {
        assert!(text.contains(right), "{text}");
        let (is_valid, printed) =
            validated(&text.replacen(right, wrong, 1), KUBERNETES[1]).unwrap();
        assert!(!is_valid, "{wrong}: {printed}");
    }
}

#[test]
fn one_pod_owns_the_file_and_may_do_nothing_else() {
    let Some(text) = rendered(&[]) else {
        return;
    };
    let kinds = kinds(&text);
    let expected = [
        "Deployment",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    ];
    assert!(kinds.keys().eq(expected), "{:?}", kinds.keys());
    let spec = &kinds["Deployment"]["spec"];
    assert_eq!(spec["replicas"], 1);
    assert_eq!(spec["strategy"], json!({ "type": "Recreate" }));
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_ne!(pod["securityContext"]["runAsUser"], 0);
    let container = &pod["containers"][0];
    let security = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": { "drop": ["ALL"] },
    });
    assert_eq!(container["securityContext"], security);
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthz");
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    // Secrets come by reference alone.
    assert_eq!(
        container["envFrom"],
        json!([{ "secretRef": { "name": "keygate" } }])
    );
    assert_eq!(container.get("env"), None);
    assert_eq!(
        kinds["NetworkPolicy"]["spec"]["policyTypes"],
        json!(["Ingress", "Egress"])
    );
}

/// Replicas share a database, whose URL is in a Secret, and no file.
#[test]
fn replicas_have_a_database_and_no_volume() {
    let Some(text) = rendered(&REPLICAS) else {
        return;
    };
    let kinds = kinds(&text);
    assert!(!kinds.contains_key("PersistentVolumeClaim"));
    let spec = &kinds["Deployment"]["spec"];
    assert_eq!(spec["replicas"], 3);
    // One after the other, and never fewer.
    assert_eq!(spec["strategy"]["type"], "RollingUpdate");
    assert_eq!(spec["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
    let pod = &spec["template"]["spec"];
    assert_eq!(
        pod["topologySpreadConstraints"][0]["labelSelector"],
        spec["selector"]
    );
    let container = &pod["containers"][0];
    assert_eq!(container["args"], json!(["serve", "--listen=0.0.0.0:8801"]));
    let url = json!({ "name": "KEYGATE_STORE", "valueFrom": { "secretKeyRef": {
        "name": "store", "key": "KEYGATE_STORE" } } });
    assert_eq!(container["env"], json!([url]));
    let certificates = json!({ "name": "certificates", "configMap": { "name": "store-ca" } });
    let volumes = pod["volumes"].as_array().unwrap();
    assert!(volumes.contains(&certificates), "{volumes:?}");
    assert!(volumes.iter().all(|it| it["name"] != "data"), "{volumes:?}");
}

/// The labels by which a service, a budget and a policy find the pod are its labels, also beside
/// labels of the operator.
#[test]
fn every_selector_finds_the_pod() {
    let Some(text) = rendered(&ALL) else {
        return;
    };
    let kinds = kinds(&text);
    let labels = &kinds["Deployment"]["spec"]["template"]["metadata"]["labels"];
    for (kind, place) in [
        ("Deployment", "/spec/selector/matchLabels"),
        ("NetworkPolicy", "/spec/podSelector/matchLabels"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("Service", "/spec/selector"),
    ] {
        let selector = kinds[kind].pointer(place).unwrap().as_object().unwrap();
        assert!(!selector.is_empty(), "{kind}");
        for (name, value) in selector {
            assert_eq!(labels[name], *value, "{kind}: {name}");
        }
    }
    // That of the Prometheus operator finds the service, whose port has that name.
    let monitor = &kinds["ServiceMonitor"]["spec"];
    let service = &kinds["Service"];
    for (name, value) in monitor["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(service["metadata"]["labels"][name], *value, "{name}");
    }
    assert_eq!(
        monitor["endpoints"],
        json!([{ "port": "http", "path": "/metrics", "interval": "30s" }])
    );
    assert_eq!(service["spec"]["ports"][0]["name"], "http");
}

/// The commands that the page shows: helm renders instead of installing, and kubectl prints.
#[test]
fn the_commands_of_the_page_about_kubernetes_are_accepted() {
    let page = keygate_tests::repository().join("docs/kubernetes.md");
    let page = fs::read_to_string(page).unwrap();
    let commands = page.lines().filter_map(|line| line.strip_prefix("    "));
    let commands: Vec<&str> = commands.filter(|line| !line.starts_with(' ')).collect();
    let mut count = 0;
    for command in commands {
        let words: Vec<&str> = command.split_whitespace().collect();
        let Some(mut program) = (match words[0] {
            "helm" | "kubectl" => tool(words[0]),
            _ => continue,
        }) else {
            return;
        };
        match words[1] {
            "install" => program.arg("template").args(&words[2..]),
            "create" => program
                .args(&words[1..])
                .args(["--dry-run=client", "-o", "yaml"]),
            other => panic!("{other}: {command}"),
        };
        let printed = run(&mut program);
        let (is_valid, told) = validated(&printed, KUBERNETES[1]).unwrap();
        assert!(is_valid, "{command}: {told}");
        count += 1;
    }
    assert!(count >= 3, "only {count} commands");
}
