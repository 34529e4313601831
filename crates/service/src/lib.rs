//! The key service: it issues, lists and revokes app keys, and tells the edge what changed.
//!
//! `api` speaks HTTP and knows no SQL; `store` speaks SQL and knows no HTTP; between them are
//! checked values ([`Key`], [`Attributes`]). The clock and the randomness come from the caller
//! ([`Ambient`]). A raw key exists in the answer to its creation, and for ten minutes in memory if
//! its caller may send the request again (`idempotency`).
//!
//! - [`config`]: what a service is started with, [`auth`]: who may ask for what, [`roles`] and [`tokens`]: by which token,
//!   [`caller`]: an admin, or an account that the edge vouches for, [`rights`]: what each may do
//! - [`serve()`]: the listener, the signals, the end; [`connections`]: the sockets and their limits
//! - [`api`]: the routes; [`problem`]: every way to reject, [`wrong`]: what is wrong with a value
//! - [`openapi`]: the description of the routes, `shapes`: what values look like in it
//! - [`key`]: a stored key, [`attributes`]: what is said of it, [`patch`]: what changes, [`space`]: who sees it
//! - [`limits`]: what the operator allows of keys, [`templates`]: what it suggests
//! - [`audit`]: what was done, by whom; `uses`: how often keys were used
//! - [`events`]: what other services receive, signed ([`webhook`]), by calls of our own ([`outbound`])
//! - [`hook`]: what is asked before a key is saved, [`leaks`]: reports of leaked keys
//! - [`store`]: keys, the change feed and events on their way, in SQLite or PostgreSQL

pub mod ambient;
pub mod api;
pub mod attributes;
pub mod audit;
pub mod auth;
mod bearer;
pub mod caller;
pub mod code;
pub mod config;
pub mod connections;
mod courier;
pub mod edges;
pub mod events;
mod expiry;
pub mod hook;
mod idempotency;
mod json;
pub mod key;
pub mod leaks;
pub mod limits;
mod members;
mod metadata;
pub mod metrics;
pub mod openapi;
pub mod outbound;
pub mod patch;
pub mod problem;
mod rejections;
mod request_id;
pub mod rights;
pub mod roles;
mod sealed;
pub mod serve;
mod shapes;
pub mod shown;
pub mod space;
pub mod store;
pub mod templates;
pub mod tokens;
mod uses;
pub mod webhook;
mod words;
pub mod wrong;

pub use ambient::Ambient;
pub use attributes::Attributes;
pub use auth::{Tokens, TokensError};
pub use caller::Assertions;
pub use config::{ConfigError, ServiceConfig};
pub use connections::Limits;
pub use events::{EventTarget, EventType};
pub use hook::HookTarget;
pub use key::Key;
pub use leaks::KeySource;
pub use limits::KeyLimits;
pub use metadata::Metadata;
pub use outbound::Endpoint;
pub use serve::{ServeError, serve};
pub use space::Space;
pub use store::{Place, PostgresUrl, Store, StoreError};
pub use templates::Template;
pub use webhook::WebhookSecrets;
