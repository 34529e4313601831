//! The JSON schema of a configuration, for editors and for programs that generate policies.
//!
//! It is derived from the types that read the configuration. It describes shapes only:
//! `keygate check` also finds, for example, names that are used but not defined.

mod one_of;
mod provider;

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::read::UniqueMap;
use super::written;
pub(super) use one_of::one_of;
pub(super) use provider::Provider;

/// The schema of version 1, in JSON Schema draft 2020-12.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<written::Policy<'_>>();
    schema.insert("title".to_owned(), "Keygate policy".into());
    schema.to_value()
}

impl<V: JsonSchema> JsonSchema for UniqueMap<V> {
    fn schema_name() -> Cow<'static, str> {
        format!("MapOf{}", V::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": generator.subschema_for::<V>(),
        })
    }
}
