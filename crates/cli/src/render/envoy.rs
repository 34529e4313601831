//! For Envoy itself: `envoy/envoy.yaml` with the policy, whole or in parts.

use super::cluster;
use super::policy::Written;
use super::template::{Template, indented};
use super::{Args, File, Kind, comment};
use crate::error::CliError;

const MANAGER: &str = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config";
const LISTENER: &str = "static_resources.listeners[0].address.socket_address";
const CLUSTERS: &str = "static_resources.clusters";

/// The cluster of what is protected.
const UPSTREAM: &str = "upstream";

/// Renders one file.
pub fn render(args: &Args, policy: &Written) -> Result<Vec<File>, CliError> {
    let (lookups, polls) = policy.clusters();
    for (path, name) in [
        ("key_service.cluster", &lookups),
        ("key_service.poll_cluster", &polls),
    ] {
        if !args.parts && name.as_deref() == Some(UPSTREAM) {
            let why = "Envoy's cluster of this name is what is protected: rename the cluster of \
                       the key service, or add --parts";
            return Err(policy.refuse(path, why));
        }
    }
    let comment = comment(args.platform);
    let mut bootstrap = Template::new(include_str!("../../../../envoy/envoy.yaml"), &comment);
    let config = format!("{MANAGER}.http_filters[0].typed_config.config");
    let variables = format!("{config}.vm_config.environment_variables.host_env_keys");
    bootstrap.set(&variables, &policy.variables)?;
    let text = serde_json::to_string_pretty(policy.root());
    let text = text.map_err(|error| CliError::Usage(format!("cannot write it: {error}")))?;
    bootstrap.set_block(&format!("{config}.configuration.value"), &printable(&text))?;
    if let Some(module) = &args.module {
        let place = format!("{config}.vm_config.code.local.filename");
        bootstrap.set(&place, &module.display().to_string())?;
    }
    if policy.allows_encoded_slash() {
        let place = format!("{MANAGER}.path_with_escaped_slashes_action");
        bootstrap.set(&place, &"KEEP_UNCHANGED")?;
    }
    if let Some(host) = &args.listen {
        bootstrap.set(&format!("{LISTENER}.address"), &host.name)?;
        bootstrap.set(&format!("{LISTENER}.port_value"), &host.port)?;
    }
    if let Some(host) = &args.upstream {
        cluster::place(&mut bootstrap, &format!("{CLUSTERS}[0]"), host)?;
    }
    // From the last to the first, so that the others keep their numbers.
    for (index, name) in [(2, &polls), (1, &lookups)] {
        let at = format!("{CLUSTERS}[{index}]");
        match name {
            None => bootstrap.remove(&at)?,
            Some(name) => cluster::set(&mut bootstrap, &at, name, args.key_service.as_ref())?,
        }
    }
    let text = match args.parts {
        true => parts(
            &bootstrap,
            [&lookups, &polls].into_iter().flatten().count(),
            &comment,
        )?,
        false => bootstrap.into_text(),
    };
    Ok(vec![File {
        name: "envoy.yaml",
        text,
        kind: Kind::Envoy,
    }])
}

/// The filter, and the clusters of the key service.
fn parts(bootstrap: &Template, clusters: usize, comment: &str) -> Result<String, CliError> {
    let filter = bootstrap.excerpt(&format!("{MANAGER}.http_filters[0]"))?;
    let mut text = format!("{comment}http_filters:\n  {}\n", indented(&filter, 2));
    if clusters > 0 {
        text.push_str("clusters:\n");
    }
    for index in 1..=clusters {
        let cluster = bootstrap.excerpt(&format!("{CLUSTERS}[{index}]"))?;
        text.push_str(&format!("  {}\n", indented(&cluster, 2)));
    }
    Ok(text)
}

/// What a configuration needs around the parts.
pub fn notes(policy: &Written) -> Vec<String> {
    let mut notes = vec![
        "your configuration also needs the lines marked SECURITY in envoy/envoy.yaml: `keygate \
         doctor` checks them"
            .to_owned(),
    ];
    if policy.allows_encoded_slash() {
        let what =
            "the policy accepts %2F, which needs path_with_escaped_slashes_action: KEEP_UNCHANGED";
        notes.push(what.to_owned());
    }
    notes
}

/// JSON without characters that a block of YAML cannot contain or that end a line there.
fn printable(json: &str) -> String {
    let escaped = |it: char| match it {
        '\n' => it.to_string(),
        '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}' => {
            format!("\\u{:04x}", u32::from(it))
        }
        it if it.is_control() => format!("\\u{:04x}", u32::from(it)),
        it => it.to_string(),
    };
    json.chars().map(escaped).collect()
}
