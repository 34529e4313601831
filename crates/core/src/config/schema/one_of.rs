//! How the schema describes a choice.

use schemars::Schema;

/// Its members exclude each other, and an editor that knows it says more.
pub(in crate::config) fn one_of(schema: &mut Schema) {
    if let Some(members) = schema.remove("anyOf") {
        schema.insert("oneOf".to_owned(), members);
    }
}
