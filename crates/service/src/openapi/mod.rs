//! The description of the API in OpenAPI 3.1, from the rows of the routes.
//!
//! schemars reads the schemas off the types that parse bodies and write answers; the command needs
//! it anyway. utoipa 6 was considered: its derive cannot read the rows of `attributes!`, its
//! schemas are no types of JSON Schema 2020-12 with free keywords, and without either it is a
//! builder for the 100 lines below.

mod attributes;
mod operation;

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use schemars::Schema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value, json};

use self::operation::{Describe, Parameter, Place};
pub(crate) use self::operation::{Group, Operation};
use crate::code::Code;
use crate::problem::Details;
use crate::roles::{Action, Role};

/// Where the service serves it.
pub const PATH: &str = "/openapi.json";

/// The media type of a rejection (RFC 9457).
const PROBLEM: &str = "application/problem+json";

/// Describes an API with these routes.
pub(crate) fn document<'a>(
    routes: impl Iterator<Item = (&'a Method, &'a str, Action, &'a Operation)>,
) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: BTreeMap<&str, BTreeMap<String, Value>> = BTreeMap::new();
    for (method, path, action, operation) in routes {
        let described = schemas.operation(method, path, action, operation);
        let name = method.as_str().to_ascii_lowercase();
        paths.entry(path).or_default().insert(name, described);
    }
    let tags = Group::ALL.map(|(_, name, about)| json!({ "name": name, "description": about }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Keygate key service",
            "description": "Issues, lists, changes and revokes API keys. A rejected request gets \
                            problem details (RFC 9457): `code` says which, and \
                            docs/errors.md what to do.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": schemas.components(),
    })
}

fn security_schemes() -> Value {
    json!({
        "token": {
            "type": "http", "scheme": "bearer",
            "description": "A token of an operator or an edge. The list names the role.",
        },
        "assertion": {
            "type": "apiKey", "in": "header", "name": keygate_core::identity::assertion::ASSERTION_HEADER,
            "description": "An assertion that Envoy adds for an account. The list names the scopes \
                            that an API key needs.",
        },
    })
}

/// The headers of answers, by which a route refers to them.
fn headers() -> Value {
    let text = |about: &str| json!({ "description": about, "schema": { "type": "string" } });
    let constant = |about: &str, value: &str| json!({ "description": about, "required": true, "schema": { "type": "string", "const": value } });
    let (_, marker) = keygate_core::keys::wire::SERVICE_MARKER;
    json!({
        "cache-control": constant("No answer may be stored.", "no-store"),
        "etag": {
            "description": "The version of the key, for `if-match`.", "required": true,
            "schema": { "type": "string", "pattern": "^\"[0-9]+\"$" },
        },
        "retry-after": {
            "description": "After how many seconds to send the request again.", "required": true,
            "schema": { "type": "integer", "minimum": 1 },
        },
        "www-authenticate": text("The challenge (RFC 6750 section 3)."),
        "x-keygate-service": constant("This answer was made by a key service.", marker),
        "x-request-id": text("The id of the request, also in its log and audit entries."),
    })
}

/// Gives an integer the bound of its type.
fn bound(schema: &mut Schema) {
    let most = match schema.get("format").and_then(Value::as_str) {
        Some("uint32") => u64::from(u32::MAX),
        Some("uint64") => u64::MAX,
        _ => return,
    };
    let schema = schema.ensure_object();
    schema.entry("maximum").or_insert(most.into());
}

/// What the names of the description mean so far.
struct Schemas {
    bodies: SchemaGenerator,
    answers: SchemaGenerator,
    responses: Map<String, Value>,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|it| {
                it.definitions_path = "/components/schemas".into();
                it.meta_schema = None;
                it.transforms.push(Box::new(RecursiveTransform(bound)));
            })
        };
        Self {
            bodies: settings().for_deserialize().into_generator(),
            answers: settings().for_serialize().into_generator(),
            responses: Map::new(),
        }
    }

    fn components(mut self) -> Value {
        let mut schemas = self.bodies.take_definitions(true);
        schemas.extend(self.answers.take_definitions(true));
        json!({
            "schemas": schemas,
            "responses": self.responses,
            "headers": headers(),
            "securitySchemes": security_schemes(),
        })
    }

    fn operation(
        &mut self,
        method: &Method,
        path: &str,
        action: Action,
        operation: &Operation,
    ) -> Value {
        let body = operation.body.map(|body| self.body(body));
        let parameters = self.parameters(path, operation);
        let responses = self.responses(operation, &operation.all_codes(method, action));
        let mut described = json!({
            "operationId": operation.id,
            "summary": operation.summary,
            "tags": [operation.group.name()],
            "security": security(action),
            "parameters": parameters,
            "responses": responses,
        });
        if let (Some(body), Some(described)) = (body, described.as_object_mut()) {
            described.insert("requestBody".to_owned(), body);
        }
        described
    }

    fn body(&mut self, describe: Describe) -> Value {
        let schema = describe(&mut self.bodies);
        json!({
            "required": self.has_required(&schema),
            "content": { "application/json": { "schema": schema } },
        })
    }

    /// Whether a body must have some field. One that must not can be left out.
    fn has_required(&self, schema: &Schema) -> bool {
        let name = schema.get("$ref").and_then(Value::as_str);
        let name = name.and_then(|it| it.rsplit('/').next());
        let definition = name.and_then(|it| self.bodies.definitions().get(it));
        let required = definition.and_then(|it| it["required"].as_array());
        required.is_some_and(|it| !it.is_empty())
    }

    fn parameters(&mut self, path: &str, operation: &Operation) -> Vec<Value> {
        let mut parameters = Vec::new();
        if path.contains("{id}") {
            parameters.push(json!({
                "name": "id", "in": "path", "required": true,
                "description": "The public id.",
                "schema": crate::shapes::id(),
            }));
        }
        for parameter in &operation.parameters {
            let mut schema = (parameter.schema)(&mut self.bodies);
            bound(&mut schema);
            let schema = schema.to_value();
            match parameter.place {
                Place::Fields => parameters.extend(fields(&schema)),
                Place::Query => parameters.push(named(parameter, "query", &schema)),
                Place::Header => parameters.push(named(parameter, "header", &schema)),
            }
        }
        parameters
    }

    fn responses(&mut self, operation: &Operation, codes: &[Code]) -> Map<String, Value> {
        let mut responses = Map::new();
        for answer in &operation.answers {
            let schema = (answer.schema)(&mut self.answers);
            let etag = operation.has_etag.then_some("etag");
            let schema = schema.to_value();
            let mut response = response(answer.about, answer.content_type, schema, etag);
            if !operation.next.is_empty() {
                response.insert("links".to_owned(), links(operation.next).into());
            }
            let name = format!("{}_{}", answer.status.as_str(), operation.id);
            responses.insert(
                answer.status.as_str().to_owned(),
                self.named(name, response),
            );
        }
        let mut statuses: Vec<StatusCode> = codes.iter().map(|it| it.status()).collect();
        statuses.sort_unstable();
        statuses.dedup();
        for status in statuses {
            let codes = codes.iter().copied().filter(|it| it.status() == status);
            let rejection = self.rejection(status, &codes.collect::<Vec<_>>());
            responses.insert(status.as_str().to_owned(), rejection);
        }
        responses
    }

    /// The answer with one of these codes, all of which have this status.
    fn rejection(&mut self, status: StatusCode, codes: &[Code]) -> Value {
        let line = |code: &Code| format!("- `{}`: {}", code.code(), code.title());
        let about: Vec<String> = codes.iter().map(line).collect();
        let own = match status {
            StatusCode::UNAUTHORIZED => Some("www-authenticate"),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Some("retry-after"),
            _ => None,
        };
        let schema = self.answers.subschema_for::<Details<'_>>().to_value();
        let mut response = response(&about.join("\n"), PROBLEM, schema, own);
        let codes: Vec<&str> = codes.iter().map(|it| it.code()).collect();
        let name = format!("{}_{}", status.as_str(), codes.join("_"));
        response.insert("x-codes".to_owned(), codes.into());
        self.named(name, response)
    }

    /// Puts a response under a name. Routes with the same one refer to the same name.
    fn named(&mut self, name: String, response: Map<String, Value>) -> Value {
        let at = format!("#/components/responses/{name}");
        self.responses.insert(name, response.into());
        json!({ "$ref": at })
    }
}

fn response(
    about: &str,
    content_type: &str,
    schema: Value,
    own: Option<&str>,
) -> Map<String, Value> {
    let common = ["cache-control", "x-keygate-service", "x-request-id"];
    let header = |name| {
        let at = format!("#/components/headers/{name}");
        (String::from(name), json!({ "$ref": at }))
    };
    let headers: Map<String, Value> = common.into_iter().chain(own).map(header).collect();
    let mut content = Map::new();
    content.insert(content_type.to_owned(), json!({ "schema": schema }));
    let parts = [
        ("description", about.into()),
        ("headers", headers.into()),
        ("content", content.into()),
    ];
    parts
        .map(|(name, part)| (name.to_owned(), part))
        .into_iter()
        .collect()
}

fn links(next: &[&str]) -> Map<String, Value> {
    let link = |id: &&str| {
        let parameters = json!({ "id": "$response.body#/id" });
        let link = json!({ "operationId": id, "parameters": parameters });
        (String::from(*id), link)
    };
    next.iter().map(link).collect()
}

/// Each caller that is let in, one of which is enough.
fn security(action: Action) -> Vec<Value> {
    if action == Action::Open {
        return Vec::new();
    }
    let roles = Role::ALL.iter().filter(|role| role.may(action));
    let tokens = roles.map(|role| json!({ "token": [role.word()] }));
    let scopes = action.scopes();
    let accounts = scopes.map(|scopes| json!({ "assertion": scopes }));
    tokens.chain(accounts).collect()
}

fn named(parameter: &Parameter, place: &str, schema: &Value) -> Value {
    json!({
        "name": parameter.name, "in": place, "required": false,
        "description": parameter.about, "schema": schema,
    })
}

/// The fields of an object as parameters, which cannot be `null`.
fn fields(schema: &Value) -> Vec<Value> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let parameter = |(name, field): (&String, &Value)| {
        let mut field = field.clone();
        let about = field
            .as_object_mut()
            .and_then(|it| it.remove("description"));
        let not_null = |list: &Value| list.as_array().and_then(|it| it.first()).cloned();
        let types = not_null(&field["type"]);
        let schema = match (not_null(&field["anyOf"]), field.get_mut("type"), types) {
            (Some(schema), ..) => schema,
            (None, Some(of), Some(one)) => {
                *of = one;
                field
            }
            _ => field,
        };
        json!({
            "name": name, "in": "query", "required": false, "description": about, "schema": schema,
        })
    };
    properties.map(parameter).collect()
}
