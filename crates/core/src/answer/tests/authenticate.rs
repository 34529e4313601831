//! What a 401 asks for.

use super::*;

fn challenges(rejection: Rejection, status: Option<u16>, basic: bool) -> Vec<String> {
    let authenticate = Authenticate {
        realm: REALM.to_owned(),
        basic,
    };
    let mut template = html("<p>");
    template.reply.status = status;
    let voice = Voice {
        authenticate: Some(&authenticate),
        ..voice(Some(&template))
    };
    let answer = rejection.answer(&[], &voice);
    let all = answer.headers.into_iter();
    all.filter(|(name, _)| name == "www-authenticate")
        .map(|(_, value)| value.into_owned())
        .collect()
}

#[test]
fn the_challenge_is_that_of_rfc_6750() {
    let bearer = format!("Bearer realm=\"{REALM}\"");
    let invalid = format!("{bearer}, error=\"invalid_token\", error_description=");
    let rows = [
        (Reason::MissingCredential, vec![bearer.clone()]),
        (
            Reason::RevokedKey,
            vec![format!(
                "{invalid}\"Your API key or sign-in is not valid. It may be incomplete, or it is no longer accepted.\""
            )],
        ),
        (
            Reason::Expired,
            vec![format!(
                "{invalid}\"Your API key or sign-in has expired. It was valid for a limited time only.\""
            )],
        ),
        (
            Reason::DuplicateCredential,
            vec![format!(
                "{bearer}, error=\"invalid_request\", \
                 error_description=\"We can't read this request. Its address may be malformed, or it may contain more than one credential.\""
            )],
        ),
        (Reason::AddressNotAllowed, vec![]),
        (Reason::KeyServiceUnavailable, vec![]),
    ];
    for (reason, expected) in rows {
        let rejection = rejection(reason, Scheme::AppKey);
        assert_eq!(challenges(rejection, None, false), expected);
    }
    let link = rejection(Reason::Expired, Scheme::SignedUrl);
    assert!(challenges(link, None, true).is_empty());
}

#[test]
fn basic_is_offered_with_bearer_if_configured() {
    let missing = rejection(Reason::MissingCredential, Scheme::AppKey);
    let expected = [
        format!("Bearer realm=\"{REALM}\""),
        format!("Basic realm=\"{REALM}\", charset=\"UTF-8\""),
    ];
    assert_eq!(challenges(missing, None, true), expected);
    let twice = rejection(Reason::DuplicateCredential, Scheme::AppKey);
    assert_eq!(challenges(twice, None, true).len(), 1, "a 400 asks nothing");
}

#[test]
fn a_status_of_ones_own_hides_the_challenge_and_a_401_always_has_one() {
    let missing = rejection(Reason::MissingCredential, Scheme::AppKey);
    assert!(challenges(missing, Some(404), true).is_empty());
    let link = rejection(Reason::Expired, Scheme::SignedUrl);
    let expected = [format!("Bearer realm=\"{REALM}\"")];
    assert_eq!(challenges(link, Some(401), false), expected);
}
