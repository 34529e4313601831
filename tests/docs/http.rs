//! `docs/http-reference.md` is the OpenAPI document as a page: each call, and each object.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use keygate_tests::repository;
use serde_json::{Map, Value};

use crate::markdown::slug;

const PAGE: &str = "docs/http-reference.md";

const HEAD: &str = "\
# HTTP reference

Every call of the key service, with its parameters, bodies and error codes. [http-api.md](http-api.md) explains
them, and [errors.md](errors.md) the codes. Every rejection is a [problem](#problem).

This page is generated from [openapi.json](openapi.json); `make test` fails if it is out of date. To renew it:

    KEYGATE_RENEW=1 cargo test -p keygate-tests --test docs http::
";

#[test]
fn the_page_of_the_http_api_is_current() {
    let document = fs::read_to_string(repository().join("docs/openapi.json")).unwrap();
    let page = page(&serde_json::from_str(&document).unwrap());
    let path = repository().join(PAGE);
    if std::env::var_os("KEYGATE_RENEW").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "{PAGE} is not current. Renew it: \
         KEYGATE_RENEW=1 cargo test -p keygate-tests --test docs http::"
    );
}

fn page(document: &Value) -> String {
    let mut page = HEAD.to_owned();
    for tag in document["tags"].as_array().unwrap() {
        let about = tag["description"].as_str().unwrap();
        let _ = writeln!(page, "\n**{}**\n", about.trim_end_matches('.'));
        page.push_str("| call | what it does |\n| --- | --- |\n");
        for call in calls(document, tag) {
            let (title, anchor) = (call.title(), slug(&call.title()));
            let _ = writeln!(page, "| [`{title}`](#{anchor}) | {} |", call.about());
        }
    }
    for tag in document["tags"].as_array().unwrap() {
        for call in calls(document, tag) {
            call.write(&mut page, document);
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        write_object(&mut page, name, schema);
    }
    page
}

struct Call<'d> {
    method: &'d str,
    path: &'d str,
    operation: &'d Value,
}

fn calls<'d>(document: &'d Value, tag: &Value) -> Vec<Call<'d>> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| Call {
            method,
            path,
            operation,
        })
    });
    all.filter(|call| call.operation["tags"][0] == tag["name"])
        .collect()
}

impl Call<'_> {
    fn title(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    fn about(&self) -> &str {
        self.operation["summary"].as_str().unwrap()
    }

    fn write(&self, page: &mut String, document: &Value) {
        // As code: mdBook would take `{id}` at the end of a heading for attributes of it.
        let _ = writeln!(page, "\n## `{}`\n\n{}.", self.title(), self.about());
        let _ = writeln!(page, "Caller: {}.", self.callers());
        let parameters = self.operation["parameters"].as_array().unwrap();
        if !parameters.is_empty() {
            page.push_str("\n| parameter | in | type | meaning |\n| --- | --- | --- | --- |\n");
        }
        for parameter in parameters {
            let [name, place] = ["name", "in"].map(|it| parameter[it].as_str().unwrap());
            let (kind, meaning) = (type_of(&parameter["schema"]), meaning(parameter));
            let _ = writeln!(page, "| `{name}` | {place} | {kind} | {meaning} |");
        }
        let body = &self.operation["requestBody"]["content"];
        if let Some((media, content)) = body.as_object().and_then(|it| it.iter().next()) {
            let of = type_of(&content["schema"]);
            let _ = writeln!(page, "\nBody: {of} (`{media}`).");
        }
        page.push_str("\n| status | body | meaning |\n| ---: | --- | --- |\n");
        for (status, response) in self.operation["responses"].as_object().unwrap() {
            let response = followed(document, response);
            let content = response["content"].as_object();
            let body = content.and_then(|it| it.iter().next());
            let body = body.map_or_else(String::new, |(media, content)| {
                match content["schema"].get("$ref") {
                    Some(_) => type_of(&content["schema"]),
                    None => format!("`{media}`"),
                }
            });
            let codes = response["x-codes"].as_array();
            let meaning = match codes {
                Some(codes) => {
                    let codes = codes.iter().filter_map(Value::as_str);
                    let links = codes.map(|code| format!("[`{code}`](errors.md#{code})"));
                    links.collect::<Vec<_>>().join(", ")
                }
                None => meaning(response),
            };
            let _ = writeln!(page, "| {status} | {body} | {meaning} |");
        }
    }

    /// Who may call: one of these is enough.
    fn callers(&self) -> String {
        let mut roles = BTreeSet::new();
        let mut others = Vec::new();
        for security in self.operation["security"].as_array().unwrap() {
            let words = |name: &str| {
                let words = security[name].as_array();
                words.map(|it| it.iter().filter_map(Value::as_str).collect::<Vec<_>>())
            };
            roles.extend(words("token").unwrap_or_default());
            if let Some(scopes) = words("assertion") {
                let scopes: Vec<_> = scopes.iter().map(|it| format!("`{it}`")).collect();
                others.push(match scopes.is_empty() {
                    true => "an account".to_owned(),
                    false => format!("an account with {}", scopes.join(" and ")),
                });
            }
        }
        if !roles.is_empty() {
            let roles: Vec<_> = roles.into_iter().map(|it| format!("`{it}`")).collect();
            others.insert(0, format!("a token with the role {}", roles.join(" or ")));
        }
        match others.is_empty() {
            true => "anyone".to_owned(),
            false => others.join("; "),
        }
    }
}

/// What a reference of the document leads to.
fn followed<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    match value["$ref"].as_str() {
        Some(path) => document.pointer(path.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

fn write_object(page: &mut String, name: &str, schema: &Value) {
    let _ = writeln!(page, "\n## {name}\n");
    let about = schema["description"].as_str().unwrap_or_default();
    if !about.is_empty() {
        let _ = writeln!(page, "{}\n", about.trim_end());
    }
    if let Some(fields) = schema["properties"].as_object() {
        write_fields(page, fields, schema);
    } else if let Some(values) = schema["enum"].as_array().filter(|_| about.is_empty()) {
        let values = values.iter().filter_map(Value::as_str);
        let values: Vec<_> = values.map(|it| format!("`{it}`")).collect();
        let _ = writeln!(page, "One of {}.", values.join(", "));
    }
    for variant in schema["oneOf"].as_array().into_iter().flatten() {
        if let Some(fields) = variant["properties"].as_object() {
            let _ = writeln!(page, "- {}\n", meaning(variant));
            write_fields(page, fields, variant);
            page.push('\n');
        } else {
            let value = variant["const"].as_str().unwrap_or("text");
            let _ = writeln!(page, "- `{value}`: {}", meaning(variant));
        }
    }
    *page = page.trim_end().to_owned() + "\n";
}

fn write_fields(page: &mut String, fields: &Map<String, Value>, schema: &Value) {
    let required = schema["required"].as_array();
    let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|it| it == name));
    page.push_str("| field | type | always there | meaning |\n| --- | --- | --- | --- |\n");
    for (name, field) in fields {
        let (kind, meaning) = (type_of(field), meaning(field));
        let always = if is_required(name) { "yes" } else { "" };
        let _ = writeln!(page, "| `{name}` | {kind} | {always} | {meaning} |");
    }
}

/// A description as the cell of a table.
fn meaning(of: &Value) -> String {
    let text = of["description"].as_str().unwrap_or_default();
    text.replace('\n', " ").replace('|', "\\|")
}

/// A type as a reader of JSON names it, with a link if it is on this page.
fn type_of(schema: &Value) -> String {
    if let Some(path) = schema["$ref"].as_str() {
        let name = path.rsplit('/').next().unwrap();
        return format!("[{name}](#{})", slug(name));
    }
    if let Some(variants) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        let types: BTreeSet<String> = variants.iter().map(type_of).collect();
        return types.into_iter().collect::<Vec<_>>().join(" or ");
    }
    if let Some(value) = schema["const"].as_str() {
        return format!("`\"{value}\"`");
    }
    let names = match &schema["type"] {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        name => vec![name.as_str().unwrap_or("any JSON")],
    };
    let of_one = |name: &str| match (name, schema["format"].as_str()) {
        ("array", _) => format!("list of {}", type_of(&schema["items"])),
        ("string", Some("date-time")) => "time (RFC 3339)".to_owned(),
        ("string", Some("date")) => "date".to_owned(),
        (name, _) => name.to_owned(),
    };
    let names: Vec<String> = names.into_iter().map(of_one).collect();
    names.join(" or ")
}
