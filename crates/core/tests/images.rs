//! Signed paths of imgproxy and thumbor, and URLs of Google Maps: known answers, forgeries,
//! and every way to be wrong.

use keygate_core::{Policy, Reason, UnixMillis};
use keygate_testkit::judge::{explains, get, judge, order, policy, policy_of, problems_of, sign};
use serde_json::{Value, json};

const END: u64 = 1_893_456_000;
const NOW: u64 = END - 60;
/// imgproxy's guide: the key is "secret", the salt "hello".
const IMGPROXY: &str = "/AfrOrF3gWeDA6VOlDG4TzxMv39O7MXnF4CXpKUwGqRM/fill/300/400/sm/0/aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png";
const THUMBOR: &str =
    "/a6-Wlrgfl_jW4YvfKIuVnmjEPhc=/300x200/smart/my.server.com/some/path/to/image.jpg";
const MAPS: &str = "/maps/api/geocode/json?address=New+York&client=clientID&signature=chaRF2hTJKOScPr-RQCEhZbSzIE=";

fn with(mut provider: Value, more: Value) -> Value {
    provider["type"] = json!("signed_url");
    provider["secrets"] = json!("ring");
    let members = provider.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    provider
}

fn imgproxy(more: Value) -> Policy {
    let provider = with(json!({ "format": "imgproxy", "salts": "salts" }), more);
    let json = json!({
        "version": 1,
        "secrets": {
            "ring": [{ "id": "new", "env": "NEW" }, { "id": "old", "env": "KEY" }],
            "salts": [{ "id": "old", "env": "SALT" }, { "id": "new", "env": "NEW" }]
        },
        "providers": { "it": provider },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
        "unmatched": "deny"
    });
    let environment = |name: &str| {
        let value = match name {
            "KEY" => "secret",
            "SALT" => "hello",
            _ => "new",
        };
        Some(value.into())
    };
    Policy::parse(json.to_string().as_bytes(), &environment).unwrap()
}

fn thumbor(more: Value) -> Policy {
    policy_of(
        &with(json!({ "format": "thumbor" }), more),
        "my-security-key",
    )
}

fn maps() -> Policy {
    let json = json!({
        "version": 1,
        "secrets": { "ring": [{ "id": "01", "env": "SECRET", "encoding": "base64url" }] },
        "providers": { "it": with(json!({ "format": "google-maps" }), json!({})) },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
        "unmatched": "deny"
    });
    policy(&json, "vNIXE0xscrmjlyV-12Nj_BvUPaw=")
}

#[test]
fn an_encoded_colon_in_the_options_of_imgproxy_is_a_plain_one() {
    let policy = imgproxy(json!({}));
    let target = "/rs:fit:300:400/exp:1893456000/aHR0cDovL2V4YW1wbGU.png";
    let link = sign(&policy, 0, &order(target, UnixMillis::from_secs(NOW)))
        .unwrap()
        .url;
    for sent in [
        link.clone(),
        link.replace(':', "%3A"),
        link.replacen(':', "%3a", 2),
    ] {
        let judged = judge(&policy, &get(&sent, &[]), NOW);
        assert_eq!(judged.as_deref(), Ok(sent.as_str()));
        let late = judge(&policy, &get(&sent, &[]), END + 1);
        assert_eq!(late, Err(Reason::Expired), "{sent}");
    }
}

#[test]
fn the_path_of_imgproxy_is_forwarded_as_it_came_or_as_unsafe() {
    let keep = judge(&imgproxy(json!({})), &get(IMGPROXY, &[]), NOW);
    assert_eq!(keep.as_deref(), Ok(IMGPROXY));
    let forwarded = judge(
        &imgproxy(json!({ "forward": "unsafe" })),
        &get(IMGPROXY, &[]),
        NOW,
    );
    let (_, rest) = IMGPROXY.split_once("/fill").unwrap();
    assert_eq!(forwarded, Ok(format!("/unsafe/fill{rest}")));
    let below = imgproxy(json!({ "forward": "unsafe", "prefix": "/img/" }));
    let forwarded = judge(&below, &get(&format!("/img{IMGPROXY}"), &[]), NOW);
    assert_eq!(forwarded, Ok(format!("/img/unsafe/fill{rest}")));
    assert_eq!(
        judge(&below, &get(IMGPROXY, &[]), NOW),
        Err(Reason::MissingCredential)
    );
}

#[test]
fn only_the_whole_signature_of_imgproxy_counts() {
    let (signature, rest) = IMGPROXY[1..].split_once('/').unwrap();
    for (segment, reason) in [
        ("unsafe", Reason::MalformedCredential),
        ("insecure", Reason::MalformedCredential),
        (&signature[..11], Reason::MalformedCredential),
        (&signature[..22], Reason::MalformedCredential),
        (&format!("{signature}="), Reason::MalformedCredential),
        (
            &format!("{}N", &signature[..42]),
            Reason::MalformedCredential,
        ),
        (&format!("B{}", &signature[1..]), Reason::WrongSignature),
    ] {
        let rejected = judge(
            &imgproxy(json!({})),
            &get(&format!("/{segment}/{rest}"), &[]),
            NOW,
        );
        assert_eq!(rejected, Err(reason), "{segment}");
    }
    for (target, reason) in [
        (format!("{IMGPROXY}?a=1"), Reason::WrongSignature),
        (IMGPROXY.replace("300", "3000"), Reason::WrongSignature),
        (format!("/{signature}"), Reason::MissingCredential),
        (format!("/{rest}"), Reason::MalformedCredential),
    ] {
        let rejected = judge(&imgproxy(json!({})), &get(&target, &[]), NOW);
        assert_eq!(rejected, Err(reason), "{target}");
    }
}

#[test]
fn a_path_of_imgproxy_ends_when_it_says_so_and_must_where_that_is_asked_for() {
    let now = UnixMillis::from_secs(NOW);
    let bounded = json!({ "max_lifetime": "7d" });
    let mut order = order("/rs:fit:1:1/aHR0", now);
    assert!(
        sign(&imgproxy(bounded.clone()), 0, &order).is_err(),
        "no end was given"
    );
    let endless = sign(&imgproxy(json!({})), 0, &order).unwrap().url;
    order.expires = Some(UnixMillis::from_secs(END));
    let ending = sign(&imgproxy(json!({})), 0, &order).unwrap().url;
    assert!(ending.contains("/exp:1893456000/rs:fit:1:1/"), "{ending}");
    for (more, url, now, expected) in [
        (json!({}), &endless, END + 1, Ok(())),
        (bounded.clone(), &endless, NOW, Err(Reason::LifetimeTooLong)),
        (json!({}), &ending, END, Ok(())),
        (json!({}), &ending, END + 1, Err(Reason::Expired)),
        (json!({}), &ending, 1_000_000_000, Ok(())),
        (bounded.clone(), &ending, END, Ok(())),
        (bounded.clone(), &ending, END + 1, Err(Reason::Expired)),
        (
            bounded.clone(),
            &ending,
            1_000_000_000,
            Err(Reason::LifetimeTooLong),
        ),
    ] {
        let judged = judge(&imgproxy(more.clone()), &get(url, &[]), now).map(drop);
        assert_eq!(judged, expected, "{more} {url} {now}");
    }
}

#[test]
fn the_path_of_thumbor_is_signed_and_unsafe_is_no_signature() {
    let judged = |target: &str| judge(&thumbor(json!({})), &get(target, &[]), NOW);
    assert_eq!(judged(THUMBOR).as_deref(), Ok(THUMBOR));
    let escaped = THUMBOR.replace("hc=/", "hc%3D/");
    assert_eq!(judged(&escaped), Ok(escaped.clone()));
    let forwarded = judge(
        &thumbor(json!({ "forward": "unsafe" })),
        &get(THUMBOR, &[]),
        NOW,
    );
    let (_, rest) = THUMBOR.split_once("/300x200").unwrap();
    assert_eq!(forwarded, Ok(format!("/unsafe/300x200{rest}")));
    for (target, reason) in [
        (
            format!("/unsafe/300x200{rest}"),
            Reason::MalformedCredential,
        ),
        (THUMBOR.replace("hc=", "hc"), Reason::MalformedCredential),
        (THUMBOR.replace("hc=", "hd="), Reason::MalformedCredential),
        (THUMBOR.replace("a6-W", "a6+W"), Reason::MalformedCredential),
        (THUMBOR.replace("a6-W", "b6-W"), Reason::WrongSignature),
        (THUMBOR.replace("300", "301"), Reason::WrongSignature),
        (format!("{THUMBOR}?a=1"), Reason::WrongSignature),
        (
            "/a6-Wlrgfl_jW4YvfKIuVnmjEPhc=".to_owned(),
            Reason::MissingCredential,
        ),
    ] {
        assert_eq!(judged(&target), Err(reason), "{target}");
    }
}

#[test]
fn a_signature_of_google_maps_is_the_last_parameter() {
    let judged = |target: &str| judge(&maps(), &get(target, &[]), NOW);
    let (before, signature) = MAPS.split_once("&signature=").unwrap();
    assert_eq!(judged(MAPS).as_deref(), Ok(before));
    for (target, reason) in [
        (format!("{MAPS}&a=1"), Reason::MalformedCredential),
        (
            format!("{MAPS}&signature={signature}"),
            Reason::DuplicateCredential,
        ),
        (MAPS.replace("zIE=", "zIE"), Reason::MalformedCredential),
        (MAPS.replace("zIE=", "zIF="), Reason::MalformedCredential),
        (MAPS.replace("York", "york"), Reason::WrongSignature),
        (
            MAPS.replace("New+York", "New%20York"),
            Reason::WrongSignature,
        ),
        (
            MAPS.replace("&signature", "&Signature"),
            Reason::MissingCredential,
        ),
        (before.to_owned(), Reason::MissingCredential),
    ] {
        assert_eq!(judged(&target), Err(reason), "{target}");
    }
}

#[test]
fn our_signatures_equal_those_of_the_known_signers() {
    let at = UnixMillis::from_secs(NOW);
    let (_, rest) = THUMBOR.split_once("=/").unwrap();
    let rest = format!("/{rest}");
    let mut order = order(&rest, at);
    assert_eq!(sign(&thumbor(json!({})), 0, &order).unwrap().url, THUMBOR);
    let (before, _) = MAPS.split_once("&signature=").unwrap();
    let maps_order = keygate_testkit::judge::order(before, at);
    assert_eq!(sign(&maps(), 0, &maps_order).unwrap().url, MAPS);
    order.expires = Some(at);
    for policy in [thumbor(json!({})), maps()] {
        assert!(
            sign(&policy, 0, &order).is_err(),
            "it cannot say when it ends"
        );
    }
    let with_query = keygate_testkit::judge::order("/a/b?c", at);
    for policy in [thumbor(json!({})), imgproxy(json!({}))] {
        assert!(
            sign(&policy, 0, &with_query).is_err(),
            "it cannot sign a query"
        );
    }
}

#[test]
fn an_explanation_names_what_differs() {
    for (policy, target, expected) in [
        (
            imgproxy(json!({})),
            format!("{IMGPROXY}/"),
            "without its last slash",
        ),
        (
            imgproxy(json!({})),
            format!("{IMGPROXY}?a=1"),
            "a query, which is not signed",
        ),
        (
            imgproxy(json!({})),
            IMGPROXY.replace("300", "301"),
            "cannot tell",
        ),
        (
            thumbor(json!({})),
            format!("{THUMBOR}/"),
            "without its last slash",
        ),
        (
            maps(),
            MAPS.replace("json?", "json/?"),
            "without its last slash",
        ),
        (maps(), "/a".to_owned(), "missing_credential"),
    ] {
        let told = explains(&policy, &get(&target, &[]), "", NOW);
        assert!(told.contains(expected), "{target}: {told}");
    }
}

#[test]
fn an_invalid_provider_is_reported_by_field() {
    let imgproxy = json!({ "format": "imgproxy", "salts": "other" });
    let thumbor = json!({ "format": "thumbor" });
    for (provider, more, expected) in [
        (
            &imgproxy,
            json!({ "salts": "none" }),
            "providers.it.salts: there is no ring",
        ),
        (
            &imgproxy,
            json!({ "salts": "others" }),
            "providers.it.salts: has no salt",
        ),
        (
            &imgproxy,
            json!({ "salts": "ring" }),
            "providers.it.salts: must differ",
        ),
        (
            &imgproxy,
            json!({ "skew": "1s" }),
            "providers.it.skew: requires max_lifetime",
        ),
        (
            &imgproxy,
            json!({ "max_lifetime": "x" }),
            "providers.it.max_lifetime: must be a",
        ),
        (
            &imgproxy,
            json!({ "forward": "none" }),
            "providers.it.forward: unknown variant",
        ),
        (
            &thumbor,
            json!({ "prefix": "/a" }),
            "providers.it.prefix: must be a path",
        ),
        (
            &thumbor,
            json!({ "prefix": "//" }),
            "providers.it.prefix: must be a path",
        ),
        (
            &thumbor,
            json!({ "max_lifetime": "1d" }),
            "providers.it.max_lifetime: unknown field",
        ),
    ] {
        let problems = problems_of(&with(provider.clone(), more.clone()));
        assert!(
            problems.iter().any(|it| it.starts_with(expected)),
            "{more}: {problems:?}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn untrusted_bytes_never_panic(target in "/[ -~]{0,80}", now: u64) {
        for policy in [imgproxy(json!({})), thumbor(json!({})), maps()] {
            let _ = judge(&policy, &get(&target, &[]), now);
        }
    }
}
