//! What the key service is taken to say.

use std::path::Path;
use std::rc::Rc;

use keygate_core::UnixMillis;
use keygate_core::keys::wire::Record;
use keygate_core::keys::{KeyHash, KeyLookup, Knowledge, KnownKey};
use keygate_core::text::json::without_place;
use serde_json::Value;

use crate::document::unreadable;
use crate::error::CliError;
use crate::file::read;

/// The one answer that was given, if one was.
pub struct Given {
    /// The key that it is about; without one, any.
    hash: Option<KeyHash>,
    knowledge: Knowledge,
}

impl Given {
    /// From the record in a file, or that the key is unknown.
    pub fn new(record: Option<&Path>, is_unknown: bool) -> Result<Self, CliError> {
        let Some(file) = record else {
            let knowledge = if is_unknown {
                Knowledge::Unknown
            } else {
                Knowledge::NotAsked
            };
            return Ok(Self {
                hash: None,
                knowledge,
            });
        };
        let wrong =
            |why: String| CliError::Usage(format!("{} is not a key record: {why}", file.display()));
        let text = read(file)?;
        let mut json: Value = serde_json::from_slice(&text).map_err(|it| wrong(unreadable(&it)))?;
        let members = json.as_object_mut();
        let members = members.ok_or_else(|| wrong("must be a JSON object".to_owned()))?;
        let has_hash = members.contains_key("hash");
        members
            .entry("hash")
            .or_insert_with(|| KeyHash([0; 32]).to_string().into());
        // From text: a raw value, as the metadata is, cannot be taken from a tree.
        let record: Record =
            serde_json::from_str(&json.to_string()).map_err(|it| wrong(without_place(&it)))?;
        let known = KnownKey::try_from(&record).map_err(|it| wrong(it.to_string()))?;
        Ok(Self {
            hash: has_hash.then_some(record.hash),
            knowledge: Knowledge::Known(Rc::new(known)),
        })
    }
}

impl KeyLookup for Given {
    fn find(&self, hashes: &[KeyHash], _now: UnixMillis) -> Knowledge {
        if self.hash.is_none_or(|of| hashes.contains(&of)) {
            self.knowledge.clone()
        } else {
            Knowledge::NotAsked
        }
    }
}
