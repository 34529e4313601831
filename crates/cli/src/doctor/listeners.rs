//! Every listener and every filter chain, up to the HTTP connection manager.

use super::at::At;
use super::exam::Exam;
use super::findings::Id;
use super::{known, manager};

const MANAGER: &str =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// Listener filters that read the first bytes of a connection and change nothing.
const LISTENER_FILTERS: [&str; 4] = [
    "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
    "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector",
    "envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
    "envoy.extensions.filters.listener.local_ratelimit.v3.LocalRateLimit",
];

const PROXY_PROTOCOL: &str = "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";

/// Network filters that can close a connection and answer nothing.
const NETWORK_FILTERS: [&str; 5] = [
    "envoy.extensions.filters.network.rbac.v3.RBAC",
    "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
    "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit",
    "envoy.extensions.filters.network.ratelimit.v3.RateLimit",
    "envoy.extensions.filters.network.ext_authz.v3.ExtAuthz",
];

/// Examines all listeners but those with these names.
pub fn examine(exam: &mut Exam<'_>, except: &[String]) {
    let dump = exam.dump;
    let mut listeners = dump.resources("Listeners", &["static_listeners"], "listener");
    let section = dump.section("Listeners");
    for dynamic in section.iter().flat_map(|it| it.items("dynamic_listeners")) {
        // A listener that is drained serves the connections that it has; one that warms up is next.
        for state in ["active_state", "warming_state", "draining_state"] {
            let listener = dynamic
                .inside(state)
                .and_then(|it| it.json().get("listener"));
            listeners.extend(listener.map(|it| At::new(it, "")));
        }
        if dynamic.field("error_state").is_some() {
            let place = dynamic.text("name");
            exam.findings.add(Id::UpdateRejected, place, "");
        }
    }
    for listener in listeners {
        let name = name(&listener);
        if except.contains(&name) {
            exam.seen.excepted.push(name);
            continue;
        }
        examine_one(exam, &At::new(listener.json(), name.clone()));
        if !exam.seen.listeners.contains(&name) {
            exam.seen.listeners.push(name);
        }
    }
    if exam.seen.listeners.is_empty() {
        exam.findings.add(Id::NoListener, "listeners", "");
    }
}

/// The name of a listener, or else its address.
fn name(listener: &At<'_>) -> String {
    let address = || {
        let address = listener.json().pointer("/address/socket_address");
        let address = address.map(|it| At::new(it, ""));
        address.map_or("unnamed".to_owned(), |it| {
            format!("{}:{}", it.text("address"), it.number("port_value"))
        })
    };
    match listener.text("name") {
        "" => address(),
        name => name.to_owned(),
    }
}

fn examine_one<'d>(exam: &mut Exam<'d>, listener: &At<'d>) {
    known::LISTENER.check(listener, &mut exam.findings);
    for filter in listener.items("listener_filters") {
        let r#type = filter.typed("typed_config").map_or("", |(name, _)| name);
        if r#type == PROXY_PROTOCOL {
            exam.add(Id::ProxyProtocol, &filter);
        } else if !LISTENER_FILTERS.contains(&r#type) {
            exam.say(Id::UnknownListenerFilter, &filter, r#type);
        }
    }
    let mut chains = listener.items("filter_chains");
    chains.extend(listener.field("default_filter_chain"));
    if chains.is_empty() {
        exam.add(Id::ChainNotHttp, listener);
    }
    for chain in &chains {
        exam.seen.chains += 1;
        examine_chain(exam, chain);
    }
}

fn examine_chain<'d>(exam: &mut Exam<'d>, chain: &At<'d>) {
    known::FILTER_CHAIN.check(chain, &mut exam.findings);
    if chain.is_true("use_proxy_proto") {
        exam.add(Id::ProxyProtocol, chain);
    }
    for filter in chain.items("filters") {
        known::NETWORK_FILTER.check(&filter, &mut exam.findings);
        match filter.typed("typed_config") {
            // The last filter of its chain.
            Some((MANAGER, config)) => {
                let manager = At::new(config.json(), chain.place.clone());
                return manager::examine(exam, &manager);
            }
            Some((r#type, _)) if NETWORK_FILTERS.contains(&r#type) => {}
            other => {
                let r#type = other.map_or("", |(name, _)| name);
                exam.say(Id::UnknownNetworkFilter, &filter, r#type);
            }
        }
    }
    exam.add(Id::ChainNotHttp, chain);
}
