//! The JSON schema of a configuration, for editors and for whoever generates policies.
//!
//! It is made from the types that read the configuration. It knows shapes only:
//! whether a name that is used is defined, for one, only a check can say.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::session::JwtProvider;
use super::tree::UniqueMap;
use super::written;
use crate::answer::Json;

/// The schema of version 1, in JSON Schema draft 2020-12.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut exchange = generator.subschema_for::<super::signed_url::Exchange>();
    let what = "A cookie in exchange for a valid link. Default: none.";
    exchange.insert("description".to_owned(), what.into());
    let mut schema = generator.into_root_schema_for::<written::Policy>();
    exchange_in_links(&mut schema, exchange.as_value());
    schema.insert("title".to_owned(), "Keygate policy".into());
    schema.to_value()
}

/// The member `exchange` is read apart from the formats, and all have it.
fn exchange_in_links(schema: &mut Schema, exchange: &Value) {
    let definitions = schema.get_mut("$defs").and_then(Value::as_object_mut);
    for definition in definitions.into_iter().flat_map(|it| it.values_mut()) {
        let kind = definition.pointer("/properties/type/const");
        if kind.and_then(Value::as_str) != Some("signed_url") {
            continue;
        }
        if let Some(properties) = definition.pointer_mut("/properties") {
            let properties = properties.as_object_mut();
            properties.map(|it| it.insert("exchange".to_owned(), exchange.clone()));
        }
    }
}

/// A kind of credential, by its `type` and, for links, its `format`.
// The reader chooses by these in a second step; here each of its types stands for itself.
#[derive(JsonSchema)]
#[schemars(untagged, transform = one_of)]
#[expect(dead_code, reason = "only its schema is used")]
pub enum Provider {
    SignedUrl(super::signed_url::Written),
    AppKey(written::AppKeyProvider),
    Jwt(JwtProvider),
}

/// Its members exclude each other, and an editor that knows it says more.
pub fn one_of(schema: &mut Schema) {
    if let Some(members) = schema.remove("anyOf") {
        schema.insert("oneOf".to_owned(), members);
    }
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

/// Any JSON.
impl JsonSchema for Json {
    fn schema_name() -> Cow<'static, str> {
        "Json".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        true.into()
    }
}
