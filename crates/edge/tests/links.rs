//! What a worker remembers of links that work once.

use keygate_core::UnixMillis;
use keygate_core::signed_url::OnceLink;
use keygate_edge::parts::{UnusedLinks, UsedLinks};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

#[test]
fn the_number_of_remembered_used_links_is_bounded() {
    let links = UsedLinks::default();
    let link = |number: u32| OnceLink {
        id: format!("k1.{number}"),
        expires: NOW,
        is_for_head: false,
    };
    links.remember(&link(0));
    assert!(links.contains(&link(0)) && !links.contains(&link(1)));
    (1..=100_000).for_each(|it| links.remember(&link(it)));
    assert!(!links.contains(&link(0)) && links.contains(&link(100_000)));
}

#[test]
fn an_unused_link_counts_as_unused_for_a_second() {
    let links = UnusedLinks::default();
    let link = OnceLink {
        id: "k1.a".to_owned(),
        expires: NOW,
        is_for_head: false,
    };
    let at = |millis: u64| UnixMillis(NOW.0 + millis);
    assert!(!links.contains(&link, NOW));
    links.remember(&link, NOW);
    assert!(links.contains(&link, at(0)) && links.contains(&link, at(999)));
    assert!(!links.contains(&link, at(1000)));
    assert!(!links.contains(&link, UnixMillis(NOW.0 - 1)), "set back");
}
