//! Who may call what, and what every answer carries.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use keygate_service::api;
use keygate_service::openapi;
use keygate_service::problem::PAGE_PATH;
use keygate_service::roles::Role;
use serde_json::{Value, json};

use crate::support::{ADMIN, Answer, EDGE, Running, SECOND_ADMIN, text};

const WRONG: &str = "wrong-token-0123456789";

/// The routes that need no credential, or have it in their body.
const OPEN: [(&str, &str, &str); 8] = [
    ("GET", "/healthz", ""),
    ("GET", openapi::PATH, ""),
    ("GET", PAGE_PATH, ""),
    ("GET", "/readyz", ""),
    ("GET", "/metrics", ""),
    ("GET", "/v1/jwks.json", ""),
    ("GET", "/.well-known/jwks.json", ""),
    (
        "POST",
        "/v1/keys/revoke-self",
        r#"{"key":"0123456789abcdef"}"#,
    ),
];

/// The route whose request is signed. It is off without a configuration.
const SIGNED: (&str, &str) = ("POST", "/v1/leaks");

/// A body of the right form, from the known answers.
const SEALED: &str = r#"{"sealed":"ks1.AuBP5eisT382w9WkH8bXMoxGjoGb0GnVIxRY9oqSQaSVU1jfXxGyru7bGpg0fOE6Qy-biy_eEVsLIEVEJiOOeCDMkDA-L3j6gH5Yo5D1FvcCFqDilUhGQRsoeoFBKq7ktIdeYwd2vJcF6gkK5slrlELV0s_A7NiR2YUQC67wkgys6QlX7_20iS5xRrkF8VE01bBq5KGS8S6Bf3koO9J_RkKH7aFrGFegsomMQ6MMH61LEtWmPk4bEJsM0aY_K_5DwFzFJ_rzAGWKUf9MSEFjCEXDWYlsu8Hn0oDIYNfotz24vz0m8kpRLKfGFrjNAgCO4iMG9LEJPCrLG-5ujBpGjXZMjNT9wGTSCPGMehOgJ1H_ToFDTJ1ELFKTOpQQcNH6uTxK-up_zJ3QLT8k0N33jwicP4z6TsOP"}"#;

/// All other routes, with a body that they take, and the roles that may call them.
pub const ROUTES: [(&str, &str, &str, &[&str]); 23] = [
    (
        "POST",
        "/v1/keys",
        r#"{"account":"a"}"#,
        &["owner", "operator", "creator"],
    ),
    (
        "GET",
        "/v1/keys",
        "",
        &["owner", "operator", "creator", "auditor"],
    ),
    (
        "GET",
        "/v1/keys/{id}",
        "",
        &["owner", "operator", "creator", "auditor"],
    ),
    (
        "GET",
        "/v1/keys/{id}/usage",
        "",
        &["owner", "operator", "creator", "auditor"],
    ),
    ("GET", "/v1/usage", "", &["owner", "operator", "auditor"]),
    ("PATCH", "/v1/keys/{id}", "", &["owner", "operator"]),
    ("POST", "/v1/keys/{id}/rotate", "", &["owner", "operator"]),
    ("GET", "/v1/keys/{id}/sealed", "", &["owner", "operator"]),
    (
        "PUT",
        "/v1/keys/{id}/sealed",
        SEALED,
        &["owner", "operator"],
    ),
    ("DELETE", "/v1/keys/{id}/sealed", "", &["owner", "operator"]),
    ("POST", "/v1/keys/{id}/revoke", "", &["owner", "operator"]),
    (
        "POST",
        "/v1/keys/batch",
        r#"{"keys":[{"account":"a"}]}"#,
        &["owner", "operator", "creator"],
    ),
    (
        "POST",
        "/v1/keys/revoke",
        r#"{"filter":{"account":"absent"},"expect":1}"#,
        &["owner", "operator"],
    ),
    (
        "POST",
        "/v1/keys/import",
        r#"{"keys":[{"key":"0123456789abcdef!","account":"a"}],"dry_run":true}"#,
        &["owner", "operator"],
    ),
    (
        "POST",
        "/v1/tokens",
        r#"{"name":"ci","role":"creator"}"#,
        &["owner"],
    ),
    ("GET", "/v1/tokens", "", &["owner", "auditor"]),
    ("POST", "/v1/tokens/{id}/revoke", "", &["owner"]),
    ("GET", "/v1/edges", "", &["owner", "operator", "auditor"]),
    (
        "POST",
        "/v1/lookups",
        r#"{"hashes":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]}"#,
        &["edge"],
    ),
    ("GET", "/v1/audit", "", &["owner", "auditor"]),
    ("GET", "/v1/changes", "", &["edge"]),
    (
        "POST",
        "/v1/links/uses",
        r#"{"id":"k.a","expires_at":1,"peek":true}"#,
        &["edge"],
    ),
    (
        "POST",
        "/v1/uses",
        r#"{"uses":[{"id":"0123456789","minute":1,"allowed":1,"rejected":0}]}"#,
        &["edge"],
    ),
];

/// A path in which the id is one that nothing has.
pub fn path_of(route: &str) -> String {
    route.replace("{id}", "0123456789")
}

/// A token of each role.
fn tokens(service: &Running) -> Vec<(&'static str, String)> {
    let create = |role: &&'static str| {
        let body = json!({ "name": format!("of {role}"), "role": role }).to_string();
        (
            *role,
            text(&service.post("/v1/tokens", &body).expect(201), "token"),
        )
    };
    let mut tokens: Vec<_> = Role::WORDS.iter().map(create).collect();
    tokens.push(("owner", ADMIN.to_owned()));
    tokens.push(("edge", EDGE.to_owned()));
    tokens
}

#[test]
fn every_route_has_its_row_here() {
    let named = |(method, path, _)| format!("{method} {path}");
    let mut routes: Vec<String> = api::routes().into_iter().map(named).collect();
    let guarded = ROUTES.iter().map(|row| format!("{} {}", row.0, row.1));
    let open = OPEN.iter().map(|row| format!("{} {}", row.0, row.1));
    let signed = format!("{} {}", SIGNED.0, SIGNED.1);
    let mut rows: Vec<String> = guarded.chain(open).chain([signed]).collect();
    routes.sort();
    rows.sort();
    assert_eq!(routes, rows);
}

#[test]
fn the_document_says_who_may_call_each_route() {
    let document: Value = serde_json::from_str(api::document()).unwrap();
    let security = |method: &str, path: &str| {
        let operation = &document["paths"][path][method.to_lowercase()];
        let callers = operation["security"].as_array().unwrap().iter();
        callers.map(Value::to_string).collect::<Vec<_>>()
    };
    for (method, path, _, roles) in ROUTES {
        let mut callers = security(method, path);
        // An account may do what a scope entitles to.
        callers.retain(|it| !it.starts_with(r#"{"assertion":["keys:"#));
        let tokens = roles
            .iter()
            .map(|role| json!({ "token": [role] }).to_string());
        assert_eq!(callers, tokens.collect::<Vec<_>>(), "{method} {path}");
    }
    for (method, path, _) in OPEN {
        assert_eq!(security(method, path), [""; 0], "{method} {path}");
    }
}

#[test]
fn each_route_is_open_to_its_roles_alone() {
    let service = Running::start();
    let tokens = tokens(&service);
    for (method, route, body, roles) in ROUTES {
        let path = path_of(route);
        for (role, token) in &tokens {
            let answer = service.send(method, &path, Some(token), body);
            let what = format!("{method} {path} as {role}: {}", answer.text);
            if roles.contains(role) {
                let passed = [200, 201].contains(&answer.status)
                    || ["no_such_key", "no_such_token", "unexpected_count"]
                        .contains(&answer.problem().1.as_str());
                assert!(passed, "{what}");
            } else {
                assert_eq!(answer.problem(), (403, "wrong_role".to_owned()), "{what}");
            }
        }
        let answer = service.send(method, &path, None, body);
        assert_eq!(
            answer.problem(),
            (401, "missing_token".to_owned()),
            "{route}"
        );
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge, r#"Bearer realm="keygate-service""#);
        let answer = service.send(method, &path, Some(WRONG), body);
        assert_eq!(
            answer.problem(),
            (401, "invalid_token".to_owned()),
            "{route}"
        );
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.ends_with(r#", error="invalid_token""#),
            "{challenge}"
        );
    }
    for (method, path, body) in OPEN {
        for token in [None, Some(WRONG), Some(EDGE), Some(ADMIN)] {
            let answer = service.send(method, path, token, body);
            assert_eq!(answer.status, 200, "{method} {path} with {token:?}");
        }
    }
    let (method, path) = SIGNED;
    for token in [None, Some(WRONG), Some(EDGE), Some(ADMIN)] {
        let answer = service.send(method, path, token, "[]");
        assert_eq!(answer.problem(), (404, "no_such_path".to_owned()));
    }
}

#[test]
fn any_token_of_a_role_counts_and_the_scheme_has_no_case() {
    let service = Running::start();
    service
        .send("GET", "/v1/keys", Some(SECOND_ADMIN), "")
        .expect(200);
    let shouting = format!("authorization: BEARER {ADMIN}\r\n");
    assert_eq!(status(&service, shouting.as_bytes()), 200);
}

#[test]
fn an_authorization_that_is_not_one_token_is_rejected() {
    let service = Running::start();
    let twice = format!("authorization: Bearer {ADMIN}\r\nauthorization: Bearer {ADMIN}\r\n");
    let listed = format!("authorization: Bearer {ADMIN}, Bearer {ADMIN}\r\n");
    let prefix = format!("authorization: Bearer {}\r\n", &ADMIN[..ADMIN.len() - 1]);
    let longer = format!("authorization: Bearer {ADMIN}x\r\n");
    for header in [twice, listed, prefix, longer] {
        assert_eq!(status(&service, header.as_bytes()), 401, "{header}");
    }
    for header in [
        &b"authorization: Bearer \xff\xfe\xfd\xfc\xff\xfe\xfd\xfc\xff\xfe\xfd\xfc\xff\xfe\r\n"[..],
        b"authorization: \xff\xff\xff\xff\xff\xff\xff\xff\r\n",
        b"authorization:\r\n",
        b"authorization: Basic YTpi\r\n",
    ] {
        assert_eq!(status(&service, header), 401, "{header:?}");
    }
    service.get("/v1/keys").expect(200);
}

#[test]
fn every_answer_carries_the_marker_and_is_not_stored() {
    let service = Running::start();
    let mut answers: Vec<Answer> = Vec::new();
    let guarded = ROUTES.map(|(method, route, body, _)| (method, path_of(route), body));
    let open = OPEN.map(|(method, path, body)| (method, path.to_owned(), body));
    for (method, path, body) in guarded.into_iter().chain(open) {
        for token in [None, Some(WRONG), Some(EDGE), Some(ADMIN)] {
            answers.push(service.send(method, &path, token, body));
        }
    }
    answers.push(service.post("/v1/keys", "{"));
    answers.push(service.post("/v1/keys", &" ".repeat(64 * 1024 + 1)));
    answers.push(service.send_as("POST", "/v1/keys", Some(ADMIN), "x", "text/plain"));
    for path in [
        "/",
        "/nothing",
        "/v1",
        "/v1/keys/",
        "/v1/keys/a/b",
        "/%FF",
        "//healthz",
    ] {
        let answer = service.get(path);
        assert_eq!(answer.problem(), (404, "no_such_path".to_owned()), "{path}");
        answers.push(answer);
    }
    for (method, path, allow) in [
        ("DELETE", "/v1/keys", "GET,HEAD,POST"),
        ("PUT", "/v1/keys/0123456789", "GET,HEAD,PATCH"),
        ("POST", "/v1/changes", "GET,HEAD"),
        ("PROPFIND", "/healthz", "GET,HEAD"),
    ] {
        let answer = service.send(method, path, Some(ADMIN), "");
        assert_eq!(
            answer.problem(),
            (405, "method_not_allowed".to_owned()),
            "{method}"
        );
        let mut allowed: Vec<&str> = answer.header("allow").split(',').collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(","), allow, "{method} {path}");
        answers.push(answer);
    }
    for answer in answers {
        assert_eq!(answer.header("x-keygate-service"), "1");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[test]
fn metrics_count_routes_and_results_under_fixed_labels() {
    let service = Running::start();
    let created = service.create(r#"{"account":"a"}"#);
    service.lookup(&[crate::support::hash(&created), "A".repeat(43)]);
    service
        .post(&crate::keys::revoke_path(&created), "")
        .expect(200);
    service
        .post(&crate::keys::revoke_path(&created), "")
        .expect(200);
    let path = format!("/v1/keys/{}", text(&created, "id"));
    service.send("PATCH", &path, Some(ADMIN), "{}");
    service.get("/made/up");
    service.send("MADEUP", "/v1/keys", Some(ADMIN), "");
    let metrics = service.get("/metrics").text;
    for line in [
        r#"keygate_service_requests_total{route="/v1/keys",method="POST",status="2xx"} 1"#,
        r#"keygate_service_requests_total{route="/v1/keys/{id}/revoke",method="POST",status="2xx"} 2"#,
        r#"keygate_service_requests_total{route="/v1/keys/{id}",method="PATCH",status="4xx"} 1"#,
        r#"keygate_service_requests_total{route="/v1/keys",method="other",status="4xx"} 1"#,
        r#"keygate_service_requests_total{route="none",method="GET",status="4xx"} 1"#,
        r#"keygate_service_lookup_hashes_total{result="found"} 1"#,
        r#"keygate_service_lookup_hashes_total{result="unknown"} 1"#,
        "keygate_service_keys_created_total 1",
        "keygate_service_keys_revoked_total 1",
        "keygate_service_epoch 2",
    ] {
        assert!(
            metrics.lines().any(|have| have == line),
            "no {line} in\n{metrics}"
        );
    }
    assert!(!metrics.contains("made"), "{metrics}");
    assert!(!metrics.contains("MADEUP"), "{metrics}");
}

/// The status of `GET /v1/keys` with these header lines, byte for byte.
#[test]
fn a_request_has_an_id_in_its_answer_and_in_a_problem() {
    let service = Running::start();
    let ask = |ids: &[&str]| {
        let headers: Vec<_> = ids.iter().map(|id| ("x-request-id", *id)).collect();
        let answer = service.send_with("GET", "/v1/keys", &headers, "");
        assert_eq!(answer.problem(), (401, "missing_token".to_owned()));
        answer.header("x-request-id").to_owned()
    };
    for id in ["a", "4bf92f35-77b3_4da6.a3ce", &"x".repeat(64)] {
        assert_eq!(ask(&[id]), id, "that of the client");
    }
    let mut made = vec![ask(&[])];
    for ids in [
        &[""][..],
        &["a b"],
        &["<b>"],
        &["a", "a"],
        &[&"x".repeat(65)],
    ] {
        made.push(ask(ids));
    }
    for id in &made {
        assert!(
            id.len() == 32 && id.bytes().all(|it| it.is_ascii_hexdigit()),
            "{id}"
        );
    }
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 6, "each has its own");
    let health = service.send_with("GET", "/healthz", &[("x-request-id", "b")], "");
    assert_eq!(health.header("x-request-id"), "b");
}

fn status(service: &Running, headers: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(service.address).unwrap();
    let request = [
        b"GET /v1/keys HTTP/1.1\r\nhost: keys\r\nconnection: close\r\n",
        headers,
        b"\r\n",
    ];
    stream.write_all(&request.concat()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("x-keygate-service: 1\r\n"), "{answer}");
    answer[9..12].parse().unwrap()
}
