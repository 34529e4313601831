//! The messages on the way to the key service.

use super::Message;

/// `envoy.config.cluster.v3.Cluster`, for that of the key service.
pub const CLUSTER: Message = Message(&[
    "name",
    "alt_stat_name",
    "type",
    "eds_cluster_config",
    "connect_timeout",
    "per_connection_buffer_limit_bytes",
    "lb_policy",
    "load_balancing_policy",
    "load_assignment",
    "health_checks",
    "max_requests_per_connection",
    "circuit_breakers",
    "common_http_protocol_options",
    "http_protocol_options",
    "http2_protocol_options",
    "typed_extension_protocol_options",
    "dns_refresh_rate",
    "dns_jitter",
    "dns_failure_refresh_rate",
    "respect_dns_ttl",
    "dns_lookup_family",
    "dns_resolvers",
    "use_tcp_for_dns_lookups",
    "dns_resolution_config",
    "typed_dns_resolver_config",
    "wait_for_warm_on_init",
    "outlier_detection",
    "cleanup_interval",
    "upstream_bind_config",
    "common_lb_config",
    "round_robin_lb_config",
    "least_request_lb_config",
    "transport_socket",
    "metadata",
    "protocol_selection",
    "upstream_connection_options",
    "close_connections_on_host_health_failure",
    "ignore_health_on_host_removal",
    "track_timeout_budgets",
    "track_cluster_stats",
    "preconnect_policy",
    "upstream_http_protocol_options",
    "per_connection_buffer_high_watermark_timeout",
    "ring_hash_lb_config",
    "maglev_lb_config",
    "lrs_server",
    "lrs_report_endpoint_metrics",
    "connection_pool_per_downstream_connection",
]);

/// `envoy.config.endpoint.v3.LbEndpoint`.
pub const LB_ENDPOINT: Message = Message(&[
    "endpoint",
    "health_status",
    "metadata",
    "load_balancing_weight",
]);

/// `envoy.config.endpoint.v3.Endpoint`.
pub const ENDPOINT: Message = Message(&["address", "health_check_config", "hostname"]);

/// `UpstreamTlsContext`.
pub const TLS: Message = Message(&[
    "common_tls_context",
    "sni",
    "auto_host_sni",
    "auto_sni_san_validation",
    "max_session_keys",
    "enforce_rsa_key_usage",
]);

/// `CommonTlsContext`. Not `key_log`, which writes the keys of connections into a file.
pub const COMMON_TLS: Message = Message(&[
    "tls_params",
    "tls_certificates",
    "tls_certificate_sds_secret_configs",
    "validation_context",
    "validation_context_sds_secret_config",
    "combined_validation_context",
    "alpn_protocols",
]);

/// `CommonTlsContext.CombinedCertificateValidationContext`.
pub const COMBINED: Message = Message(&[
    "default_validation_context",
    "validation_context_sds_secret_config",
]);

/// `CertificateValidationContext`.
pub const VALIDATION: Message = Message(&[
    "trusted_ca",
    "system_root_certs",
    "watched_directory",
    "match_typed_subject_alt_names",
    "verify_certificate_spki",
    "verify_certificate_hash",
    "trust_chain_verification",
    "crl",
    "only_verify_leaf_cert_crl",
    "max_verify_depth",
]);
