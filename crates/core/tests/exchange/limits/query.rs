//! Cookies and the query of their links.

use super::*;

#[test]
fn a_cookie_opens_no_query_that_its_link_does_not_open() {
    let policy = policy(|_| {});
    let child = |target: &str, cookie: &str| see(&policy, &get(target, &[("cookie", cookie)]), NOW);
    // Without a query, and that is signed.
    let seen = see(
        &policy,
        &get(&link(&prefix("/video/"), "/video/x"), &[]),
        NOW,
    )
    .unwrap();
    let cookie = pair(&cookie_of(&seen).unwrap());
    assert!(child("/video/y", &cookie).is_ok());
    assert_eq!(
        child("/video/y?tenant=6", &cookie).unwrap_err(),
        Reason::WrongSignature
    );
    // With one that is signed: the children have none, and the link opens none of them.
    let target = link(&prefix("/video/"), "/video/x?tenant=5");
    assert_eq!(
        cookie_of(&see(&policy, &get(&target, &[]), NOW).unwrap()),
        None
    );
    // With one that is not.
    let any = Terms {
        any_query: true,
        ..prefix("/video/")
    };
    let seen = see(&policy, &get(&link(&any, "/video/x?a=1"), &[]), NOW).unwrap();
    let cookie = pair(&cookie_of(&seen).unwrap());
    assert!(child("/video/y?tenant=6", &cookie).is_ok());
}

#[test]
fn a_cookie_does_not_get_past_query_allow() {
    for covers in ["link", "directory"] {
        let policy = policy(|it| {
            it["providers"]["link"]["query_allow"] = json!(["start"]);
            it["providers"]["link"]["exchange"]["covers"] = json!(covers);
        });
        let terms = match covers {
            "link" => prefix("/video/"),
            _ => Terms {
                expires_secs: END,
                ..Terms::default()
            },
        };
        let seen = see(&policy, &get(&link(&terms, "/video/x"), &[]), NOW).unwrap();
        let cookie = pair(&cookie_of(&seen).unwrap());
        let child = |it: &str| see(&policy, &get(it, &[("cookie", &cookie)]), NOW);
        assert!(child("/video/y").is_ok());
        assert_eq!(
            child("/video/y?admin=1").unwrap_err(),
            Reason::WrongSignature,
            "{covers}"
        );
    }
}
