//! Two key services that share a PostgreSQL: either is enough.

use std::time::{Duration, Instant};

use keygate_testkit::postgres::{PASSWORD, Server};

use super::{Form, Row, finish, lasting};
use crate::load::{Network, Stage};
use crate::service::{Options, Service};

/// Kills one of two.
pub fn one_of_two(form: &Form) -> Vec<Row> {
    let server = Server::start();
    let database = server.create_database();
    let password = PASSWORD.replace(' ', "%20");
    let url = server.url(&database);
    let store = url.replace('@', &format!(":{password}@"));
    let other = Service::start_with(Options {
        store: Some(store.clone()),
        ..Options::default()
    });
    let mut plan = form.plan(Network::Near);
    plan.store = Some(store);
    plan.envoy = {
        let port = other.port();
        Box::new(move |envoy| envoy.another_key_service(port))
    };
    let stage = Stage::start(plan);
    let bound = "no valid request may be rejected, and revocations take effect in time";
    let what = "one of two key services killed, restarted, three times";
    let row = form.observe(stage.scene(), what, bound, |_| {
        for _ in 0..3 {
            let since = Instant::now();
            other.kill9();
            lasting(since, form.pick(1, 5));
            other.restart();
            lasting(Instant::now(), Duration::from_secs(1));
        }
        Vec::new()
    });
    let rows = finish(stage, vec![row]);
    // Before the database.
    drop(other);
    rows
}
