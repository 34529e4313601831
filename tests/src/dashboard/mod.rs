//! The picture of the dashboard in docs/metrics.md: `make dashboard`.
//!
//! A real Prometheus scrapes a real Envoy and key service under load, and answers the queries of
//! `envoy/grafana/keygate.json`. Grafana is not needed, and draws none of it.

mod chart;

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

pub use chart::{Content, Panel, Series};

use crate::load::oracle::{Bounds, Trouble};
use crate::load::{Network, Plan, Scene, Stage};
use crate::prometheus::Prometheus;
use crate::repository;

/// What the picture shows: a healthy service, an outage that is longer than the lease, and health.
const TIME: Duration = Duration::from_secs(180);
const OUTAGE: [Duration; 2] = [Duration::from_secs(80), Duration::from_secs(110)];
const LEASE: Duration = Duration::from_secs(20);

/// Between two points of a line, in seconds; and the window of a rate.
const STEP: u32 = 2;
const RATE_INTERVAL: &str = "10s";

/// Runs the load for three minutes. Returns the picture, as SVG.
///
/// # Panics
/// If a part does not come up, or the dashboard has a panel that this cannot draw.
#[must_use]
pub fn picture() -> String {
    let stage = Stage::start(Plan {
        bounds: Bounds {
            lease: LEASE,
            poll: Duration::from_secs(1),
            timeout: Duration::from_secs(2),
            idle: Duration::from_secs(15),
        },
        network: Network::Near,
        envoy: Box::new(|envoy| {
            envoy.edit_policy(|policy| policy["metrics_by_rule"] = true.into())
        }),
        variables: Vec::new(),
        store: None,
        clients: 48,
        rate: 100,
        churn: Duration::from_millis(500),
        warms_up: true,
    });
    let scene = stage.scene();
    let prometheus = Prometheus::start(scene.stack.envoy.admin_port(), scene.service.port());
    let start = Instant::now();
    let mut is_out = false;
    while start.elapsed() < TIME {
        let due = (OUTAGE[0]..OUTAGE[1]).contains(&start.elapsed());
        if due != is_out {
            is_out = due;
            set_outage(scene, is_out);
        }
        // Rules that the load does not ask for: one in mode simulate, and one without a credential.
        for path in ["/beta/x", "/healthz"] {
            scene.stack.get(path).send();
        }
        thread::sleep(Duration::from_millis(100));
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.expect("a clock after 1970").as_secs();
    let panels = panels(&prometheus, now - TIME.as_secs(), now);
    let tally = stage.finish();
    assert!(tally.is_clean(), "wrong answers: {:?}", tally.examples);
    chart::draw(&caption(&prometheus), TIME.as_secs_f64(), &panels)
}

fn set_outage(scene: &Scene, is_out: bool) {
    if is_out {
        eprintln!("dashboard: the key service is killed");
        scene.begin(Trouble::Unreachable);
        scene.service.kill9();
    } else {
        eprintln!("dashboard: the key service is started again");
        scene.service.restart();
        scene.end();
    }
}

fn panels(prometheus: &Prometheus, from: u64, to: u64) -> Vec<Panel> {
    let file = repository().join("envoy/grafana/keygate.json");
    let text = fs::read_to_string(file).expect("the dashboard is there");
    let dashboard: Value = serde_json::from_str(&text).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let panels = panels.iter().map(|panel| {
        let place = ["x", "y", "w", "h"].map(|side| {
            let cells = panel["gridPos"][side].as_f64();
            cells.expect("a panel has a place")
        });
        let content = match panel["type"].as_str() {
            Some("row") => Content::Row,
            Some("text") => Content::Text(text_of(&panel["options"]["content"])),
            Some("timeseries") => Content::Lines(
                targets(panel)
                    .flat_map(|target| series(prometheus, target, from, to))
                    .collect(),
            ),
            other => panic!("a panel of the type {other:?} cannot be drawn"),
        };
        let unit = panel.pointer("/fieldConfig/defaults/unit");
        Panel {
            title: text_of(&panel["title"]),
            unit: unit.map(text_of).unwrap_or_default(),
            place,
            content,
        }
    });
    panels.collect()
}

fn targets(panel: &Value) -> impl Iterator<Item = &Value> {
    panel["targets"].as_array().into_iter().flatten()
}

/// The lines of a query: each point with its seconds since `from`.
fn series(prometheus: &Prometheus, target: &Value, from: u64, to: u64) -> Vec<Series> {
    let query = text_of(&target["expr"]).replace("$__rate_interval", RATE_INTERVAL);
    let found = prometheus.range(&query, from, to, STEP);
    let found = found.iter().map(|one| {
        let mut name = text_of(&target["legendFormat"]);
        for (label, value) in one["metric"].as_object().into_iter().flatten() {
            name = name.replace(&format!("{{{{{label}}}}}"), &text_of(value));
        }
        let values = one["values"].as_array().into_iter().flatten();
        let points = values.filter_map(|point| {
            let value: f64 = point[1].as_str()?.parse().ok()?;
            #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
            let time = point[0].as_f64()? - from as f64;
            Some((time, value)).filter(|_| value.is_finite())
        });
        Series {
            name,
            points: points.collect(),
        }
    });
    found.collect()
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn caption(prometheus: &Prometheus) -> String {
    let output = Command::new("date").args(["-u", "+%F"]).output();
    let date = output.expect("date can be run").stdout;
    format!(
        "Drawn by a script of Keygate, not by Grafana · {} · Prometheus {} · a test load of 100 \
         requests a second for {} s",
        String::from_utf8_lossy(&date).trim(),
        prometheus.version(),
        TIME.as_secs()
    )
}
