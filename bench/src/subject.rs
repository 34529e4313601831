//! What is measured: an Envoy with one worker, or an nginx, that answers by itself.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use keygate_tests::envoy::{Envoy, EnvoyConfig};
use keygate_tests::port::Port;
use keygate_tests::process::Process;
use keygate_tests::service::{APP_KEYS, EDGE_TOKEN, MEDIA};
use keygate_tests::{client, repository, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cpu;

const CONNECTION_MANAGER: &str =
    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// A proxy that runs.
pub struct Subject {
    port: u16,
    processes: Vec<u32>,
    _kept: Kept,
}

#[expect(
    dead_code,
    reason = "they are kept for what happens when they are dropped"
)]
enum Kept {
    Envoy(Envoy),
    Nginx(Process, TempDir, Port),
}

impl Subject {
    /// An Envoy with this configuration and so many workers, on a core if one is named.
    pub fn envoy(config: EnvoyConfig, workers: u32, core: Option<usize>) -> Self {
        let envoy = Envoy::start(with_secrets(config).concurrency(workers));
        let process = envoy.id().expect("an Envoy in a container is not measured");
        if let Some(core) = core {
            cpu::pin(process, core);
        }
        Self {
            port: envoy.port(),
            processes: vec![process],
            _kept: Kept::Envoy(envoy),
        }
    }

    /// An nginx with one worker; `location` is what it does with a request.
    pub fn nginx(location: &str, core: usize) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let claim = Port::claim();
        let port = claim.number();
        let file = directory.path().join("nginx.conf");
        std::fs::write(&file, nginx_file(directory.path(), port, location))
            .expect("a temporary directory can be written to");
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&file).arg("-p").arg(directory.path());
        command.args(["-e", "stderr"]);
        let mut process = Process::start("nginx", command, directory.path().join("log"));
        wait::until("nginx to answer", wait::STARTUP, || {
            process.assert_running();
            client::get(port, "/").try_send().ok()
        });
        let mut processes = cpu::children(process.id());
        processes.push(process.id());
        processes.iter().for_each(|it| cpu::pin(*it, core));
        Self {
            port,
            processes,
            _kept: Kept::Nginx(process, directory, claim),
        }
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Nanoseconds on a core so far.
    pub fn time(&self) -> u64 {
        self.processes.iter().map(|it| cpu::time(*it)).sum()
    }

    /// Bytes of memory of its own.
    pub fn memory(&self) -> u64 {
        self.processes.iter().map(|it| cpu::memory(*it)).sum()
    }
}

/// From the start of the process until Envoy says that it is ready, in milliseconds.
pub fn startup(config: EnvoyConfig) -> f64 {
    let start = Instant::now();
    let subject = Subject::envoy(config, 1, None);
    let took = start.elapsed();
    drop(subject);
    took.as_secs_f64() * 1e3
}

/// The file that a user copies, with its filter; nothing is logged, and the router answers
/// by itself: no upstream is part of what is measured. `policy` changes the policy.
pub fn keygate(policy: impl FnOnce(&mut Value), key_service: u16) -> EnvoyConfig {
    answering(EnvoyConfig::new())
        .edit_policy(policy)
        .key_service(key_service)
}

/// With the secrets that the policy names.
pub fn with_secrets(config: EnvoyConfig) -> EnvoyConfig {
    config
        .env("KEYGATE_MEDIA", MEDIA)
        .env("KEYGATE_APP_KEYS", APP_KEYS)
        .env("KEYGATE_EDGE_TOKEN", EDGE_TOKEN)
}

/// The same with other filters in place of ours, each by its name and configuration.
pub fn with_filters(filters: &[(&str, Value)]) -> EnvoyConfig {
    answering(EnvoyConfig::new().without_filter()).change(|bootstrap| {
        let manager = at(bootstrap, CONNECTION_MANAGER);
        let all = manager["http_filters"].as_array_mut().expect("a list");
        for (place, (name, config)) in filters.iter().enumerate() {
            all.insert(place, json!({ "name": name, "typed_config": config }));
        }
    })
}

/// The same, and what passes goes to an upstream on this machine.
pub fn with_upstream(config: EnvoyConfig, port: u16) -> EnvoyConfig {
    config.upstream(port).change(|bootstrap| {
        let manager = at(bootstrap, CONNECTION_MANAGER);
        manager["route_config"]["virtual_hosts"][0]["routes"] = json!([{
            "match": { "prefix": "/" }, "route": { "cluster": "upstream" }
        }]);
    })
}

/// With one more cluster, of one endpoint on this machine.
pub fn with_cluster(config: EnvoyConfig, name: &str, port: u16) -> EnvoyConfig {
    config.change(|bootstrap| {
        let cluster = json!({
            "name": name, "type": "STATIC", "connect_timeout": "1s",
            "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [{
                "endpoint": { "address": { "socket_address": {
                    "address": "127.0.0.1", "port_value": port
                } } }
            }] }] }
        });
        let clusters = at(bootstrap, "/static_resources/clusters").as_array_mut();
        clusters.expect("a list").push(cluster);
    })
}

fn answering(config: EnvoyConfig) -> EnvoyConfig {
    config.change(|bootstrap| {
        // As seldom as Envoy allows: they are not read.
        bootstrap["stats_flush_interval"] = json!("299s");
        let manager = at(bootstrap, CONNECTION_MANAGER);
        manager["access_log"] = json!([]);
        manager["route_config"]["virtual_hosts"][0]["routes"] = json!([{
            "match": { "prefix": "/" },
            "direct_response": { "status": 200, "body": { "inline_string": "ok\n" } }
        }]);
    })
}

fn at<'a>(value: &'a mut Value, pointer: &str) -> &'a mut Value {
    let found = value.pointer_mut(pointer);
    found.unwrap_or_else(|| panic!("envoy/envoy.yaml: nothing at {pointer}"))
}

fn nginx_file(directory: &Path, port: u16, location: &str) -> String {
    let at = directory.display();
    format!(
        "daemon off;\nworker_processes 1;\npid {at}/pid;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n access_log off;\n keepalive_requests 1000000000;\n \
         client_body_temp_path {at}/body;\n proxy_temp_path {at}/proxy;\n \
         fastcgi_temp_path {at}/fastcgi;\n uwsgi_temp_path {at}/uwsgi;\n \
         scgi_temp_path {at}/scgi;\n \
         server {{\n  listen 127.0.0.1:{port};\n  location / {{ {location} }}\n }}\n}}\n"
    )
}

/// A module of the virtual machine that is not ours, by its path in the repository, and its
/// configuration.
pub fn wasm(file: &str, configuration: &str) -> Value {
    let path = repository().join(file);
    assert!(path.is_file(), "{} is missing", path.display());
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": "bench", "failure_policy": "FAIL_RELOAD",
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": configuration
            },
            "vm_config": {
                "runtime": "envoy.wasm.runtime.v8", "vm_id": "bench",
                "code": { "local": { "filename": path } }
            }
        }
    })
}

/// How long an answer may take while nothing else happens.
pub const PATIENCE: Duration = Duration::from_secs(10);
