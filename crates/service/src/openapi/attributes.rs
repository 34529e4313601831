//! The schemas of a key's attributes and of the bodies that have them, from the rows by which they
//! are parsed.

use std::borrow::Cow;

use ipnet::IpNet;
use keygate_core::UnixMillis;
use keygate_core::identity::RateLimit;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::attributes::{Attributes, CreateBody, ImportItem, attributes};
use crate::json::AnyJson;
use crate::metadata::Metadata;
use crate::patch::PatchBody;
use crate::sealed::ToSeal;
use crate::shapes;
use crate::space::Space;

/// A field of an object.
struct Field {
    name: &'static str,
    about: &'static str,
    schema: Schema,
    is_nullable: bool,
    is_required: bool,
}

/// Whether a value of this type can be `null`.
trait Null {
    const CAN_BE: bool = false;
}

impl<T> Null for Option<T> {
    const CAN_BE: bool = true;
}

impl<T> Null for Vec<T> {}
impl Null for String {}
impl Null for Metadata {}
impl Null for Space {}

macro_rules! rows {
    ({} $(
        $(#[doc = $about:literal])+ $(#[serde $_serde:tt])?
        $field:ident: $Type:ty = $check:ident($Written:ty);
    )*) => {
        /// Every attribute as the API shows it.
        fn shown() -> Vec<Field> {
            vec![$(Field {
                name: stringify!($field),
                about: concat!($($about),+),
                schema: shapes::$check(),
                is_nullable: <$Type as Null>::CAN_BE,
                is_required: true,
            }),*]
        }

        /// Every attribute as a body has it.
        fn written() -> Vec<Field> {
            vec![$(Field {
                name: stringify!($field),
                about: concat!($($about),+),
                schema: shapes::$check(),
                is_nullable: <$Written as Null>::CAN_BE,
                is_required: false,
            }),*]
        }
    };
}

attributes!(rows!);

impl Field {
    fn new(name: &'static str, about: &'static str, schema: Schema) -> Self {
        Self {
            name,
            about,
            schema,
            is_nullable: true,
            is_required: false,
        }
    }

    fn schema(self) -> Value {
        let mut schema = self.schema;
        if let Some(of) = schema.get_mut("type").filter(|_| self.is_nullable) {
            *of = json!([of, "null"]);
        }
        schema.insert("description".to_owned(), self.about.trim().into());
        schema.to_value()
    }
}

fn object(fields: Vec<Field>) -> Schema {
    let required = fields.iter().filter(|it| it.is_required);
    let required: Vec<&str> = required.map(|it| it.name).collect();
    let properties = fields.into_iter();
    let properties: Map<String, Value> = properties
        .map(|field| (field.name.to_owned(), field.schema()))
        .collect();
    let mut schema = json_schema!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema
}

/// A body, which has no other fields.
fn body(own: impl IntoIterator<Item = Field>, attributes: impl Iterator<Item = Field>) -> Schema {
    let mut schema = object(own.into_iter().chain(attributes).collect());
    schema.insert("additionalProperties".to_owned(), false.into());
    schema
}

fn with_one_end(mut schema: Schema) -> Schema {
    shapes::one_end(&mut schema);
    schema
}

fn expires_in() -> Field {
    let about = "When it expires, as a duration from now, in place of `expires_at`.";
    Field::new("expires_in", about, shapes::span())
}

fn sealed() -> Field {
    let about = "Headers for the upstream that only the key itself opens. The service seals them with \
                 the new key, and keeps no copy.";
    Field::new("sealed", about, to_seal())
}

fn template() -> Field {
    let about = "The template of the operator that has the fields which the request leaves out.";
    Field::new("template", about, shapes::template())
}

fn to_seal() -> Schema {
    let about = "Names in lower case, and values of visible ASCII characters and spaces.";
    let headers = Field {
        is_nullable: false,
        is_required: true,
        ..Field::new("headers", about, shapes::to_seal())
    };
    body([headers], std::iter::empty())
}

/// Implements the schema of a type under a name.
macro_rules! schemas {
    ($($Type:ident = $name:literal $schema:expr;)*) => {
        $(
            impl JsonSchema for $Type {
                fn schema_name() -> Cow<'static, str> {
                    $name.into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    $schema
                }
            }
        )*
    };
}

schemas! {
    Attributes = "Attributes" object(shown());
    CreateBody = "CreateKey" with_one_end(body([expires_in(), sealed(), template()], written().into_iter()));
    ImportItem = "ImportKey" {
        let key = "The key. Either this or `sha256` is required.";
        let digest = "Its SHA-256 digest, in hexadecimal digits or base64, in place of `key`.";
        let own = [
            Field::new("key", key, shapes::imported()),
            Field::new("sha256", digest, shapes::sha256()),
        ];
        body(own, written().into_iter())
    };
    ToSeal = "ToSeal" to_seal();
    PatchBody = "ChangeKey" {
        let about = "Whether the key is disabled.";
        let disabled = Field::new("disabled", about, json_schema!({ "type": "boolean" }));
        let changes = |it: &Field| !Attributes::FIXED.contains(&it.name);
        let attributes = written().into_iter().filter(changes);
        with_one_end(body([disabled, expires_in()], attributes))
    };
}
