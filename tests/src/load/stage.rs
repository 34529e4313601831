//! An Envoy with the filter, the real key service, an upstream and the clients that ask them:
//! each answer is judged, and what reaches the upstream as well.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::clients::Clients;
use super::oracle::Bounds;
use super::scene::Scene;
use super::tally::Tally;
use crate::envoy::EnvoyConfig;
use crate::namespace::Namespace;
use crate::relay::Relay;
use crate::service::{Options, Service};
use crate::stack::Stack;

/// What lies between Envoy and the key service.
pub enum Network {
    /// The loopback interface.
    Near,
    /// A cable that can be pulled.
    Cable(Arc<Namespace>),
    /// A relay that can be slow.
    Relay,
}

/// A [`Stage`] that has not been set.
pub struct Plan {
    /// What is promised; goes into the configuration.
    pub bounds: Bounds,
    /// Between Envoy and the key service.
    pub network: Network,
    /// What else to change about Envoy.
    pub envoy: Box<dyn FnOnce(EnvoyConfig) -> EnvoyConfig>,
    /// Variables of the key service.
    pub variables: Vec<(String, String)>,
    /// The URL of its PostgreSQL database; without it a SQLite file.
    pub store: Option<String>,
    /// Clients at once.
    pub clients: u32,
    /// Requests a second of all of them.
    pub rate: u32,
    /// How often a key is created, and another one revoked.
    pub churn: Duration,
    /// Whether every worker shall know the warm keys before the clients come.
    pub warms_up: bool,
}

/// All of it, running until dropped.
pub struct Stage {
    // Before what they ask: those end first.
    clients: Option<Clients>,
    scene: Arc<Scene>,
    /// Between Envoy and the key service.
    pub relay: Option<Relay>,
}

impl Stage {
    /// Brings all of it up, warms it, and lets the clients in.
    ///
    /// # Panics
    /// When a part does not come up.
    #[must_use]
    pub fn start(plan: Plan) -> Self {
        let namespace = match &plan.network {
            Network::Cable(namespace) => Some(Arc::clone(namespace)),
            Network::Near | Network::Relay => None,
        };
        let address = namespace.as_ref().map(|it| it.address());
        let service = Service::start_with(Options {
            variables: plan.variables,
            store: plan.store,
            namespace,
            ..Options::default()
        });
        let relay = matches!(plan.network, Network::Relay).then(|| Relay::to(service.port()));
        let bounds = plan.bounds;
        let change = plan.envoy;
        let stack = Stack::builder()
            .concurrency(2)
            .key_service_at(relay.as_ref().map_or(service.port(), Relay::port))
            .edit_policy(|policy| promise(policy, &bounds))
            .envoy(|envoy| envoy.change(|bootstrap| idle(bootstrap, bounds.idle)))
            .envoy(|envoy| match address {
                Some(address) => envoy.key_service_address(address),
                None => envoy,
            })
            .envoy(change)
            .start();
        let scene = Arc::new(Scene::new(stack, service, bounds));
        scene.issue_warm();
        if plan.warms_up {
            scene.warm_up();
        }
        let clients = Clients::start(&scene, plan.clients, plan.rate, plan.churn);
        Self {
            clients: Some(clients),
            scene,
            relay,
        }
    }

    /// What the clients share.
    #[must_use]
    pub fn scene(&self) -> &Arc<Scene> {
        &self.scene
    }

    /// Lets every client finish, and says how it went since [`Scene::take`].
    #[must_use]
    pub fn finish(mut self) -> Tally {
        drop(self.clients.take());
        self.scene.take()
    }
}

fn promise(policy: &mut Value, bounds: &Bounds) {
    let millis = |time: Duration| json!(format!("{}ms", time.as_millis()));
    policy["key_service"]["timeout"] = millis(bounds.timeout);
    policy["key_service"]["poll"] = millis(bounds.poll);
    policy["key_service"]["lease"] = millis(bounds.lease);
    policy["providers"]["app-key"]["accept"] = json!(["native", "opaque"]);
}

fn idle(bootstrap: &mut Value, time: Duration) {
    let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    let manager = bootstrap.pointer_mut(manager).expect("envoy/envoy.yaml");
    manager["stream_idle_timeout"] = json!(format!("{}s", time.as_secs()));
}
