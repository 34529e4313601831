//! An input is an answer of the key service, or what one worker left for another: what is
//! read of an answer fits into headers, and what workers leave is written as it was read.

use keygate_core::identity::limits::{MAX_METADATA, MAX_NAME, MAX_SCOPES};
use keygate_core::keys::KnownKey;
use keygate_core::keys::wire::{ChangesResponse, EdgeReport, LinkUseResponse, LookupResponse};
use keygate_edge::parts::{Applied, CatchUp, PollLease, SharedFeed};

pub fn run(data: &[u8]) {
    let _ = (ChangesResponse::read(data), LinkUseResponse::read(data));
    lookup(data);
    report(data);
    if let Some(applied) = Applied::parse(data) {
        assert_eq!(applied.to_bytes(), data);
    }
    if let Some(lease) = PollLease::parse(data) {
        assert_eq!(lease.to_bytes(), data);
    }
    if let Some(mut feed) = SharedFeed::parse(data) {
        assert_eq!(feed.to_bytes(), data);
        followed(&mut feed);
    }
}

/// Whatever the state was, a new change reaches every follower.
fn followed(feed: &mut SharedFeed) {
    let epoch = feed.position.epoch;
    let changed = [keygate_core::keys::KeyHash([7; 32])];
    let answer = ChangesResponse {
        incarnation: feed.position.incarnation,
        epoch: epoch.saturating_add(1),
        reset: false,
        more: false,
        changed: changed.to_vec(),
    };
    feed.take(&answer, super::NOW);
    assert_eq!(feed.renewed, Some(super::NOW));
    match feed.since(feed.generation, epoch) {
        CatchUp::Reset => {}
        CatchUp::Forget(hashes) => {
            assert!(
                epoch == u64::MAX || hashes.contains(&changed[0]),
                "a revocation is lost"
            );
        }
    }
}

/// What a poll says of its edge can be printed, and is written as it was read.
fn report(data: &[u8]) {
    let text = std::str::from_utf8(data).ok();
    if let Some(report) = text.and_then(EdgeReport::parse) {
        let written = report.to_string();
        assert!(written.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        assert_eq!(EdgeReport::parse(&written), Some(report));
    }
}

fn lookup(data: &[u8]) {
    let Some(answer) = LookupResponse::read(data) else {
        return;
    };
    let text = std::str::from_utf8(data).unwrap();
    for record in &answer.records {
        // The upstream gets the metadata as the service wrote it.
        assert!(text.contains(record.metadata.get()));
        let known = KnownKey::try_from(record);
        for text in known.iter().flat_map(|it| it.identity.texts()) {
            // What a header can carry.
            let is_visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
            assert!(text.bytes().all(is_visible), "{text:?}");
            assert!(text.len() <= (MAX_METADATA * 2).max(MAX_SCOPES * (MAX_NAME + 1)));
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let hash = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    let record = format!(
        r#"{{"epoch":7,"records":[{{"hash":"{hash}","id":"AbC","account":"al\u0069ce","status":"active","expires_at":1000,"scopes":["a"],"allowed_ips":["10.0.0.0/8","2001:db8::/32"],"allowed_referrers":["https://a.example"],"metadata":{{"a":[1.50]}}}}]}}"#
    );
    let changes = format!(r#"{{"epoch":7,"reset":false,"more":true,"changed":["{hash}"]}}"#);
    let begin = ChangesResponse::read(changes.replace(&format!("\"{hash}\""), "").as_bytes());
    let mut feed = SharedFeed::begin(3, &begin.unwrap(), super::NOW);
    let report = "start=00000000000000ff lease=60000 version=0.1.0 applied=7 outage=allow name=n-1";
    let mut all = super::texts(&[&record, &changes, r#"{"first":true}"#, report]);
    all.push(feed.to_bytes());
    feed.take(
        &ChangesResponse::read(changes.as_bytes()).unwrap(),
        super::NOW,
    );
    all.push(feed.to_bytes());
    all.push(PollLease::new(1, super::NOW).to_bytes());
    all.push(Applied::begin(1).to_bytes());
    all
}
