//! The figures as JSON, and the JSON as a table.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::measure::{Plan, Results};
use crate::statistics::Figure;
use crate::variant::PLAIN;

/// All figures: the content of `edge.json`.
pub fn json(results: &Results, machine: &Value, plan: &Plan) -> Value {
    let memory_of = |name| {
        let found = results.variants.iter().find(|it| it.name == name);
        found.map_or(0, |it| it.memory)
    };
    let mut variants = Map::new();
    for costs in &results.variants {
        let kin = costs.ratio_to_kin;
        let beside = memory_of(kin.map_or(PLAIN, |(name, _)| name));
        let mut variant = json!({
            "title": costs.title,
            "cpu_us": rounded(costs.cpu.middle, 3),
            "cpu_ratio": rounded(costs.ratio.middle, 4),
            "spread": spread(costs.ratio, 4),
            "cpu_us_spread": spread(costs.cpu, 3),
            "requests_per_second": rounded(costs.per_second.middle, 0),
            "latency_us": {
                "p50": rounded(costs.latency[0], 1),
                "p99": rounded(costs.latency[1], 1),
                "p99.9": rounded(costs.latency[2], 1)
            },
            "memory_over_plain_bytes": costs.memory as i64 - beside as i64
        });
        if let Some(total) = costs.total_cpu {
            variant["total_cpu_us"] = json!(rounded(total.middle, 3));
        }
        if let Some((name, ratio)) = kin {
            variant["beside"] = json!({
                "name": name, "cpu_ratio": rounded(ratio.middle, 4), "spread": spread(ratio, 4)
            });
        }
        variants.insert(costs.name.to_owned(), variant);
    }
    let [plain_start, keygate_start] = results.startup;
    let [plain_worker, keygate_worker] = results.worker_memory;
    let mut all = machine.clone();
    all["rounds"] = json!(plan.rounds);
    all["seconds_per_round"] = json!(plan.seconds);
    all["rate_of_latency"] = json!(plan.rate);
    all["start_to_ready_ms"] =
        json!({ "plain": rounded(plain_start, 0), "keygate": rounded(keygate_start, 0) });
    all["bytes_per_further_worker"] =
        json!({ "plain": rounded(plain_worker, 0), "keygate": rounded(keygate_worker, 0) });
    all["variants"] = Value::Object(variants);
    all
}

fn spread(figure: Figure, digits: i32) -> Value {
    json!(figure.spread.map(|it| rounded(it, digits)))
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

/// On what and with what it was measured, in one line.
pub fn machine(json: &Value) -> String {
    let text = |pointer: &str| text(json, pointer);
    format!(
        "{}: {}, {} cores, {}. Keygate {}, Envoy {}, {}.\n",
        text("/date"),
        text("/machine/cpu"),
        text("/machine/cores"),
        text("/machine/kernel"),
        text("/versions/keygate"),
        text("/versions/envoy"),
        text("/versions/nginx"),
    )
}

fn text(json: &Value, pointer: &str) -> String {
    let value = json.pointer(pointer).unwrap_or(&Value::Null);
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The JSON for a reader, in Markdown.
pub fn table(json: &Value) -> String {
    let text = |pointer: &str| text(json, pointer);
    let mut out = format!(
        "{}{} rounds of {} s for each; latency at {} requests per second.\n\n",
        machine(json),
        text("/rounds"),
        text("/seconds_per_round"),
        text("/rate_of_latency"),
    );
    out.push_str(
        "| variant | CPU per request | relative to plain Envoy (quartiles) | requests/s | p50 | p99 | p99.9 | memory |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let variants = json["variants"].as_object().into_iter().flatten();
    let mut variants: Vec<_> = variants.collect();
    let ratio = |it: &Value| it["cpu_ratio"].as_f64().unwrap_or(0.0);
    variants.sort_by(|(_, left), (_, right)| ratio(left).total_cmp(&ratio(right)));
    for (name, it) in variants {
        let number = |pointer: &str| it.pointer(pointer).and_then(Value::as_f64).unwrap_or(0.0);
        let _ = writeln!(
            out,
            "| {} (`{name}`) | {:.1} µs{} | {:.2} ({:.2} – {:.2}){} | {:.0} | {:.0} µs | {:.0} µs | {:.0} µs | {:+.1} MB |",
            it["title"].as_str().unwrap_or(name),
            number("/cpu_us"),
            match it.get("total_cpu_us").and_then(Value::as_f64) {
                Some(total) => format!("; with the service {total:.1} µs"),
                None => String::new(),
            },
            number("/cpu_ratio"),
            number("/spread/0"),
            number("/spread/1"),
            match it.pointer("/beside/name").and_then(Value::as_str) {
                Some(kin) => format!(
                    "; relative to `{kin}` {:.2} ({:.2} – {:.2})",
                    number("/beside/cpu_ratio"),
                    number("/beside/spread/0"),
                    number("/beside/spread/1"),
                ),
                None => String::new(),
            },
            number("/requests_per_second"),
            number("/latency_us/p50"),
            number("/latency_us/p99"),
            number("/latency_us/p99.9"),
            number("/memory_over_plain_bytes") / 1e6,
        );
    }
    let megabytes =
        |pointer: &str| json.pointer(pointer).and_then(Value::as_f64).unwrap_or(0.0) / 1e6;
    let _ = write!(
        out,
        "\nThe module has {} bytes. From start to ready Envoy takes {} ms, with Keygate {} ms. \
         One more worker takes {:.1} MB, with Keygate {:.1} MB.\n",
        text("/module_bytes"),
        text("/start_to_ready_ms/plain"),
        text("/start_to_ready_ms/keygate"),
        megabytes("/bytes_per_further_worker/plain"),
        megabytes("/bytes_per_further_worker/keygate"),
    );
    out
}

/// Median and quartiles of some rounds: `{"middle": 2.5, "spread": [1.75, 3.25]}`.
pub fn figure(values: &[f64]) -> Value {
    written(Figure::of(values))
}

/// The same of the ratios of one to the other, round by round.
pub fn ratio(values: &[f64], others: &[f64]) -> Value {
    written(Figure::of_ratios(values, others))
}

fn written(Figure { middle, spread }: Figure) -> Value {
    json!({ "middle": middle, "spread": spread })
}

/// A [`figure`] in the JSON by its pointer, divided by a unit: `middle (first quartile – third)`.
pub fn shown(json: &Value, pointer: &str, unit: f64) -> String {
    let at = |name: &str| json.pointer(&format!("{pointer}/{name}"));
    let number = |name| at(name).and_then(Value::as_f64).unwrap_or(f64::NAN) / unit;
    let [middle, low, high] = ["middle", "spread/0", "spread/1"].map(number);
    format!("{} ({} – {})", round(middle), round(low), round(high))
}

/// Three digits that count, with commas.
pub fn round(value: f64) -> String {
    let digits = match value.abs() {
        it if it >= 100.0 => 0,
        it if it >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 && digit.is_ascii_digit() {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

/// The page with new text between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
pub fn between_markers(page: &str, name: &str, text: &str) -> Result<String, String> {
    let (begin, end) = (
        format!("<!-- {name}:begin -->\n"),
        format!("<!-- {name}:end -->"),
    );
    let parts = page.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some(format!("{before}{begin}{text}{end}{after}"))
    });
    parts.ok_or_else(|| format!("there is no {begin}…{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let page = "a\n<!-- t:begin -->\nold\n<!-- t:end -->\nz\n";
        let new = between_markers(page, "t", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- t:begin -->\nnew\n<!-- t:end -->\nz\n");
        assert_eq!(between_markers(&new, "t", "new\n").unwrap(), new);
        assert!(between_markers("a page without them", "t", "new\n").is_err());
    }

    #[test]
    fn numbers_have_three_digits_that_count_and_commas() {
        let numbers = [0.805, 12.34, 123.4, 1234.0, 800_000_000.0, -1234.0];
        let texts = ["0.81", "12.3", "123", "1,234", "800,000,000", "-1,234"];
        assert_eq!(numbers.map(round), texts);
    }
}
