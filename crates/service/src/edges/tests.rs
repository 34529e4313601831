//! How edges stand, and which have rows.

use super::*;

const CLOCK: UnixMillis = UnixMillis(1_795_305_600_000);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn report(start: u64) -> Option<EdgeReport> {
    EdgeReport::parse(&format!("start={start:016x} lease=60000 version=0.1.0"))
}

/// What each edge is called and how it stands.
fn states(table: &mut Table, newest: u64, now: Duration) -> Vec<(Option<String>, State)> {
    let list = table.list(newest, now, CLOCK);
    list.into_iter().map(|it| (it.start, it.state)).collect()
}

#[test]
fn an_edge_is_gone_when_its_lease_ends_and_forgotten_an_hour_later() {
    let mut table = Table::default();
    table.polled(report(1), None, 5, at(100));
    let name = Some("0000000000000001".to_owned());
    for (newest, seconds, state) in [
        (5, 100, State::Current),
        (6, 159, State::Behind),
        (6, 160, State::Gone),
        (5, 3759, State::Gone),
    ] {
        let expected = [(name.clone(), state)];
        assert_eq!(states(&mut table, newest, at(seconds)), expected);
    }
    assert!(states(&mut table, 6, at(3760)).is_empty());
}

#[test]
fn edges_that_do_not_report_are_one_row() {
    let mut table = Table::default();
    table.polled(None, None, 5, at(100));
    table.polled(None, None, 5, at(101));
    table.polled(report(1), None, 5, at(101));
    assert_eq!(
        states(&mut table, 5, at(102)),
        [
            (Some("0000000000000001".to_owned()), State::Current),
            (None, State::Unknown)
        ]
    );
    let Standing { counts, applied } = table.standing(6, at(102));
    assert_eq!(applied, 5);
    assert_eq!((counts["behind"], counts["unknown"]), (1, 1));
    assert_eq!(counts["gone"], 0);
}

#[test]
fn a_full_table_keeps_the_edges_that_count() {
    let mut table = Table::default();
    let full = u64::try_from(MAX_EDGES).unwrap();
    for start in 0..full {
        table.polled(report(start), None, 5, at(start / 2048));
    }
    table.polled(report(full), None, 5, at(2));
    assert!(
        table.others.contains_key(&None),
        "it is counted as one of the others"
    );
    table.polled(report(0), None, 6, at(3));
    assert_eq!(table.edges[&(None, 0)].epoch, 6);
    // The first 2048 are gone, but for the one that has polled again.
    table.polled(report(full + 1), None, 5, at(60));
    assert!(table.edges.contains_key(&(None, full + 1)));
    assert_eq!(table.edges.len(), 2050);
}

#[test]
fn an_edge_of_one_space_reaches_no_row_of_another() {
    let of = |name| Spaces::Only(Space::parse(name).unwrap());
    let (a, b) = (of("a"), of("b"));
    let mut table = Table::default();
    table.polled(report(1), None, 5, at(1));
    table.polled(report(1), a.only().cloned(), 9, at(2));
    let rows = table.list(9, at(3), CLOCK);
    let rows = rows.iter().map(|it| (it.space.is_some(), it.state));
    assert_eq!(
        rows.collect::<Vec<_>>(),
        [(false, State::Behind), (true, State::Current)]
    );

    for start in 0..2000 {
        table.polled(report(start), a.only().cloned(), 9, at(3));
    }
    table.polled(report(2), b.only().cloned(), 9, at(4));
    let place = (b.only().cloned(), 2);
    assert!(
        table.edges.contains_key(&place),
        "a has filled its own rows"
    );
    assert_eq!(table.edges.len(), 1 + MAX_EDGES_OF_SPACE + 1);
    assert!(table.others.contains_key(&a.only().cloned()));
    assert!(!table.others.contains_key(&b.only().cloned()));
}

#[test]
fn polls_of_another_replica_count_unless_a_later_one_is_known() {
    let mut table = Table::default();
    let poll = |seconds_ago, epoch| Poll {
        space: None,
        report: report(1),
        epoch,
        ago: at(seconds_ago),
    };
    let now = at(1000);
    table.heard(poll(5, 3), now);
    assert_eq!(table.edges[&(None, 1)].epoch, 3);
    table.heard(poll(6, 2), now);
    assert_eq!(table.edges[&(None, 1)].epoch, 3, "an earlier one");
    table.polled(report(1), None, 4, at(999));
    table.heard(poll(2, 9), now);
    assert_eq!(table.edges[&(None, 1)].epoch, 4, "its own is later");
    table.heard(poll(0, 5), now);
    assert_eq!(table.edges[&(None, 1)].epoch, 5);
    let silent = Poll {
        report: None,
        ..poll(1, 0)
    };
    table.heard(silent, now);
    assert_eq!(table.standing(5, now).counts["unknown"], 1);
}

#[test]
fn each_poll_is_passed_on_to_other_replicas_once() {
    let edges = Edges::new(true);
    edges.polled(report(1), &Spaces::All, 5);
    edges.polled(report(1), &Spaces::All, 6);
    edges.polled(None, &Spaces::All, 6);
    let polls = edges.untold();
    let epochs = polls.iter().map(|it| (it.report.is_some(), it.epoch));
    assert_eq!(epochs.collect::<Vec<_>>(), [(false, 0), (true, 6)]);
    assert!(edges.untold().is_empty());
    edges.tell_again(&polls);
    assert_eq!(edges.untold().len(), 2);
}
