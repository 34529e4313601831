//! A cluster of Envoy in a template, for the platforms that have Envoy's own form of it.

use serde_json::{Value, json};

use super::service::{Host, Service};
use super::template::Template;
use crate::error::CliError;

const ADDRESS: &str =
    "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address";

/// Gives the cluster at this path a name, and the address of a key service.
pub fn set(
    template: &mut Template,
    at: &str,
    name: &str,
    service: Option<&Service>,
) -> Result<(), CliError> {
    template.set(&format!("{at}.name"), &name)?;
    template.set(&format!("{at}.load_assignment.cluster_name"), &name)?;
    let Some(service) = service else {
        return Ok(());
    };
    place(template, at, &service.host)?;
    match service.is_tls {
        true => template.add(at, "transport_socket", &tls(&service.host)),
        false => Ok(()),
    }
}

/// Gives the cluster at this path another address.
pub fn place(template: &mut Template, at: &str, host: &Host) -> Result<(), CliError> {
    let kind = match host.is_address() {
        true => "STATIC",
        false => "STRICT_DNS",
    };
    template.set(&format!("{at}.type"), &kind)?;
    template.set(&format!("{at}.{ADDRESS}.address"), &host.name)?;
    template.set(&format!("{at}.{ADDRESS}.port_value"), &host.port)
}

/// The TLS of a cluster beyond this machine, verified by the certificates of the system.
fn tls(host: &Host) -> Value {
    let kind = match host.is_address() {
        true => "IP_ADDRESS",
        false => "DNS",
    };
    let mut config = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {
            "validation_context": {
                "trusted_ca": { "filename": "/etc/ssl/certs/ca-certificates.crt" },
                "match_typed_subject_alt_names": [
                    { "san_type": kind, "matcher": { "exact": host.name } }
                ]
            }
        }
    });
    // RFC 6066 section 3: an address is not a server name.
    if !host.is_address() {
        config["sni"] = json!(host.name);
    }
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": config })
}
