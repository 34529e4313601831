//! Links of KeyCDN's secure token, in both kinds: known answers, forgeries, and every way to
//! be wrong.

use keygate_core::{Policy, Reason, UnixMillis};
use keygate_testkit::judge::{explains, get, judge, order, policy_of, problems_of, sign};
use serde_json::{Value, json};

const END: u64 = 1_893_456_000;
const NOW: u64 = END - 60;
const ACCESS: &str = "/path/to/file1.jpg?token=q-WgpqFb9l7AnDSAwwKgow&expire=1893456000";
const IMAGE: &str = "/path/to/example.jpg?flip=1&width=400&token=4oQx9QP64L6C7VOQc70hOw";

fn provider(more: Value) -> Value {
    let mut provider = json!({
        "type": "signed_url", "format": "keycdn", "secrets": "ring", "allow_weak": true
    });
    let members = provider.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    provider
}

fn access(more: Value) -> Policy {
    let mut provider = provider(json!({ "max_lifetime": "7d" }));
    let members = provider.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    policy_of(&provider, "securetokenkey")
}

fn image() -> Policy {
    policy_of(&provider(json!({ "mode": "image" })), "mysecret")
}

#[test]
fn a_link_for_a_file_passes_until_its_end() {
    for (now, expected) in [
        (END - 1, Ok("/path/to/file1.jpg".to_owned())),
        (END, Err(Reason::Expired)),
        (END - 7 * 24 * 3600 - 31, Err(Reason::LifetimeTooLong)),
    ] {
        assert_eq!(
            judge(&access(json!({})), &get(ACCESS, &[]), now),
            expected,
            "{now}"
        );
    }
    for (target, reason) in [
        (ACCESS.replace("file1", "file2"), Reason::WrongSignature),
        (ACCESS.replace("6000", "6001"), Reason::WrongSignature),
        (ACCESS.replace("=189", "=1189"), Reason::MalformedCredential),
        (ACCESS.replace("=189", "=089"), Reason::MalformedCredential),
        (
            ACCESS.replace("Kgow", "Kgow=="),
            Reason::MalformedCredential,
        ),
        (ACCESS.replace("Kgow", "Kgox"), Reason::MalformedCredential),
        (
            ACCESS.replace("&expire=1893456000", ""),
            Reason::MalformedCredential,
        ),
        (ACCESS.replace("token", "Token"), Reason::MissingCredential),
        (
            format!("{ACCESS}&expire=1893456000"),
            Reason::DuplicateCredential,
        ),
        (format!("{ACCESS}&a=1"), Reason::WrongSignature),
    ] {
        let rejected = judge(&access(json!({})), &get(&target, &[]), NOW);
        assert_eq!(rejected, Err(reason), "{target}");
    }
}

#[test]
fn unsigned_parameters_pass_only_with_allow_unsigned_query() {
    let policy = access(json!({ "allow_unsigned_query": true }));
    let forwarded = judge(&policy, &get(&ACCESS.replace('?', "?a=1&"), &[]), NOW);
    assert_eq!(forwarded.as_deref(), Ok("/path/to/file1.jpg?a=1"));
}

#[test]
fn a_link_for_an_image_signs_its_query_and_never_ends() {
    let judged = |target: &str| judge(&image(), &get(target, &[]), NOW);
    assert_eq!(
        judged(IMAGE).as_deref(),
        Ok("/path/to/example.jpg?flip=1&width=400")
    );
    for (target, reason) in [
        (IMAGE.replace("400", "401"), Reason::WrongSignature),
        (
            IMAGE.replace("flip=1&width=400", "width=400&flip=1"),
            Reason::WrongSignature,
        ),
        (format!("{IMAGE}&a=1"), Reason::MalformedCredential),
        // The end of a file's name is no parameter, though the same text is signed.
        (
            IMAGE.replace("example.jpg?flip", "?example.jpgflip"),
            Reason::WrongSignature,
        ),
    ] {
        assert_eq!(judged(&target), Err(reason), "{target}");
    }
}

#[test]
fn the_weakness_of_image_links_is_that_letters_move_between_path_and_query() {
    let shifted = IMAGE.replace("example.jpg?flip", "example.jpgf?lip");
    assert!(judge(&image(), &get(&shifted, &[]), NOW).is_ok());
}

#[test]
fn our_signatures_verify() {
    let now = UnixMillis::from_secs(NOW);
    let mut order = order("/path/to/file1.jpg", now);
    assert!(
        sign(&access(json!({})), 0, &order).is_err(),
        "no end was given"
    );
    order.expires = Some(UnixMillis::from_secs(END));
    assert_eq!(sign(&access(json!({})), 0, &order).unwrap().url, ACCESS);
    assert!(
        sign(&image(), 0, &order).is_err(),
        "an image link cannot say an end"
    );
    let order = keygate_testkit::judge::order("/path/to/example.jpg?flip=1&width=400", now);
    assert_eq!(sign(&image(), 0, &order).unwrap().url, IMAGE);
    let order = keygate_testkit::judge::order("/a/%C3%BC.jpg?A=1", now);
    assert!(sign(&image(), 0, &order).is_err(), "no such parameter");
}

#[test]
fn an_explanation_names_what_differs() {
    for (policy, target, expected) in [
        (
            access(json!({})),
            ACCESS.replace("6000", "6001"),
            "the time 1893456000",
        ),
        (
            access(json!({})),
            ACCESS.replace(".jpg", ".jpg/"),
            "without its last slash",
        ),
        (
            access(json!({})),
            format!("{ACCESS}&a=1"),
            "parameters that are not signed",
        ),
        (image(), IMAGE.replace("400", "401"), "cannot tell"),
    ] {
        let told = explains(&policy, &get(&target, &[]), "", NOW);
        assert!(told.contains(expected), "{target}: {told}");
    }
}

#[test]
fn an_invalid_provider_is_reported_by_field() {
    for (more, expected) in [
        (
            json!({ "allow_weak": false }),
            "providers.it.allow_weak: must be true",
        ),
        (json!({}), "providers.it.max_lifetime: is required"),
        (
            json!({ "mode": "image", "max_lifetime": "1d" }),
            "providers.it.max_lifetime: cannot be",
        ),
        (
            json!({ "mode": "image", "skew": "1s" }),
            "providers.it.skew: cannot be",
        ),
        (
            json!({ "mode": "ip" }),
            "providers.it.mode: unknown variant",
        ),
    ] {
        let problems = problems_of(&provider(more.clone()));
        assert!(
            problems.iter().any(|it| it.starts_with(expected)),
            "{more}: {problems:?}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn untrusted_bytes_never_panic(target in "/[ -~]{0,80}", now: u64) {
        let _ = judge(&access(json!({})), &get(&target, &[]), now);
        let _ = judge(&image(), &get(&target, &[]), now);
    }
}
