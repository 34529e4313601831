//! `[[events]]` and `[hook]` of the file of `keygate serve`.

use keygate_service::{Endpoint, EventTarget, EventType, HookTarget, WebhookSecrets};

use super::table::Table;
use crate::environment::{or_another, required_text, value_of};
use crate::error::CliError;

/// A URL for events, as the file has it.
#[derive(Debug, PartialEq, Eq)]
pub struct EventSettings {
    pub url: Endpoint,
    /// The variable with its secrets.
    pub secret_env: String,
    pub types: Vec<EventType>,
}

impl EventSettings {
    /// Reads a table; `None` if something in it is wrong.
    pub fn of(table: &mut Table<'_>) -> Option<Self> {
        let url = table.required("url", endpoint);
        let secret_env = table.required("secret_env", variable);
        let types = table.words("types", EventType::WORDS, EventType::parse);
        Some(Self {
            url: url?,
            secret_env: secret_env?,
            types: types.unwrap_or_else(|| EventType::ALL.to_vec()),
        })
    }

    /// Reads the secrets.
    pub fn target(self) -> Result<EventTarget, CliError> {
        Ok(EventTarget {
            secrets: secrets(&self.secret_env)?,
            endpoint: self.url,
            types: self.types,
        })
    }
}

/// The hook before save, as the file has it.
#[derive(Debug, PartialEq, Eq)]
pub struct HookSettings {
    pub url: Endpoint,
    /// The variable with its secrets.
    pub secret_env: String,
}

impl HookSettings {
    /// Reads a table; `None` if something in it is wrong.
    pub fn of(table: &mut Table<'_>) -> Option<Self> {
        let url = table.required("url", endpoint);
        let secret_env = table.required("secret_env", variable);
        Some(Self {
            url: url?,
            secret_env: secret_env?,
        })
    }

    /// Reads the secrets.
    pub fn target(self) -> Result<HookTarget, CliError> {
        Ok(HookTarget {
            secrets: secrets(&self.secret_env)?,
            endpoint: self.url,
        })
    }
}

/// Parses a URL that the service calls.
pub fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text).map_err(str::to_owned)
}

/// Parses the name of an environment variable.
pub fn variable(text: &str) -> Result<String, String> {
    match text.is_empty() || text.contains(['=', '\0']) {
        true => Err("must be the name of an environment variable".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// The secrets of a receiver, from its variable.
pub fn secrets(variable: &str) -> Result<WebhookSecrets, CliError> {
    let text = required_text(variable).map_err(|error| or_another(&error, "secret_env"))?;
    WebhookSecrets::parse(&text)
        .map_err(|error| CliError::Usage(format!("{} {error}", value_of(variable))))
}
