//! What a service is started with: values already checked, secrets already decoded.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use keygate_core::Millis;
use keygate_core::keys::{KeyRingId, MasterSecret, Prefix};

use crate::auth::Tokens;
use crate::caller::Assertions;
use crate::connections::Limits;
use crate::events::EventTarget;
use crate::hook::HookTarget;
use crate::leaks::KeySource;
use crate::limits::KeyLimits;
use crate::outbound::Endpoint;
use crate::space::Space;
use crate::store::Place;
use crate::templates::Templates;
use crate::wrong::Errors;

/// Everything [`serve()`](crate::serve()) needs.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the database is.
    pub database: Place,
    /// The word in front of every key.
    pub prefix: Prefix,
    /// Names `master` inside every new key.
    pub kid: KeyRingId,
    /// Makes and hashes new keys.
    pub master: MasterSecret,
    /// Those that came before it, by their ids, under which imported keys may be stored.
    pub retired: Vec<(KeyRingId, MasterSecret)>,
    /// May create, read and revoke keys.
    pub admin_tokens: Tokens,
    /// May look hashes up and read the change feed.
    pub edge_tokens: Tokens,
    /// How accounts prove themselves; without it only admins manage keys.
    pub assertions: Option<Assertions>,
    /// How long a connection may take, and how many there may be.
    pub limits: Limits,
    /// What is allowed of keys.
    pub key_limits: KeyLimits,
    /// What is allowed of those of a space, in place of that.
    pub space_limits: BTreeMap<Space, KeyLimits>,
    /// What requests to create a key can name.
    pub templates: Templates,
    /// For how long a key is kept after its end; without it, it is never deleted.
    pub retention: Option<Millis>,
    /// Where events are sent, each URL once.
    pub events: Vec<EventTarget>,
    /// After which time without uses a key is announced.
    pub unused_after: Millis,
    /// Whose reports of leaked keys are accepted; without it, none are.
    pub leaks: Option<KeySource>,
    /// What is asked before a key is created, changed or replaced.
    pub hook: Option<HookTarget>,
}

/// Why a configuration contradicts itself.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A stolen edge token would then issue keys.
    #[error("one token is both an admin and an edge token: each role needs its own")]
    SharedToken,
    /// Every key without an end would be rejected.
    #[error("the default life of a key is longer than the longest one")]
    DefaultLifetime,
    /// The same in a space.
    #[error("in the space {0}, the default life of a key is longer than the longest one")]
    DefaultLifetimeIn(Space),
    /// Every key of it would be rejected.
    #[error("the template {name} is beyond the limits: {errors}")]
    Template {
        /// The name of the template.
        name: String,
        /// What is beyond them.
        errors: Errors,
    },
    /// Each event would be delivered there as often.
    #[error("two entries of events have the same URL, of {0}: give each URL once")]
    SameTarget(Endpoint),
}

impl ServiceConfig {
    /// Checks what no single field can know.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.admin_tokens.shares_one_with(&self.edge_tokens) {
            return Err(ConfigError::SharedToken);
        }
        if self.key_limits.contradict() {
            return Err(ConfigError::DefaultLifetime);
        }
        let mut spaces = self.space_limits.iter();
        if let Some((space, _)) = spaces.find(|(_, limits)| limits.contradict()) {
            return Err(ConfigError::DefaultLifetimeIn(space.clone()));
        }
        for (name, template) in &self.templates {
            let of_space = template.space().and_then(|it| self.space_limits.get(it));
            let checked = template.check(of_space.unwrap_or(&self.key_limits));
            checked.map_err(|errors| ConfigError::Template {
                name: name.clone(),
                errors,
            })?;
        }
        let mut endpoints = self.events.iter().map(|it| &it.endpoint);
        while let Some(endpoint) = endpoints.next() {
            if endpoints.clone().any(|it| it == endpoint) {
                return Err(ConfigError::SameTarget(endpoint.clone()));
            }
        }
        Ok(())
    }
}
