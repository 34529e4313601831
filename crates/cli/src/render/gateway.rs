//! For Envoy Gateway: the files of `envoy/gateway` with the policy.

use super::policy::Written;
use super::template::Template;
use super::{Args, File, Kind, Version, cluster, comment, kubernetes};
use crate::error::CliError;

/// What the shipped files call the Gateway, its namespace, its listener and the policy.
const NAMES: [&str; 4] = ["edge", "public", "https", "keygate"];

/// How many patches of `patch-policy.yaml` are of one listener. Those of the clusters follow.
const PATCHES: usize = 2;

/// Renders the resources, and the values for the chart of Envoy Gateway.
pub fn render(args: &Args, policy: &Written) -> Result<Vec<File>, CliError> {
    args.needs(
        "Envoy Gateway",
        Version(1, 9),
        "the names that the patches use",
    )?;
    let resource = |name: &'static str, template: Template| File {
        name,
        text: template.into_text(),
        kind: Kind::Resource,
    };
    let values = include_str!("../../../../envoy/gateway/gateway-values.yaml");
    let values = Template::new(values, &comment(args.platform));
    Ok(vec![
        resource("proxy.yaml", proxy(args, policy)?),
        resource("client-traffic-policy.yaml", connections(args, policy)?),
        resource("patch-policy.yaml", patches(args, policy)?),
        File {
            kind: Kind::Values,
            ..resource("gateway-values.yaml", values)
        },
        // Last, since kubectl applies it last: it needs everything before it.
        resource("extension-policy.yaml", extension(args, policy)?),
    ])
}

fn template(text: &str, args: &Args) -> Result<Template, CliError> {
    let mut template = Template::new(text, &comment(args.platform));
    if let Some(name) = &args.name {
        template.set("metadata.name", name)?;
    }
    if let Some(namespace) = &args.namespace {
        template.set("metadata.namespace", namespace)?;
    }
    Ok(template)
}

fn extension(args: &Args, policy: &Written) -> Result<Template, CliError> {
    let text = include_str!("../../../../envoy/gateway/extension-policy.yaml");
    let mut template = template(text, args)?;
    if let Some(gateway) = &args.gateway {
        template.set("spec.targetRefs[0].name", gateway)?;
    }
    if let Some(image) = &args.image {
        template.set("spec.wasm[0].code.image.url", image)?;
    }
    template.set("spec.wasm[0].env.hostKeys", &policy.variables)?;
    let host = args.key_service.as_ref().map(|it| it.host.name.as_str());
    let host = host.unwrap_or("keygate.keygate.svc.cluster.local");
    let config = policy.with(&[("key_service.authority", host)]);
    template.set("spec.wasm[0].config", &config)?;
    Ok(template)
}

fn patches(args: &Args, policy: &Written) -> Result<Template, CliError> {
    let text = include_str!("../../../../envoy/gateway/patch-policy.yaml");
    let mut template = template(text, args)?;
    if let Some(gateway) = &args.gateway {
        template.set("spec.targetRef.name", gateway)?;
    }
    let (lookups, polls) = policy.clusters();
    // From the last to the first, so that the others keep their numbers.
    for (index, name) in [(PATCHES + 1, polls), (PATCHES, lookups)] {
        let at = format!("spec.jsonPatches[{index}]");
        let Some(name) = name else {
            template.remove(&at)?;
            continue;
        };
        template.set(&format!("{at}.name"), &name)?;
        let value = format!("{at}.operation.value");
        cluster::set(&mut template, &value, &name, args.key_service.as_ref())?;
    }
    let [namespace, gateway, listener, policy_name] = NAMES;
    let namespace = args.namespace.as_deref().unwrap_or(namespace);
    let gateway = args.gateway.as_deref().unwrap_or(gateway);
    let name = args.name.as_deref().unwrap_or(policy_name);
    let filter = format!(
        "$..http_filters[?(@.name=='envoy.filters.http.wasm/envoyextensionpolicy/{namespace}/{name}/wasm/0')]"
    );
    let listeners = match args.listener.as_slice() {
        [] => vec![listener.to_owned()],
        given => given.to_vec(),
    };
    for _ in listeners.iter().skip(1) {
        template.repeat("spec.jsonPatches", PATCHES)?;
    }
    let is_example = args.listener.is_empty() && args.gateway.is_none() && args.namespace.is_none();
    for (index, listener) in listeners.iter().enumerate() {
        for patch in index * PATCHES..(index + 1) * PATCHES {
            let at = format!("spec.jsonPatches[{patch}]");
            if !is_example {
                let name = format!("{namespace}/{gateway}/{listener}");
                template.set(&format!("{at}.name"), &name)?;
            }
            if args.namespace.is_some() || args.name.is_some() {
                template.set(&format!("{at}.operation.jsonPath"), &filter)?;
            }
        }
    }
    Ok(template)
}

fn connections(args: &Args, policy: &Written) -> Result<Template, CliError> {
    let text = include_str!("../../../../envoy/gateway/client-traffic-policy.yaml");
    let mut template = template(text, args)?;
    if let Some(gateway) = &args.gateway {
        template.set("spec.targetRefs[0].name", gateway)?;
    }
    if policy.allows_encoded_slash() {
        template.set("spec.path.escapedSlashesAction", &"KeepUnchanged")?;
    }
    Ok(template)
}

fn proxy(args: &Args, policy: &Written) -> Result<Template, CliError> {
    let text = include_str!("../../../../envoy/gateway/proxy.yaml");
    let mut template = template(text, args)?;
    let place = "spec.provider.kubernetes.envoyDeployment.container.env";
    template.set(place, &kubernetes::variables(args, policy))?;
    Ok(template)
}
