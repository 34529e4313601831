//! Who may call what, and what every answer carries.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{ADMIN, Answer, EDGE, Running, SECOND_ADMIN};

const WRONG: &str = "wrong-token-0123456789";

/// The routes, with a body that they take, and who may call them.
const ROUTES: [(&str, &str, &str, Option<&str>); 12] = [
    ("POST", "/v1/keys", r#"{"account":"a"}"#, Some(ADMIN)),
    ("GET", "/v1/keys", "", Some(ADMIN)),
    ("GET", "/v1/keys/0123456789", "", Some(ADMIN)),
    ("POST", "/v1/keys/0123456789/revoke", "", Some(ADMIN)),
    (
        "POST",
        "/v1/lookups",
        r#"{"hashes":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]}"#,
        Some(EDGE),
    ),
    ("GET", "/v1/changes", "", Some(EDGE)),
    (
        "POST",
        "/v1/links/uses",
        r#"{"id":"k.a","expires_at":1,"peek":true}"#,
        Some(EDGE),
    ),
    ("GET", "/healthz", "", None),
    ("GET", "/readyz", "", None),
    ("GET", "/metrics", "", None),
    ("GET", "/v1/jwks.json", "", None),
    ("GET", "/.well-known/jwks.json", "", None),
];

#[test]
fn each_route_is_open_to_its_role_alone() {
    let service = Running::start();
    for (method, path, body, role) in ROUTES {
        for token in [None, Some(WRONG), Some(EDGE), Some(ADMIN)] {
            let answer = service.send(method, path, token, body);
            let what = format!("{method} {path} with {token:?}: {}", answer.text);
            match (role, token) {
                (None, _) => assert_eq!(answer.status, 200, "{what}"),
                (role, token) if role == token => {
                    let passed = [200, 201].contains(&answer.status)
                        || answer.problem() == (404, "no_such_key".to_owned());
                    assert!(passed, "{what}");
                }
                (_, None) => {
                    assert_eq!(
                        answer.problem(),
                        (401, "missing_token".to_owned()),
                        "{what}"
                    );
                    let challenge = answer.header("www-authenticate");
                    assert_eq!(challenge, r#"Bearer realm="keygate-service""#);
                }
                (_, Some(WRONG)) => {
                    assert_eq!(
                        answer.problem(),
                        (401, "invalid_token".to_owned()),
                        "{what}"
                    );
                    let challenge = answer.header("www-authenticate");
                    assert!(
                        challenge.ends_with(r#", error="invalid_token""#),
                        "{challenge}"
                    );
                }
                _ => assert_eq!(answer.problem(), (403, "wrong_role".to_owned()), "{what}"),
            }
        }
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
    for (method, path, body, _) in ROUTES {
        for token in [None, Some(WRONG), Some(EDGE), Some(ADMIN)] {
            answers.push(service.send(method, path, token, body));
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
    service.get("/made/up");
    service.send("MADEUP", "/v1/keys", Some(ADMIN), "");
    let metrics = service.get("/metrics").text;
    for line in [
        r#"keygate_service_requests_total{route="/v1/keys",method="POST",status="2xx"} 1"#,
        r#"keygate_service_requests_total{route="/v1/keys/{id}/revoke",method="POST",status="2xx"} 2"#,
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
