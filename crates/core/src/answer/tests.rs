use super::*;

fn headers(list: &[(&str, &str)]) -> Vec<Header> {
    let owned = |(name, value): &(&str, &str)| (name.as_bytes().into(), value.as_bytes().into());
    list.iter().map(owned).collect()
}

fn refusal(reason: Reason, scheme: Scheme) -> Refusal {
    Refusal { reason, scheme }
}

fn header<'a>(denial: &'a Denial, name: &str) -> Option<&'a str> {
    let found = denial
        .headers
        .iter()
        .find(|(candidate, _)| *candidate == name);
    found.map(|(_, value)| value.as_str())
}

#[test]
fn a_program_reads_problem_details_and_a_person_a_page() {
    let expired = refusal(Reason::Expired, Scheme::SignedUrl);
    let program = expired.answer(&headers(&[("accept", "*/*")]), None, "media");
    assert_eq!(
        header(&program, "content-type"),
        Some("application/problem+json")
    );
    let body: Value = serde_json::from_str(&program.body).unwrap();
    assert_eq!(body["reason"], "expired");
    assert_eq!(body["status"], 403);
    assert_eq!(program.details, "keygate_denied{reason=expired,rule=media}");
    let browser = "text/html,application/xhtml+xml,application/json;q=0.9";
    let person = expired.answer(&headers(&[("accept", browser)]), None, "media");
    assert_eq!(header(&person, "content-type"), Some(HTML));
    assert!(person.body.contains("<h1>This link has expired.</h1>"));
    assert!(header(&person, "content-security-policy").is_some());
}

#[test]
fn a_template_keeps_its_structure_whatever_is_filled_in() {
    let template = Template::Json(serde_json::json!({
        "error": { "code": "{reason}", "status": "{status}", "{reason}": ["at {request_id}"] }
    }));
    let id = "a\"b{message}\\";
    let answer = refusal(Reason::RevokedKey, Scheme::AppKey).answer(
        &headers(&[("x-request-id", id)]),
        Some(&template),
        "api",
    );
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["error"]["code"], "invalid_credential");
    assert_eq!(body["error"]["status"], 401);
    assert_eq!(body["error"]["{reason}"][0], format!("at {id}"));
}

#[test]
fn what_is_filled_into_a_page_is_escaped() {
    let template = Template::Html("<style>a{color:red}</style><p>{request_id}{nobody}".into());
    let answer = refusal(Reason::Expired, Scheme::SignedUrl).answer(
        &headers(&[("x-request-id", "<script>&'\"")]),
        Some(&template),
        "media",
    );
    let expected = "<style>a{color:red}</style><p>&lt;script&gt;&amp;&#39;&quot;{nobody}";
    assert_eq!(answer.body, expected);
}

#[test]
fn a_strange_request_id_is_left_out() {
    for id in ["a b", "caf\u{e9}", &"x".repeat(129)] {
        assert_eq!(visible(id.as_bytes()), "");
    }
}

#[test]
fn the_challenge_is_that_of_rfc_6750() {
    for (reason, status, challenge) in [
        (
            Reason::MissingCredential,
            401,
            Some("Bearer realm=\"keygate\""),
        ),
        (
            Reason::RevokedKey,
            401,
            Some("Bearer realm=\"keygate\", error=\"invalid_token\""),
        ),
        (
            Reason::DuplicateCredential,
            400,
            Some("Bearer realm=\"keygate\", error=\"invalid_request\""),
        ),
        (Reason::KeyServiceUnavailable, 503, None),
    ] {
        let answer = refusal(reason, Scheme::AppKey).answer(&[], None, "api");
        assert_eq!(answer.status, status);
        assert_eq!(header(&answer, "www-authenticate"), challenge);
        assert_eq!(header(&answer, "retry-after").is_some(), status == 503);
        assert_eq!(header(&answer, "cache-control"), Some("no-store"));
    }
}

#[test]
fn grpc_gets_a_short_text() {
    let answer = refusal(Reason::MissingCredential, Scheme::AppKey).answer(
        &headers(&[("content-type", "application/grpc+proto")]),
        Some(&Template::Html("<p>".into())),
        "api",
    );
    assert_eq!(answer.body, "A credential is required.");
}

#[test]
fn unknown_forged_revoked_and_disabled_are_answered_byte_for_byte_alike() {
    let answer = |reason| {
        let denial = refusal(reason, Scheme::AppKey).answer(&[], None, "api");
        (denial.status, denial.headers, denial.body)
    };
    let unknown = answer(Reason::UnknownKey);
    for reason in [Reason::ForgedKey, Reason::RevokedKey, Reason::DisabledKey] {
        assert_eq!(answer(reason), unknown);
    }
}
