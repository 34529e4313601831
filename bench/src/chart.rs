//! The chart: a bar for each variant, its length the CPU time of a request in multiples of
//! plain Envoy's, with the quartiles as a line.

use std::fmt::Write as _;

use serde_json::Value;

use crate::variant::UPSTREAM;

const WIDTH: f64 = 860.0;
const ROW: f64 = 34.0;
const TOP: f64 = 74.0;
/// Where the bars begin, and the longest ends.
const LEFT: f64 = 230.0;
const RIGHT: f64 = 745.0;

/// Draws `edge.json`, by cost.
pub fn draw(json: &Value) -> String {
    let number = |it: &Value, pointer: &str| it.pointer(pointer).and_then(Value::as_f64);
    let mut rows: Vec<Row> = json["variants"]
        .as_object()
        .into_iter()
        .flatten()
        // What asks an upstream has another measure.
        .filter(|(name, _)| !name.ends_with(UPSTREAM))
        .filter_map(|(name, it)| {
            Some(Row {
                name,
                ratio: number(it, "/cpu_ratio")?,
                spread: [number(it, "/spread/0")?, number(it, "/spread/1")?],
                micros: number(it, "/cpu_us")?,
            })
        })
        .collect();
    rows.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
    let longest = rows.iter().map(|it| it.spread[1].max(it.ratio));
    let longest = longest.fold(1.0, f64::max);
    let at = |ratio: f64| LEFT + (RIGHT - LEFT) * ratio / longest;
    let height = TOP + ROW * rows.len() as f64 + 34.0;
    let mut svg = head(json, height);
    let step = step(longest);
    let mut line = 0.0;
    while line <= longest {
        let (x, bottom) = (at(line), height - 30.0);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\"/>\
             <text class=\"small\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{line}×</text>",
            TOP - 6.0,
            height - 12.0
        );
        line += step;
    }
    for (place, row) in rows.iter().enumerate() {
        row.draw(&mut svg, TOP + ROW * place as f64, at);
    }
    svg.push_str("</svg>\n");
    svg
}

struct Row<'a> {
    name: &'a str,
    ratio: f64,
    spread: [f64; 2],
    micros: f64,
}

impl Row<'_> {
    fn draw(&self, svg: &mut String, y: f64, at: impl Fn(f64) -> f64) {
        let kind = match self.name {
            "signed_url_keygate"
            | "signed_url_keygate_repeated"
            | "signed_url_cloudflare"
            | "signed_url_cloudflare_repeated"
            | "app_key_warm"
            | "rejected"
            | "forged_key"
            | "simulate" => "ours",
            _ => "other",
        };
        let (end, [low, high]) = (at(self.ratio), self.spread.map(&at));
        let middle = y + ROW / 2.0 - 4.0;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{kind}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"3\"/>\
             <path class=\"spread\" d=\"M{low:.1} {middle:.1}H{high:.1}M{low:.1} {:.1}v8M{high:.1} {:.1}v8\"/>\
             <text class=\"small\" x=\"{:.1}\" y=\"{:.1}\">{:.2}× · {:.1} µs</text>",
            LEFT - 10.0,
            middle + 5.0,
            self.name,
            end - LEFT,
            ROW - 8.0,
            middle - 4.0,
            middle - 4.0,
            end.max(high) + 8.0,
            middle + 4.0,
            self.ratio,
            self.micros
        );
    }
}

/// Between the lines of the grid: 1, 2 or 5 times a power of ten, at most ten lines.
fn step(longest: f64) -> f64 {
    let steps = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
    let found = steps.into_iter().find(|step| longest / step <= 10.0);
    found.unwrap_or(longest / 10.0)
}

fn head(json: &Value, height: f64) -> String {
    let text =
        |pointer: &str| escaped(json.pointer(pointer).and_then(Value::as_str).unwrap_or("?"));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-label=\"CPU time per request relative to plain Envoy\">\n\
         <style>text{{font:14px system-ui,sans-serif;fill:#1f2328}}.title{{font-weight:600;font-size:17px}}.small{{font-size:12px;fill:#59636e}}\
         .back{{fill:#fff}}.grid{{stroke:#d1d9e0}}.ours{{fill:#1f6feb}}.other{{fill:#afb8c1}}.spread{{stroke:#1f2328;stroke-width:1.2;fill:none}}\
         @media(prefers-color-scheme:dark){{text{{fill:#e6edf3}}.small{{fill:#9198a1}}.back{{fill:#0d1117}}.grid{{stroke:#30363d}}.other{{fill:#57606a}}.spread{{stroke:#e6edf3}}}}</style>\n\
         <rect class=\"back\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"16\" y=\"28\">CPU time per request, in multiples of Envoy without a filter</text>\n\
         <text class=\"small\" x=\"16\" y=\"50\">median and quartiles of {} rounds · Keygate in blue · {} · {} · Envoy {}</text>\n",
        json["rounds"],
        text("/date"),
        text("/machine/cpu"),
        text("/versions/envoy"),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_chart_names_every_variant_with_the_cheapest_on_top() {
        let variant = |ratio: f64| json!({ "cpu_us": 10.0 * ratio, "cpu_ratio": ratio, "spread": [ratio, ratio] });
        let json = json!({
            "date": "2026-01-01", "rounds": 15, "machine": { "cpu": "A & B" },
            "variants": { "jwt_authn": variant(2.0), "plain": variant(1.0) }
        });
        let svg = draw(&json);
        let place = |name: &str| svg.find(&format!(">{name}<")).expect(name);
        assert!(place("plain") < place("jwt_authn"));
        assert!(svg.contains("2.00× · 20.0 µs"));
        assert!(svg.contains("A &amp; B"));
    }
}
