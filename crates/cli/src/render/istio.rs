//! For Istio: the files of `envoy/istio` with the policy.

use serde_json::{Value, json};

use super::policy::Written;
use super::service::{Host, Service};
use super::template::Template;
use super::{Args, File, Kind, Platform, Version, comment, kubernetes};
use crate::error::CliError;

/// Every integer up to this one is the same as a floating-point number.
const LARGEST_EXACT: u128 = 1 << 53;

/// A file of `envoy/istio`, and where its parts are. A row is one file.
struct Row {
    name: &'static str,
    text: &'static str,
    kind: Kind,
    /// Follows the name of the plugin in the name of this resource.
    suffix: &'static str,
    /// Where the labels of the gateway's pods are.
    selector: Option<&'static str>,
}

const PLUGIN: Row = Row {
    name: "plugin.yaml",
    text: include_str!("../../../../envoy/istio/plugin.yaml"),
    kind: Kind::Resource,
    suffix: "",
    selector: Some("spec.selector.matchLabels"),
};

const EXTENSION: Row = Row {
    name: "traffic-extension.yaml",
    text: include_str!("../../../../envoy/istio/traffic-extension.yaml"),
    ..PLUGIN
};

const CONNECTIONS: Row = Row {
    name: "envoy-filter.yaml",
    text: include_str!("../../../../envoy/istio/envoy-filter.yaml"),
    suffix: "-connections",
    selector: Some("spec.workloadSelector.labels"),
    ..PLUGIN
};

const TELEMETRY: Row = Row {
    name: "telemetry.yaml",
    text: include_str!("../../../../envoy/istio/telemetry.yaml"),
    ..PLUGIN
};

const CALLERS: Row = Row {
    name: "key-service.yaml",
    text: include_str!("../../../../envoy/istio/key-service.yaml"),
    ..PLUGIN
};

const ENTRY: Row = Row {
    name: "external-key-service.yaml",
    text: include_str!("../../../../envoy/istio/external-key-service.yaml"),
    suffix: "-keys",
    selector: None,
    ..PLUGIN
};

const MESH: Row = Row {
    name: "mesh-values.yaml",
    text: include_str!("../../../../envoy/istio/mesh-values.yaml"),
    kind: Kind::Values,
    suffix: "",
    selector: None,
};

const GATEWAY: Row = Row {
    name: "gateway-values.yaml",
    text: include_str!("../../../../envoy/istio/gateway-values.yaml"),
    ..MESH
};

impl Row {
    fn template(&self, args: &Args) -> Result<Template, CliError> {
        let mut template = Template::new(self.text, &comment(args.platform));
        if self.kind == Kind::Values {
            return Ok(template);
        }
        if let Some(name) = &args.name {
            template.set("metadata.name", &format!("{name}{}", self.suffix))?;
        }
        if let Some(namespace) = &args.namespace {
            template.set("metadata.namespace", namespace)?;
        }
        if let (Some(place), Some((label, value))) = (self.selector, &args.selector) {
            template.set(place, &json!({ label: value }))?;
        }
        Ok(template)
    }

    fn file(&self, template: Template) -> File {
        File {
            name: self.name,
            text: template.into_text(),
            kind: self.kind,
        }
    }
}

/// Where the key service is for Istio.
struct Place {
    host: Host,
    /// The port for polls of the change feed.
    polls: u16,
}

impl Place {
    fn of(args: &Args) -> Self {
        let default = Host {
            name: "keygate.keygate.svc.cluster.local".to_owned(),
            port: 8801,
        };
        let given = args.key_service.as_ref().map(|it| it.host.clone());
        let mut host = given.unwrap_or(default);
        if host.name.ends_with(".svc") {
            host.name.push_str(".cluster.local");
        }
        Self {
            polls: args.poll_port.unwrap_or(host.port.saturating_add(1)),
            host,
        }
    }

    /// Name and namespace of the Service, if the key service is in the mesh.
    fn service(&self) -> Option<(&str, &str)> {
        let mut labels = self.host.name.split('.');
        let (name, namespace) = (labels.next()?, labels.next()?);
        (labels.next()? == "svc").then_some((name, namespace))
    }

    fn cluster(&self, port: u16) -> String {
        format!("outbound|{port}||{}", self.host.name)
    }
}

/// Renders the resources, and the values for Istio's charts.
pub fn render(args: &Args, policy: &Written) -> Result<Vec<File>, CliError> {
    let place = Place::of(args);
    refuse(args, policy, &place)?;
    let (plugin, inside) = match args.platform {
        Platform::IstioTrafficExtension => (EXTENSION, "spec.wasm"),
        _ => (PLUGIN, "spec"),
    };
    let mut template = plugin.template(args)?;
    if let Some(image) = &args.image {
        template.set(&format!("{inside}.url"), &format!("oci://{image}"))?;
    }
    let host = |name: &String| json!({ "name": name, "valueFrom": "HOST" });
    let variables: Vec<Value> = policy.variables.iter().map(host).collect();
    template.set(&format!("{inside}.vmConfig.env"), &variables)?;
    let (lookups, polls) = (place.cluster(place.host.port), place.cluster(place.polls));
    let (_, is_apart) = policy.clusters();
    let names = [
        ("key_service.cluster", lookups.as_str()),
        (
            "key_service.poll_cluster",
            if is_apart.is_some() { &polls } else { &lookups },
        ),
        ("key_service.authority", &place.host.name),
    ];
    template.set(&format!("{inside}.pluginConfig"), &policy.with(&names))?;
    let mut files = vec![connections(args, policy)?];
    files.push(TELEMETRY.file(TELEMETRY.template(args)?));
    if policy.has_key_service() {
        files.push(match place.service() {
            Some((_, namespace)) => callers(args, namespace)?,
            None => entry(args, &place)?,
        });
    }
    let mut gateway = GATEWAY.template(args)?;
    gateway.set("envVarFrom", &kubernetes::variables(args, policy))?;
    files.push(GATEWAY.file(gateway));
    files.push(MESH.file(MESH.template(args)?));
    // Last, since kubectl applies it last: it needs everything before it.
    files.push(plugin.file(template));
    Ok(files)
}

fn connections(args: &Args, policy: &Written) -> Result<File, CliError> {
    let mut template = CONNECTIONS.template(args)?;
    if policy.allows_encoded_slash() {
        let place =
            "spec.configPatches[0].patch.value.typed_config.path_with_escaped_slashes_action";
        template.set(place, &"KEEP_UNCHANGED")?;
    }
    Ok(CONNECTIONS.file(template))
}

/// Which workloads may call a key service in the mesh.
fn callers(args: &Args, namespace: &str) -> Result<File, CliError> {
    let mut template = Template::new(CALLERS.text, &comment(args.platform));
    if let Some(name) = &args.name {
        template.set("metadata.name", name)?;
    }
    if args.key_service.is_some() {
        template.set("metadata.namespace", &namespace)?;
    }
    if args.namespace.is_some() || args.service_account.is_some() {
        let namespace = args.namespace.as_deref().unwrap_or("istio-ingress");
        let account = args
            .service_account
            .as_deref()
            .unwrap_or("istio-ingressgateway");
        let principal = format!("cluster.local/ns/{namespace}/sa/{account}");
        template.set("spec.rules[0].from[0].source.principals", &[principal])?;
    }
    Ok(CALLERS.file(template))
}

/// What gives a key service outside the mesh a name there.
fn entry(args: &Args, place: &Place) -> Result<File, CliError> {
    let mut template = ENTRY.template(args)?;
    template.set("spec.hosts", &[&place.host.name])?;
    for (index, port) in [place.host.port, place.polls].into_iter().enumerate() {
        template.set(&format!("spec.ports[{index}].number"), &port)?;
        template.set(&format!("spec.ports[{index}].targetPort"), &place.host.port)?;
    }
    Ok(ENTRY.file(template))
}

/// Refuses what Istio cannot have.
fn refuse(args: &Args, policy: &Written, place: &Place) -> Result<(), CliError> {
    let needed = match args.platform {
        Platform::IstioTrafficExtension => (Version(1, 30), "the resource TrafficExtension"),
        _ => (
            Version(1, 27),
            "failStrategy: FAIL_RELOAD, and variables of a gateway from a Secret",
        ),
    };
    args.needs("Istio", needed.0, needed.1)?;
    kubernetes::refuse_variables(
        policy,
        "ISTIO_META",
        "Istio's agent removes variables whose names \
        begin with ISTIO_META before the filter sees them",
    )?;
    let mut inexact = None;
    policy.leaves(&mut |path, json| {
        let is_integer = json
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-');
        let number = json.trim_start_matches('-').parse::<u128>();
        if is_integer && !number.is_ok_and(|number| number <= LARGEST_EXACT) {
            inexact.get_or_insert_with(|| path.to_owned());
        }
    });
    if let Some(path) = inexact {
        let why = "Istio turns numbers into floating-point numbers, which changes integers above \
                   2^53: write it as text, in quotes";
        return Err(policy.refuse(&path, why));
    }
    for (name, provider) in policy.sessions() {
        for (field, value, what) in [
            (
                "metadata_key",
                "payload",
                "Istio keeps the claims of a token under",
            ),
            (
                "filter",
                "envoy.filters.http.jwt_authn",
                "Istio's filter is called",
            ),
        ] {
            if provider[field].as_str().is_some_and(|it| it != value) {
                let why = format!("{what} \"{value}\": leave this out");
                return Err(policy.refuse(&format!("providers.{name}.{field}"), &why));
            }
        }
    }
    if !policy.has_key_service() {
        return Ok(());
    }
    if place.host.is_address() {
        let why = "Istio names the cluster of a key service after a host, and this is an IP \
                   address: give a DNS name with --key-service";
        return Err(policy.refuse("key_service.cluster", why));
    }
    if matches!(&args.key_service, Some(Service { is_tls: true, .. })) {
        let why = "Istio encrypts calls within the mesh itself, and TLS to a host outside needs a \
                   DestinationRule, which render does not make: give --key-service http://… of a \
                   TLS proxy";
        return Err(policy.refuse("key_service.cluster", why));
    }
    Ok(())
}
