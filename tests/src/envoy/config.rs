//! What Envoy is started with: the file that a user copies, with other ports, and
//! with whatever a test changes in it.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::readme::blocks;
use crate::repository;

const HTTP_FILTERS: &str =
    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
const LISTENER_PORT: &str = "/static_resources/listeners/0/address/socket_address/port_value";
const ADMIN_PORT: &str = "/admin/address/socket_address/port_value";
const ENDPOINT_PORT: &str =
    "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/port_value";
const ENDPOINT_ADDRESS: &str =
    "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address/address";

/// The clusters of the key service in our files: lookups and uses of links, and polls.
const KEY_SERVICE: [&str; 2] = ["keygate_keys", "keygate_polls"];

/// `envoy/envoy.yaml` with a test's changes.
pub struct EnvoyConfig {
    pub(super) concurrency: u32,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) log_levels: String,
    pub(super) module: PathBuf,
    bootstrap: Value,
    is_dynamic: bool,
}

impl Default for EnvoyConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl EnvoyConfig {
    /// The user's file; both listeners on free ports, two workers.
    ///
    /// # Panics
    /// When the file is no longer what the harness knows.
    #[must_use]
    pub fn new() -> Self {
        Self::from_file("envoy/envoy.yaml")
    }

    /// Another file that a user copies, by its path in the repository.
    ///
    /// # Panics
    /// When the file is not what the harness knows.
    #[must_use]
    pub fn from_file(name: &str) -> Self {
        let text = std::fs::read_to_string(repository().join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut bootstrap: Value =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let module = module();
        // Envoy picks free ports and tells them: no port that another test may take meanwhile.
        *at(&mut bootstrap, ADMIN_PORT) = json!(0);
        *at(&mut bootstrap, LISTENER_PORT) = json!(0);
        let mut config = Self {
            concurrency: 2,
            variables: BTreeMap::new(),
            log_levels: String::new(),
            module,
            bootstrap,
            is_dynamic: false,
        };
        let path = config.module.display().to_string();
        config.plugin()["vm_config"]["code"]["local"]["filename"] = json!(path);
        config
    }

    /// Another module than the one that is shipped.
    #[must_use]
    pub fn with_module(mut self, path: &Path) -> Self {
        self.module = path.to_owned();
        self.plugin()["vm_config"]["code"]["local"]["filename"] = json!(path.display().to_string());
        self
    }

    /// Number of workers.
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// A variable of Envoy's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        crate::leaks::secret(name, value);
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// How much one component of Envoy says, such as `wasm:debug`; `info` otherwise.
    #[must_use]
    pub fn log_level(mut self, level: &str) -> Self {
        self.log_levels.push(',');
        self.log_levels.push_str(level);
        self
    }

    /// Where the upstream listens on 127.0.0.1.
    #[must_use]
    pub fn upstream(self, port: u16) -> Self {
        self.cluster_at("upstream", port)
    }

    /// Where the key service listens on 127.0.0.1, for every cluster of the filter's calls.
    #[must_use]
    pub fn key_service(self, port: u16) -> Self {
        KEY_SERVICE
            .into_iter()
            .fold(self, |config, name| match config.has_cluster(name) {
                true => config.cluster_at(name, port),
                false => config,
            })
    }

    /// Where a second key service listens on 127.0.0.1, which shares the database of the first: the
    /// endpoints and the health check of `docs/postgresql.md`, with other addresses.
    ///
    /// # Panics
    /// When the page has no such configuration.
    #[must_use]
    pub fn another_key_service(mut self, port: u16) -> Self {
        let page = fs::read_to_string(repository().join("docs/postgresql.md"));
        let blocks = blocks(&page.expect("the page is there"));
        let shown = blocks.iter().find(|it| it.language == "yaml");
        let shown = &shown.expect("the page has a configuration").text;
        let shown: Value = serde_saphyr::from_str(shown).expect("it is YAML");
        for name in KEY_SERVICE {
            let cluster = self.find_cluster(name);
            let first = at(cluster, "/load_assignment/endpoints/0/lb_endpoints/0").take();
            let address = json!({ "address": "127.0.0.1", "port_value": port });
            let second = json!({ "endpoint": { "address": { "socket_address": address } } });
            for (member, value) in shown.as_object().expect("members of a cluster") {
                cluster[member] = value.clone();
            }
            cluster["load_assignment"]["cluster_name"] = json!(name);
            let endpoints = at(cluster, "/load_assignment/endpoints/0/lb_endpoints");
            assert_eq!(endpoints.as_array().map(Vec::len), Some(2), "two of them");
            *endpoints = json!([first, second]);
        }
        self
    }

    /// Which address the key service has, in place of 127.0.0.1.
    #[must_use]
    pub fn key_service_address(self, address: IpAddr) -> Self {
        KEY_SERVICE
            .into_iter()
            .fold(self, |config, name| config.cluster_address(name, address))
    }

    /// Whether there is such a cluster.
    #[must_use]
    pub fn has_cluster(&self, name: &str) -> bool {
        let clusters = self.bootstrap["static_resources"]["clusters"].as_array();
        clusters.is_some_and(|all| all.iter().any(|it| it["name"] == name))
    }

    /// Where any cluster's one endpoint listens on 127.0.0.1.
    #[must_use]
    pub fn cluster(self, name: &str, port: u16) -> Self {
        self.cluster_at(name, port)
    }

    /// Which address any cluster's one endpoint has, in place of 127.0.0.1.
    #[must_use]
    pub fn cluster_address(mut self, name: &str, address: IpAddr) -> Self {
        let address = json!(address.to_string());
        *at(self.find_cluster(name), ENDPOINT_ADDRESS) = address;
        self
    }

    /// Replaces the policy.
    #[must_use]
    pub fn policy(self, policy: &Value) -> Self {
        self.policy_text(&policy.to_string())
    }

    /// Replaces the policy by any text.
    #[must_use]
    pub fn policy_text(mut self, text: &str) -> Self {
        self.plugin()["configuration"]["value"] = json!(text);
        self
    }

    /// Changes the policy that is there.
    ///
    /// # Panics If that is not JSON.
    #[must_use]
    pub fn edit_policy(mut self, change: impl FnOnce(&mut Value)) -> Self {
        let text = self.plugin()["configuration"]["value"].take();
        let text = text.as_str().expect("the policy is a text");
        let mut policy = serde_json::from_str(text).expect("the policy is JSON");
        change(&mut policy);
        self.policy(&policy)
    }

    /// Sets a field of the plugin, such as `allow_on_headers_stop_iteration`.
    #[must_use]
    pub fn plugin_field(mut self, name: &str, value: Value) -> Self {
        self.plugin()[name] = value;
        self
    }

    /// With the setting under which Envoy lets a body pass while headers wait.
    #[must_use]
    pub fn allow_on_headers_stop_iteration(self) -> Self {
        self.plugin_field("allow_on_headers_stop_iteration", json!(true))
    }

    /// Envoy alone: to try the harness, or to compare with.
    #[must_use]
    pub fn without_filter(mut self) -> Self {
        let filters = at(&mut self.bootstrap, HTTP_FILTERS);
        let filters = filters.as_array_mut().expect("a list of filters");
        filters.retain(|filter| filter["name"] != "keygate");
        self
    }

    /// Changes anything in the bootstrap.
    #[must_use]
    pub fn change(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.bootstrap);
        self
    }

    /// The listener comes from a file that can change while Envoy runs, and an old one is
    /// drained for a second; see [`Envoy::update`](super::Envoy::update).
    #[must_use]
    pub fn dynamic(mut self) -> Self {
        self.is_dynamic = true;
        self
    }

    /// Moves the listeners into a file of their own, if they are to be dynamic.
    pub(super) fn split_listeners(&mut self, directory: &Path) {
        if !self.is_dynamic {
            return;
        }
        let file = listeners_file(directory);
        write_whole(&file, &format!("{:#}", self.discovery()));
        self.bootstrap["static_resources"]["listeners"] = json!([]);
        self.bootstrap["node"] = json!({ "id": "tests", "cluster": "tests" });
        self.bootstrap["dynamic_resources"] = json!({ "lds_config": { "path_config_source": { "path": file.display().to_string() } } });
    }

    /// The listeners as an answer of the discovery service.
    pub(super) fn discovery(&self) -> Value {
        let listeners = self.bootstrap["static_resources"]["listeners"].as_array();
        let typed = |listener: &Value| {
            let mut listener = listener.clone();
            listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
            listener
        };
        let resources: Vec<Value> = listeners.into_iter().flatten().map(typed).collect();
        json!({ "resources": resources })
    }

    /// Whether the module is asked for at all.
    pub(super) fn has_filter(&mut self) -> bool {
        let filters = at(&mut self.bootstrap, HTTP_FILTERS).as_array();
        filters.is_some_and(|filters| filters.iter().any(|filter| filter["name"] == "keygate"))
    }

    pub(super) fn bootstrap(&self) -> &Value {
        &self.bootstrap
    }

    fn cluster_at(mut self, name: &str, port: u16) -> Self {
        *at(self.find_cluster(name), ENDPOINT_PORT) = json!(port);
        self
    }

    fn find_cluster(&mut self, name: &str) -> &mut Value {
        let clusters = at(&mut self.bootstrap, "/static_resources/clusters");
        let mut clusters = clusters.as_array_mut().expect("a list").iter_mut();
        let cluster = clusters.find(|cluster| cluster["name"] == name);
        cluster.unwrap_or_else(|| panic!("envoy/envoy.yaml: no cluster {name}"))
    }

    fn plugin(&mut self) -> &mut Value {
        let filters = at(&mut self.bootstrap, HTTP_FILTERS);
        let mut filters = filters.as_array_mut().expect("a list").iter_mut();
        let filter = filters.find(|filter| filter["name"] == "keygate");
        let filter = filter.expect("envoy/envoy.yaml: a filter named keygate");
        &mut filter["typed_config"]["config"]
    }
}

/// Where the listeners stand, in a folder of their own: Envoy watches all of it, and what it
/// logs of that at trace would be one more change beside its log.
pub(super) fn listeners_file(directory: &Path) -> PathBuf {
    let folder = directory.join("discovery");
    std::fs::create_dir_all(&folder).expect("a temporary directory can be written to");
    folder.join("listeners.json")
}

/// Writes beside and renames: who watches sees the whole file or none.
pub(super) fn write_whole(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    std::fs::write(&beside, text).expect("a temporary directory can be written to");
    std::fs::rename(&beside, file).expect("a file can be renamed in its directory");
}

fn at<'a>(value: &'a mut Value, pointer: &str) -> &'a mut Value {
    value
        .pointer_mut(pointer)
        .unwrap_or_else(|| panic!("envoy/envoy.yaml: nothing at {pointer}"))
}

/// From `KEYGATE_WASM`, else where `scripts/wasm` puts it.
fn module() -> PathBuf {
    let path = std::env::var_os("KEYGATE_WASM").map_or_else(
        || repository().join("target/keygate.wasm"),
        |path| repository().join(path),
    );
    path.canonicalize().unwrap_or(path)
}

pub(super) fn assert_built(module: &Path) {
    assert!(
        module.is_file(),
        "the filter is missing at {}: run `make build` first",
        module.display()
    );
}
