//! `docs/configuration.md` is the schema as a page: one heading for each object.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::configuration_page::{HEAD, OBJECTS, TAIL};
use crate::support::keygate;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");

#[test]
fn the_page_of_the_configuration_is_current() {
    let page = page();
    if std::env::var_os("KEYGATE_RENEW").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let committed = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        committed == page,
        "docs/configuration.md is not current. Renew it: \
         KEYGATE_RENEW=1 cargo test -p keygate-cli --test cli configuration::"
    );
}

/// The schema, and the title of each of its objects.
struct Reference {
    schema: Value,
    titles: Vec<(String, String)>,
}

fn page() -> String {
    let done = keygate(&["schema"]).assert().code(0);
    let schema: Value = serde_json::from_slice(&done.get_output().stdout).unwrap();
    let mut reference = Reference {
        titles: Vec::new(),
        schema,
    };
    for (name, definition) in reference.schema["$defs"].as_object().unwrap() {
        if let Some(format) = definition["properties"]["format"]["const"].as_str() {
            let title = format!("Signed URLs: {format}");
            reference.titles.push((name.clone(), title));
        }
    }
    // The native format comes first, the others by name.
    let is_other = |title: &str| title != "Signed URLs: keygate";
    reference
        .titles
        .sort_by(|(_, one), (_, other)| (is_other(one), one).cmp(&(is_other(other), other)));
    let formats = reference.titles.clone();
    for (name, title, _) in OBJECTS {
        reference.titles.push((name.to_owned(), title.to_owned()));
    }

    let mut page = HEAD.to_owned();
    for (name, title, about) in OBJECTS {
        reference.section(&mut page, name, title, about);
        if name == "Provider" {
            for (name, title) in &formats {
                let format = title.rsplit(' ').next().unwrap();
                let about = match format {
                    "keygate" => "[signed-urls.md](signed-urls.md) specifies it.".to_owned(),
                    _ => format!("[formats/{format}.md](formats/{format}.md) describes it."),
                };
                reference.section(&mut page, name, title, &about);
            }
        }
    }
    page + TAIL
}

impl Reference {
    /// A definition of the schema; the whole of it for the empty name.
    fn definition(&self, name: &str) -> &Value {
        match name {
            "" => &self.schema,
            _ => &self.schema["$defs"][name],
        }
    }

    fn section(&self, page: &mut String, name: &str, title: &str, about: &str) {
        let definition = self.definition(name);
        assert!(definition.is_object(), "the schema has no {name} any more");
        let _ = writeln!(page, "\n## {title}\n");
        let described = definition["description"].as_str().unwrap_or_default();
        for text in [one_line(described), about.to_owned()] {
            if !text.is_empty() {
                let _ = writeln!(page, "{text}");
            }
        }
        let Some(fields) = definition["properties"].as_object() else {
            return;
        };
        page.push_str("\n| field | type | default | meaning |\n| --- | --- | --- | --- |\n");
        let required: Vec<&str> = texts(&definition["required"]);
        for (field, schema) in ordered(fields, &required) {
            let (meaning, default) = split(schema);
            let default = match (required.contains(&field), default) {
                (true, _) => "required".to_owned(),
                (false, Some(default)) if default != "none" => default,
                (false, _) => default_of(schema),
            };
            let cell = |text: String| text.replace('|', "\\|");
            let _ = writeln!(
                page,
                "| `{field}` | {} | {} | {} |",
                cell(self.type_of(schema)),
                cell(default),
                cell(meaning)
            );
        }
    }

    /// A type as a reader of JSON names it, with links to the objects on this page.
    fn type_of(&self, schema: &Value) -> String {
        if let Some(path) = schema["$ref"].as_str() {
            return self.link(path.rsplit('/').next().unwrap());
        }
        if let Some(value) = schema.get("const") {
            return format!("`{value}`");
        }
        for several in ["oneOf", "anyOf"] {
            if let Some(variants) = schema[several].as_array() {
                let variants = variants.iter().filter(|it| it["type"] != "null");
                let types: Vec<String> = variants.map(|it| self.type_of(it)).collect();
                return types.join(" or ");
            }
        }
        let name = match &schema["type"] {
            Value::Array(names) => names.iter().find(|it| *it != "null"),
            name => Some(name),
        };
        match name.and_then(Value::as_str) {
            Some("array") => match self.type_of(&schema["items"]) {
                of if of.contains(" or ") => format!("list of: {of}"),
                of => format!("list of {of}"),
            },
            Some("object") => match schema["properties"].as_object() {
                Some(members) => {
                    let (member, of) = members.iter().next().unwrap();
                    match of["type"] == "string" {
                        true => format!("`{{\"{member}\": …}}`"),
                        false => format!("`{{\"{member}\": […]}}`"),
                    }
                }
                None => format!(
                    "object of {} by name",
                    self.type_of(&schema["additionalProperties"])
                ),
            },
            Some("string") if schema["pattern"] == "^\\s*[0-9]" => "duration".to_owned(),
            Some("string") if schema["format"] == "date-time" => "time".to_owned(),
            Some(name) => name.to_owned(),
            None => "any JSON".to_owned(),
        }
    }

    fn link(&self, name: &str) -> String {
        let found = self
            .titles
            .iter()
            .find(|(definition, _)| definition == name);
        let Some((_, title)) = found else {
            panic!("{name}: give this object a row in tests/cli/configuration_page.rs");
        };
        let title = title.to_lowercase();
        let anchor = title.replace([':', ',', '`'], "").replace(' ', "-");
        format!("[{title}](#{anchor})")
    }
}

/// Fields in the order in which a reader needs them: the required ones first.
fn ordered<'a>(fields: &'a Map<String, Value>, required: &[&'a str]) -> Vec<(&'a str, &'a Value)> {
    let optional = fields.keys().map(String::as_str);
    let optional = optional.filter(|field| !required.contains(field));
    let all = required.iter().copied().chain(optional);
    all.map(|field| (field, &fields[field])).collect()
}

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(Value::as_str).collect()
}

/// The meaning of a field with that of its variants, and the default that it names.
fn split(schema: &Value) -> (String, Option<String>) {
    let text = one_line(schema["description"].as_str().unwrap_or_default());
    let (mut meaning, default) = match text.split_once("Default: ") {
        None => (text, None),
        Some((meaning, rest)) => {
            let (default, after) = rest.split_once(". ").unwrap_or((rest, ""));
            let meaning = [meaning.trim(), after.trim()].join(" ");
            (meaning.trim().to_owned(), Some(literal(default)))
        }
    };
    if let Some(Value::String(_)) = schema.get("const") {
        meaning = "This value chooses the fields of this table.".to_owned();
    }
    for (value, means) in variants(schema) {
        let _ = write!(meaning, " `{value}`: {means}");
    }
    (meaning.trim().to_owned(), default)
}

/// `false.` is a value, `as the policy says` a sentence.
fn literal(default: &str) -> String {
    let default = default.trim_end_matches('.');
    let is_value = !default.contains(' ') && !matches!(default, "none" | "any" | "all");
    match is_value && !default.starts_with('`') {
        true => format!("`{default}`"),
        false => default.to_owned(),
    }
}

fn default_of(schema: &Value) -> String {
    match schema.get("default") {
        // An object without required fields, such as the cache.
        None if schema.get("$ref").is_some()
            && !schema["description"]
                .as_str()
                .unwrap_or_default()
                .ends_with("none.") =>
        {
            "its defaults".to_owned()
        }
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::Array(list)) if list.is_empty() => "none".to_owned(),
        Some(Value::Object(object)) if object.is_empty() => "none".to_owned(),
        Some(value) => format!("`{value}`"),
    }
}

/// The variants of a field that are described one by one.
fn variants(schema: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let schemas = [schema, &schema["items"]];
    let nested = schemas
        .into_iter()
        .flat_map(|of| [&of["oneOf"], &of["anyOf"]]);
    for variant in nested.filter_map(Value::as_array).flatten() {
        let means = variant["description"].as_str().map(one_line);
        let name = match (&variant["const"], variant["properties"].as_object()) {
            (Value::String(name), _) => Some(name.clone()),
            (_, Some(members)) => members.keys().next().cloned(),
            _ => None,
        };
        match (name, means) {
            (Some(name), Some(means)) => found.push((name, means)),
            _ => found.extend(variants(variant)),
        }
    }
    found
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
