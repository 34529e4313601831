//! Faults that the load must detect: a proxy without the filter, a filter that fails open, a late
//! revocation, and rejected or unanswered requests that nothing excuses.

use std::time::Duration;

use serde_json::json;

use super::{Form, Row, report, traps};
use crate::load::{Network, Scene, Stage, Tally};
use crate::wait;

/// All of them. Such a row is good when what it looks for was found.
pub fn all(form: &Form) -> Vec<Row> {
    vec![
        no_filter(form),
        fails_open(form),
        late_revocation(form),
        silence(form),
        rejections(form),
    ]
}

fn no_filter(form: &Form) -> Row {
    let mut plan = form.plan(Network::Near);
    plan.envoy = Box::new(|envoy| envoy.without_filter());
    plan.warms_up = false;
    expect("no filter at all", &Stage::start(plan), wrongly_passed)
}

fn fails_open(form: &Form) -> Row {
    let mut plan = form.plan(Network::Near);
    let module = form.trap_module.clone();
    plan.envoy = Box::new(move |envoy| {
        let open = envoy.plugin_field("failure_policy", json!("FAIL_OPEN"));
        open.with_module(&module)
    });
    let stage = Stage::start(plan);
    traps::kill(stage.scene(), 8);
    expect("FAIL_OPEN, and a filter that died", &stage, wrongly_passed)
}

fn late_revocation(form: &Form) -> Row {
    let mut plan = form.plan(Network::Near);
    plan.envoy = Box::new(|envoy| {
        envoy.edit_policy(|policy| {
            policy["key_service"]["poll"] = json!("60s");
            policy["key_service"]["lease"] = json!("300s");
        })
    });
    plan.warms_up = false;
    let stage = Stage::start(plan);
    expect(
        "one poll a minute instead of one a second",
        &stage,
        wrongly_passed,
    )
}

fn silence(form: &Form) -> Row {
    let mut plan = form.plan(Network::Near);
    // Callouts that take longer than any request is said to.
    plan.bounds.timeout = Duration::from_secs(8);
    plan.bounds.idle = Duration::ZERO;
    let stage = Stage::start(plan);
    stage.scene().wait_for_cold_keys();
    stage.scene().service.freeze();
    let what = "a key service stopped without the oracle's knowledge";
    let row = expect(what, &stage, |it| ("unanswered", it.unanswered));
    stage.scene().service.thaw();
    row
}

fn rejections(form: &Form) -> Row {
    let stage = Stage::start(form.plan(Network::Near));
    stage.scene().wait_for_cold_keys();
    stage.scene().service.kill9();
    let what = "a key service killed without the oracle's knowledge";
    expect(what, &stage, |it| ("wrongly rejected", it.wrongly_rejected))
}

fn wrongly_passed(tally: &Tally) -> (&'static str, u64) {
    ("wrongly passed", tally.wrongly_passed)
}

/// A row that is good when there was something.
fn expect(what: &str, stage: &Stage, column: fn(&Tally) -> (&'static str, u64)) -> Row {
    let found = |scene: &Scene| column(&scene.tally()).1 > 0;
    wait::whether(wait::STARTUP, || found(stage.scene()));
    let tally = stage.scene().tally();
    let (column, count) = column(&tally);
    let missing = format!("nothing was {column}: the load did not detect the fault");
    let row = Row {
        fault: format!("self-check: {what}"),
        bound: format!("must be detected: {count} of {} {column}", tally.sent),
        tally: Tally {
            sent: tally.sent,
            ..Tally::default()
        },
        recovered: Duration::ZERO,
        problems: (count == 0).then_some(missing).into_iter().collect(),
    };
    report::print_row(&row);
    row
}
