//! Upstream, key service and Envoy together, as `make run` brings them up.

use serde_json::Value;

use crate::client::{self, Request};
use crate::echo::Echo;
use crate::envoy::{Envoy, EnvoyConfig};
use crate::fake_service::FakeService;
use crate::leaks::{self, Recorder};
use crate::service::{APP_KEYS, EDGE_TOKEN, MEDIA, Service};

/// All of them; they end when dropped.
pub struct Stack {
    // Envoy first: it is the first to go, and does not log that the others have gone.
    /// The proxy with the filter.
    pub envoy: Envoy,
    /// What it protects.
    pub echo: Echo,
    service: Option<Service>,
    recorder: Option<Recorder>,
}

impl Stack {
    /// With the demo policy and the real key service.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// With something else.
    #[must_use]
    pub fn builder() -> StackBuilder {
        Self::of_file("envoy/envoy.yaml")
    }

    /// With another file that a user copies, by its path in the repository.
    #[must_use]
    pub fn of_file(name: &str) -> StackBuilder {
        StackBuilder {
            config: EnvoyConfig::from_file(name)
                .env("KEYGATE_MEDIA", MEDIA)
                .env("KEYGATE_APP_KEYS", APP_KEYS)
                .env("KEYGATE_EDGE_TOKEN", EDGE_TOKEN),
            keys_at: None,
        }
    }

    /// The real key service.
    ///
    /// # Panics
    /// In a stack with another one.
    #[must_use]
    pub fn service(&self) -> &Service {
        self.service
            .as_ref()
            .expect("this stack has the real key service")
    }

    /// `GET` through Envoy, still to be sent.
    pub fn get(&self, path: impl AsRef<[u8]>) -> Request {
        client::get(self.envoy.port(), path)
    }

    /// `POST` through Envoy, still to be sent.
    pub fn post(&self, path: impl AsRef<[u8]>) -> Request {
        client::post(self.envoy.port(), path)
    }
}

/// A [`Stack`] that has not been started.
pub struct StackBuilder {
    config: EnvoyConfig,
    keys_at: Option<u16>,
}

impl StackBuilder {
    /// Replaces the policy.
    #[must_use]
    pub fn policy(self, policy: &Value) -> Self {
        self.envoy(|config| config.policy(policy))
    }

    /// Changes the demo policy.
    #[must_use]
    pub fn edit_policy(self, change: impl FnOnce(&mut Value)) -> Self {
        self.envoy(|config| config.edit_policy(change))
    }

    /// Number of Envoy's workers.
    #[must_use]
    pub fn concurrency(self, workers: u32) -> Self {
        self.envoy(|config| config.concurrency(workers))
    }

    /// Changes anything else about Envoy.
    #[must_use]
    pub fn envoy(mut self, change: impl FnOnce(EnvoyConfig) -> EnvoyConfig) -> Self {
        self.config = change(self.config);
        self
    }

    /// The stand-in is the key service; no real one is started.
    #[must_use]
    pub fn fake_service(self, fake: &FakeService) -> Self {
        self.key_service_at(fake.port())
    }

    /// Whatever listens there, or nothing, is the key service; no real one is started.
    #[must_use]
    pub fn key_service_at(mut self, port: u16) -> Self {
        self.keys_at = Some(port);
        self
    }

    /// The configuration that Envoy would be started with, for an update of this stack.
    #[must_use]
    pub fn config_for(self, stack: &Stack) -> EnvoyConfig {
        let keys = stack.service.as_ref().map_or(0, Service::port);
        let recorded = stack.recorder.as_ref().map(Recorder::port);
        let keys = self.keys_at.unwrap_or(recorded.unwrap_or(keys));
        with_keys(self.config.upstream(stack.echo.port()), keys)
    }

    /// Brings all of it up; a key service only where the file knows one.
    #[must_use]
    pub fn start(self) -> Stack {
        let echo = Echo::start();
        let is_needed = self.keys_at.is_none() && self.config.has_cluster(KEYS);
        let service = is_needed.then(Service::start);
        let keys = self
            .keys_at
            .or(service.as_ref().map(Service::port))
            .unwrap_or_default();
        let recorder = leaks::is_on().then(|| Recorder::before(keys));
        let keys = recorder.as_ref().map_or(keys, Recorder::port);
        let envoy = Envoy::start(with_keys(self.config.upstream(echo.port()), keys));
        Stack {
            envoy,
            echo,
            service,
            recorder,
        }
    }
}

/// The cluster of the key service in our files.
const KEYS: &str = "keygate_keys";

fn with_keys(config: EnvoyConfig, port: u16) -> EnvoyConfig {
    match config.has_cluster(KEYS) {
        true => config.key_service(port),
        false => config,
    }
}
