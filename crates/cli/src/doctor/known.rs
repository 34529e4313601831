//! The fields of each message on the way of a request that doctor knows: those that let no request
//! pass, and those that a rule looks at. Any other field is unproven.
//!
//! From version 3 of Envoy's API. What a new release of Envoy adds belongs here if it is harmless.

use super::at::At;
use super::findings::{Findings, Id};

pub mod jwt;
pub mod upstream;

/// A message and its known fields.
pub struct Message(&'static [&'static str]);

/// `envoy.config.listener.v3.Listener`.
pub const LISTENER: Message = Message(&[
    "name",
    "address",
    "additional_addresses",
    "stat_prefix",
    "filter_chains",
    "filter_chain_matcher",
    "use_original_dst",
    "default_filter_chain",
    "per_connection_buffer_limit_bytes",
    "metadata",
    "deprecated_v1",
    "drain_type",
    "listener_filters",
    "listener_filters_timeout",
    "continue_on_listener_filters_timeout",
    "transparent",
    "freebind",
    "socket_options",
    "tcp_fast_open_queue_length",
    "traffic_direction",
    "udp_listener_config",
    "connection_balance_config",
    "reuse_port",
    "enable_reuse_port",
    "access_log",
    "tcp_backlog_size",
    "max_connections_to_accept_per_socket_event",
    "bind_to_port",
    "internal_listener",
    "enable_mptcp",
    "ignore_global_conn_limit",
    "bypass_overload_manager",
    "per_connection_buffer_high_watermark_timeout",
    "tcp_keepalive",
]);

/// `envoy.config.listener.v3.FilterChain`.
pub const FILTER_CHAIN: Message = Message(&[
    "name",
    "filter_chain_match",
    "filters",
    "use_proxy_proto",
    "metadata",
    "transport_socket",
    "transport_socket_connect_timeout",
]);

/// `envoy.config.listener.v3.Filter`.
pub const NETWORK_FILTER: Message = Message(&["name", "typed_config"]);

/// `HttpConnectionManager`.
pub const MANAGER: Message = Message(&[
    "codec_type",
    "stat_prefix",
    "rds",
    "route_config",
    "http_filters",
    "add_user_agent",
    "tracing",
    "common_http_protocol_options",
    "http1_safe_max_connection_duration",
    "http_protocol_options",
    "http2_protocol_options",
    "http3_protocol_options",
    "server_name",
    "server_header_transformation",
    "scheme_header_transformation",
    "max_request_headers_kb",
    "stream_idle_timeout",
    "stream_flush_timeout",
    "request_timeout",
    "request_headers_timeout",
    "drain_timeout",
    "delayed_close_timeout",
    "access_log",
    "access_log_options",
    "access_log_flush_interval",
    "flush_access_log_on_new_request",
    "use_remote_address",
    "xff_num_trusted_hops",
    "original_ip_detection_extensions",
    "internal_address_config",
    "skip_xff_append",
    "via",
    "generate_request_id",
    "preserve_external_request_id",
    "always_set_request_id_in_response",
    "request_id_extension",
    "forward_client_cert_details",
    "set_current_client_cert_details",
    "proxy_100_continue",
    "upgrade_configs",
    "normalize_path",
    "merge_slashes",
    "path_with_escaped_slashes_action",
    "local_reply_config",
    "strip_matching_host_port",
    "strip_any_host_port",
    "strip_trailing_host_dot",
    "stream_error_on_invalid_http_message",
    "proxy_status_config",
    "append_x_forwarded_port",
    "append_local_overload",
    "add_proxy_protocol_connection_state",
    "drain_timeout_jitter",
]);

/// `LocalReplyConfig`.
pub const LOCAL_REPLY: Message = Message(&["mappers", "body_format"]);

/// `ResponseMapper`.
pub const MAPPER: Message = Message(&[
    "filter",
    "status_code",
    "body",
    "body_format_override",
    "headers_to_add",
]);

/// `envoy.config.core.v3.HttpProtocolOptions`.
pub const COMMON_PROTOCOL: Message = Message(&[
    "idle_timeout",
    "max_connection_duration",
    "max_headers_count",
    "max_response_headers_kb",
    "max_stream_duration",
    "headers_with_underscores_action",
    "max_requests_per_connection",
    "max_connection_duration_jitter",
]);

/// `envoy.config.core.v3.Http1ProtocolOptions`.
pub const HTTP1: Message = Message(&[
    "allow_absolute_url",
    "accept_http_10",
    "default_host_for_http_10",
    "header_key_format",
    "enable_trailers",
    "allow_chunked_length",
    "override_stream_error_on_invalid_http_message",
    "send_fully_qualified_url",
    "ignore_http_11_upgrade",
    "use_balsa_parser",
]);

/// `HttpFilter`.
pub const HTTP_FILTER: Message = Message(&[
    "name",
    "typed_config",
    "config_discovery",
    "is_optional",
    "disabled",
]);

/// `HttpConnectionManager.UpgradeConfig`.
pub const UPGRADE: Message = Message(&["upgrade_type", "filters", "enabled"]);

/// `envoy.extensions.filters.http.wasm.v3.Wasm`.
pub const WASM: Message = Message(&["config"]);

/// `envoy.extensions.wasm.v3.PluginConfig`.
pub const PLUGIN: Message = Message(&[
    "name",
    "root_id",
    "vm_config",
    "configuration",
    "fail_open",
    "failure_policy",
    "reload_config",
    "allow_on_headers_stop_iteration",
]);

/// `envoy.extensions.wasm.v3.VmConfig`.
pub const VM: Message = Message(&[
    "vm_id",
    "runtime",
    "code",
    "configuration",
    "allow_precompiled",
    "nack_on_code_cache_miss",
    "environment_variables",
]);

/// `envoy.config.route.v3.RouteConfiguration`.
pub const ROUTES: Message = Message(&[
    "name",
    "virtual_hosts",
    "internal_only_headers",
    "response_headers_to_add",
    "response_headers_to_remove",
    "request_headers_to_add",
    "request_headers_to_remove",
    "most_specific_header_mutations_wins",
    "validate_clusters",
    "max_direct_response_body_size_bytes",
    "request_mirror_policies",
    "ignore_port_in_host_matching",
    "ignore_path_parameters_in_path_matching",
    "typed_per_filter_config",
    "metadata",
]);

/// `envoy.config.route.v3.VirtualHost`.
pub const VIRTUAL_HOST: Message = Message(&[
    "name",
    "domains",
    "routes",
    "require_tls",
    "virtual_clusters",
    "rate_limits",
    "request_headers_to_add",
    "request_headers_to_remove",
    "response_headers_to_add",
    "response_headers_to_remove",
    "cors",
    "typed_per_filter_config",
    "include_request_attempt_count",
    "include_attempt_count_in_response",
    "retry_policy",
    "hedge_policy",
    "include_is_timeout_retry_header",
    "per_request_buffer_limit_bytes",
    "request_body_buffer_limit",
    "request_mirror_policies",
    "metadata",
]);

/// `envoy.config.route.v3.Route`.
pub const ROUTE: Message = Message(&[
    "name",
    "match",
    "route",
    "redirect",
    "direct_response",
    "metadata",
    "decorator",
    "typed_per_filter_config",
    "request_headers_to_add",
    "request_headers_to_remove",
    "response_headers_to_add",
    "response_headers_to_remove",
    "tracing",
    "per_request_buffer_limit_bytes",
    "request_body_buffer_limit",
    "stat_prefix",
]);

/// `envoy.config.route.v3.RouteAction`.
pub const ROUTE_ACTION: Message = Message(&[
    "cluster",
    "cluster_header",
    "weighted_clusters",
    "cluster_not_found_response_code",
    "metadata_match",
    "prefix_rewrite",
    "regex_rewrite",
    "host_rewrite_literal",
    "auto_host_rewrite",
    "host_rewrite_header",
    "host_rewrite_path_regex",
    "append_x_forwarded_host",
    "timeout",
    "idle_timeout",
    "flush_timeout",
    "retry_policy",
    "request_mirror_policies",
    "priority",
    "rate_limits",
    "include_vh_rate_limits",
    "hash_policy",
    "cors",
    "max_grpc_timeout",
    "grpc_timeout_offset",
    "upgrade_configs",
    "internal_redirect_policy",
    "hedge_policy",
    "max_stream_duration",
]);

/// `envoy.config.route.v3.RouteAction.UpgradeConfig`.
pub const ROUTE_UPGRADE: Message = Message(&["upgrade_type", "enabled", "connect_config"]);

/// `envoy.config.route.v3.RouteAction.RequestMirrorPolicy`.
pub const MIRROR: Message = Message(&[
    "cluster",
    "cluster_header",
    "runtime_fraction",
    "trace_sampled",
    "disable_shadow_host_suffix_append",
]);

/// `envoy.config.route.v3.WeightedCluster`.
pub const WEIGHTED: Message = Message(&[
    "clusters",
    "total_weight",
    "runtime_key_prefix",
    "header_name",
    "use_hash_policy",
]);

/// `envoy.config.route.v3.WeightedCluster.ClusterWeight`.
pub const CLUSTER_WEIGHT: Message = Message(&[
    "name",
    "cluster_header",
    "weight",
    "metadata_match",
    "request_headers_to_add",
    "request_headers_to_remove",
    "response_headers_to_add",
    "response_headers_to_remove",
    "typed_per_filter_config",
    "host_rewrite_literal",
]);

impl Message {
    /// Finds the fields of a message that are not known.
    pub fn check(&self, message: &At<'_>, findings: &mut Findings) {
        for (name, field) in message.members() {
            if name != "@type" && !self.0.contains(&name) {
                findings.add(Id::UnknownSetting, &field.place, "");
            }
        }
    }
}
