//! What can be wrong: one row for each finding. `docs/doctor.md` has the same table.

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Requests pass without Keygate, or what Keygate needs is missing.
    Error,
    /// Keygate decides, but is easier to attack or to disturb.
    Warning,
    /// Nothing is known to be wrong, and nothing proves that it is right.
    Unproven,
}

impl Severity {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Unproven => "unproven",
        }
    }
}

macro_rules! findings {
    ($($Id:ident = $id:literal, $Severity:ident, $what:literal, $to_do:literal;)*) => {
        /// A kind of finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Id {
            $(#[doc = $what] $Id,)*
        }

        impl Id {
            /// All of them, in the order of the page.
            pub const ALL: &[Self] = &[$(Self::$Id),*];

            /// The name of it, which stays the same.
            pub fn name(self) -> &'static str {
                match self { $(Self::$Id => $id,)* }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$Id => Severity::$Severity,)* }
            }

            /// What is wrong.
            pub fn what(self) -> &'static str {
                match self { $(Self::$Id => $what,)* }
            }

            /// What to do about it.
            pub fn to_do(self) -> &'static str {
                match self { $(Self::$Id => $to_do,)* }
            }
        }
    };
}

findings! {
    NoListener = "no_listener", Error,
        "Envoy has no active listener.",
        "Take the dump from the Envoy that serves your clients.";
    FilterMissing = "filter_missing", Error,
        "Requests to this filter chain pass without Keygate.",
        "Add the Keygate filter to http_filters, or name the listener with --except if it is meant to be open.";
    ChainNotHttp = "chain_not_http", Error,
        "This filter chain has no HTTP connection manager, so its connections pass without Keygate.",
        "Use an HTTP connection manager with Keygate, or name the listener with --except.";
    FilterDisabled = "filter_disabled", Error,
        "The Keygate filter is disabled unless a route enables it.",
        "Remove disabled from the filter.";
    FilterDisabledByRoute = "filter_disabled_by_route", Error,
        "typed_per_filter_config disables Keygate here.",
        "Remove the entry, and use a rule with \"require\": \"nothing\" for open paths.";
    FilterOptional = "filter_optional", Error,
        "The Keygate filter is optional: an Envoy without wasm ignores it.",
        "Remove is_optional from the filter.";
    FilterTwice = "filter_twice", Warning,
        "Two Keygate filters are in one chain. The second sees no credential.",
        "Remove one of them.";
    FilterNotReceived = "filter_not_received", Error,
        "The configuration of this filter comes from a discovery service, and the dump does not have it.",
        "Check the discovery service, then take a new dump.";
    UpgradeUnprotected = "upgrade_unprotected", Error,
        "Upgraded requests have a filter chain of their own, without Keygate.",
        "Remove filters from upgrade_configs, or add Keygate to them.";
    Tunnel = "tunnel", Error,
        "This route opens a tunnel to the upstream. Keygate sees its first request only.",
        "Remove connect_config from upgrade_configs of the route.";
    FilterAmbiguous = "filter_ambiguous", Unproven,
        "The dump has different configurations with the name of this filter, and does not say which one applies.",
        "Give each filter with config_discovery a name of its own.";
    CacheBefore = "cache_before", Error,
        "A cache is before Keygate, and answers without it.",
        "Put the cache after Keygate.";
    ExtProcBefore = "ext_proc_before", Error,
        "ext_proc is before Keygate: it can answer, or change what Keygate reads.",
        "Put ext_proc after Keygate.";
    LuaBefore = "lua_before", Error,
        "Lua is before Keygate: it can answer, or change what Keygate reads.",
        "Put Lua after Keygate.";
    AnswersBefore = "answers_before", Warning,
        "A filter that can answer requests is before Keygate.",
        "Put it after Keygate.";
    UnknownFilterBefore = "unknown_filter_before", Unproven,
        "A filter that doctor does not know is before Keygate.",
        "Put it after Keygate. Only cors, grpc_web and jwt_authn belong before it.";
    FailOpen = "fail_open", Error,
        "If the filter fails, Envoy lets every request pass.",
        "Set failure_policy to FAIL_RELOAD.";
    NoReload = "no_reload", Warning,
        "If the filter fails once, Envoy answers 503 until its configuration changes.",
        "Set failure_policy to FAIL_RELOAD.";
    VmShared = "vm_shared", Warning,
        "Other plugins can have this vm_id, and write the data that Keygate's workers share.",
        "Give Keygate a vm_id of its own.";
    Precompiled = "precompiled", Warning,
        "allow_precompiled runs native code of the module without checks.",
        "Remove allow_precompiled.";
    UnknownRuntime = "unknown_runtime", Unproven,
        "Keygate is tested with envoy.wasm.runtime.v8 only.",
        "Use that runtime.";
    PolicyUnreadable = "policy_unreadable", Error,
        "The configuration of the filter is not a google.protobuf.StringValue with JSON.",
        "Use the form of envoy/envoy.yaml.";
    PolicyRejected = "policy_rejected", Error,
        "This release rejects the policy.",
        "Run keygate check with the policy.";
    VariableMissing = "variable_missing", Error,
        "The policy reads a variable that the filter cannot see.",
        "Add it to environment_variables.host_env_keys of the vm_config.";
    SecretInConfig = "secret_in_config", Error,
        "A secret is in Envoy's configuration, which the admin port shows.",
        "Use host_env_keys instead of key_values, and replace the secret.";
    PathNotNormalized = "path_not_normalized", Error,
        "Keygate and the upstream can read /a/../b differently.",
        "Set normalize_path to true.";
    SlashesNotMerged = "slashes_not_merged", Error,
        "Keygate and the upstream can read /a//b differently.",
        "Set merge_slashes to true.";
    EscapedSlashes = "escaped_slashes", Warning,
        "Envoy does not reject %2F and %5C in a path.",
        "Set path_with_escaped_slashes_action to REJECT_REQUEST, or to KEEP_UNCHANGED for a policy with allow_encoded_slash.";
    UnderscoresAllowed = "underscores_allowed", Error,
        "A client can send x_keygate_account, which many upstreams read as x-keygate-account.",
        "Set headers_with_underscores_action to REJECT_REQUEST.";
    ClientAddress = "client_address", Error,
        "The address of the client is what a header or an extension says.",
        "Set use_remote_address to true, without original_ip_detection_extensions.";
    TrustedHops = "trusted_hops", Warning,
        "xff_num_trusted_hops is not the number of proxies in front of this Envoy.",
        "Correct it, or give the number with --trusted-hops.";
    ProxyProtocol = "proxy_protocol", Warning,
        "The PROXY protocol lets every peer of this listener choose the address of the client.",
        "Let only your load balancer reach this listener.";
    ChunkedLength = "chunked_length", Warning,
        "Requests with both transfer-encoding and content-length are accepted.",
        "Remove allow_chunked_length.";
    IdleTimeout = "idle_timeout", Warning,
        "A request that gets no verdict waits for more than a minute.",
        "Set stream_idle_timeout to at most 60s.";
    HeaderTimeout = "header_timeout", Warning,
        "A client can take any time to send its headers.",
        "Set request_headers_timeout, for example to 10s.";
    QueryLogged = "query_logged", Warning,
        "The access log can contain the query of a request. A signed link in a log is a valid link.",
        "Use %PATH(NQ)% in the format of the log.";
    IdentityOverwritten = "identity_overwritten", Error,
        "Envoy changes a header x-keygate-… after Keygate has set it.",
        "Remove the header from request_headers_to_add and request_headers_to_remove.";
    ClaimHeader = "claim_header", Error,
        "jwt_authn writes a claim of a token into a header that Keygate reads or sets.",
        "Use another header in claim_to_headers or forward_payload_header.";
    ClusterByHeader = "cluster_by_header", Warning,
        "A header of the request chooses the upstream.",
        "Use cluster or weighted_clusters.";
    RouteOverride = "route_override", Unproven,
        "typed_per_filter_config changes the Keygate filter here.",
        "Remove the entry.";
    RoutesMissing = "routes_missing", Unproven,
        "The dump does not have the routes of this connection manager.",
        "Check the discovery service of the routes, then take a new dump.";
    UnknownNetworkFilter = "unknown_network_filter", Unproven,
        "A network filter that doctor does not know is before the HTTP connection manager.",
        "Remove it, or check that it answers no request.";
    UnknownListenerFilter = "unknown_listener_filter", Unproven,
        "doctor does not know this listener filter.",
        "Remove it, or check that it does not change the address of the client.";
    UnknownSetting = "unknown_setting", Unproven,
        "doctor does not know this field.",
        "Remove it, or check that it lets no request pass without Keygate.";
    RuntimeOverride = "runtime_override", Unproven,
        "A runtime value changes how Envoy handles requests.",
        "Remove it.";
    UpdateRejected = "update_rejected", Warning,
        "Envoy rejected the newest configuration and uses an older one.",
        "Read error_state in the dump, and correct the configuration.";
    AdminExposed = "admin_exposed", Error,
        "Clients or other machines can reach the admin port, which can stop Envoy.",
        "Bind it to 127.0.0.1, and let no route lead to it.";
    ClusterMissing = "cluster_missing", Error,
        "The policy names a cluster of the key service that Envoy does not have.",
        "Add the cluster, or correct its name in the policy.";
    ClusterWithoutEndpoint = "cluster_without_endpoint", Error,
        "The cluster of the key service has no endpoint.",
        "Add the address of the key service.";
    ClusterCleartext = "cluster_cleartext", Warning,
        "The edge token and the records of keys cross the network without TLS.",
        "Add a transport_socket with TLS, or run the key service on this machine.";
    ClusterUnverified = "cluster_unverified", Error,
        "Envoy accepts any certificate of the key service.",
        "Set trusted_ca and match_typed_subject_alt_names in the validation_context.";
    ClusterUnbounded = "cluster_unbounded", Warning,
        "If the key service is slow, requests pile up.",
        "Set circuit_breakers as envoy/envoy.yaml does.";
    ClusterOutlier = "cluster_outlier", Warning,
        "Outlier detection can eject every endpoint, or the only one: one slow answer becomes an outage.",
        "Remove outlier_detection from the cluster of the key service, or take that of docs/postgresql.md for several endpoints.";
    ClusterIdle = "cluster_idle", Warning,
        "Envoy can use a connection that the key service is closing.",
        "Set idle_timeout of the cluster below 75s, for example to 60s.";
    ServiceUnanswered = "service_unanswered", Error,
        "The key service has not answered this Envoy.",
        "Read what to do for each failed call in docs/faults.md.";
    LeaseEnded = "lease_ended", Error,
        "Cached keys do not count, because the key service does not answer.",
        "Check the key service, and its cluster in Envoy.";
    FilterDied = "filter_died", Warning,
        "A virtual machine of the filter died since Envoy started.",
        "Find the cause in Envoy's log, and report it.";
    ServiceUnreachable = "service_unreachable", Error,
        "The key service does not answer doctor.",
        "Start it, or correct --service.";
    ServiceUnknown = "service_unknown", Error,
        "What answers is not a Keygate key service, or has failed.",
        "Correct --service, or read the log of the key service.";
    TokenRefused = "token_refused", Error,
        "The key service refuses the edge token.",
        "Use a token from KEYGATE_EDGE_TOKEN of keygate serve, or an active one with the role edge.";
    ClockDiffers = "clock_differs", Warning,
        "The clocks of this machine and of the key service differ by more than 30 s.",
        "Synchronize the clocks.";
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What kind it is.
    pub id: Id,
    /// Where: names on the way through the dump.
    pub place: String,
    /// What exactly; it may be empty. Never contains a secret.
    pub detail: String,
}

/// What was found so far.
#[derive(Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds one.
    pub fn add(&mut self, id: Id, place: &str, detail: impl Into<String>) {
        let (place, detail) = (place.to_owned(), detail.into());
        self.0.push(Finding { id, place, detail });
    }

    /// All of them once, the worst first.
    pub fn sorted(mut self) -> Vec<Finding> {
        self.0
            .sort_by(|a, b| (a.id.severity(), a).cmp(&(b.id.severity(), b)));
        self.0.dedup();
        self.0
    }
}
