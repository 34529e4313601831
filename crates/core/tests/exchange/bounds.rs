//! Links that become no cookie, or just about do.

use keygate_core::keys::NoAnswer;
use keygate_core::signed_url::keygate::sign::Terms;
use keygate_core::{Reason, UnixMillis, Verdict};

use crate::exchange::kit::{END, LINKS, NOW, cookie_of, link, policy, prefix, see, token};
use keygate_testkit::judge::{facts, get};

#[test]
fn a_link_in_a_header_or_cookie_that_is_bound_to_a_client_does_not_become_a_cookie_either() {
    let policy = policy(|_| {});
    let bound = [
        Terms {
            headers: &[("user-agent", "player")],
            ..prefix("/video/")
        },
        Terms {
            cookies: &[("session", "1")],
            ..prefix("/video/")
        },
    ];
    for terms in bound {
        let token = token(&terms, "/video/x", "01", LINKS);
        let both = format!("session=1; link={token}");
        for more in [
            [("cookie", "session=1"), ("x-link", &*token)],
            [("accept", "*/*"), ("cookie", &*both)],
        ] {
            let headers = get(
                "/video/x",
                &[&more[..], &[("user-agent", "player")]].concat(),
            );
            let seen = see(&policy, &headers, NOW).unwrap();
            assert_eq!(seen.response, [], "{terms:?}");
        }
    }
}

#[test]
fn a_link_in_its_last_half_second_does_not_delete_the_cookie_that_is_there() {
    let headers = get(&link(&prefix("/video/"), "/video/x"), &[]);
    let nobody = NoAnswer(Reason::KeyServiceUnavailable);
    let now = UnixMillis(END * 1000 - 500);
    let Verdict::Allow(grant) = policy(|_| {}).decide(&headers, &facts(&nobody, None, now)) else {
        panic!("it holds until its end");
    };
    assert_eq!(grant.response_edits, []);
}

#[test]
fn a_path_of_1024_characters_gets_a_cookie_and_a_longer_one_none() {
    let policy = policy(|_| {});
    for (length, is_exchanged) in [(1024, true), (1025, false)] {
        let covered = format!("/{}/", "a".repeat(length - 2));
        let headers = get(&link(&prefix(&covered), &format!("{covered}x")), &[]);
        let seen = see(&policy, &headers, NOW).unwrap();
        assert_eq!(cookie_of(&seen).is_some(), is_exchanged, "{length}");
    }
}
