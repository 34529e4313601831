//! Panels with lines, as SVG.
//!
//! Not with plotters: it writes each colour into its element, so one file could not serve readers
//! with a dark and with a light background, as docs/performance.svg does.

use std::fmt::Write as _;

/// A picture of this width is as wide as a page.
const WIDTH: f64 = 900.0;
const HEAD: f64 = 64.0;
/// The grid of a dashboard has 24 columns.
const CELL: [f64; 2] = [WIDTH / 24.0, 21.0];
const GAP: f64 = 6.0;
/// Within a panel: the title above the lines, the values on the left, the minutes and the rows of
/// names below.
const TITLE: f64 = 28.0;
const LEFT: f64 = 52.0;
const MINUTES: f64 = 20.0;
const LINE: f64 = 14.0;
/// As many names as fit, and as many colours.
const MOST: usize = 6;
/// About what a character of a name takes.
const CHARACTER: f64 = 6.3;

/// A panel of the dashboard.
#[derive(Debug)]
pub struct Panel {
    /// Its heading.
    pub title: String,
    /// Grafana's name of the unit, such as `reqps`.
    pub unit: String,
    /// Column, row, width and height, in cells of the dashboard's grid.
    pub place: [f64; 4],
    /// What it shows.
    pub content: Content,
}

/// What a panel shows.
#[derive(Debug)]
pub enum Content {
    /// Nothing: it is the heading of the panels below it.
    Row,
    /// A text, in lines.
    Text(String),
    /// A chart.
    Lines(Vec<Series>),
}

/// A line: seconds since the start, and the value.
#[derive(Clone, Debug)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// In the order of time.
    pub points: Vec<(f64, f64)>,
}

/// Draws the panels over a time in seconds.
#[must_use]
pub fn draw(caption: &str, time: f64, panels: &[Panel]) -> String {
    let ends = panels.iter().map(|it| it.place[1] + it.place[3]);
    let height = HEAD + ends.fold(0.0, f64::max) * CELL[1] + GAP;
    let mut svg = head(caption, height);
    for panel in panels {
        panel.draw(&mut svg, time);
    }
    svg.push_str("</svg>\n");
    svg
}

impl Panel {
    fn draw(&self, svg: &mut String, time: f64) {
        let [x, y, width, height] = self.place;
        let (x, y) = (x * CELL[0] + GAP / 2.0, HEAD + y * CELL[1] + GAP / 2.0);
        let (width, height) = (width * CELL[0] - GAP, height * CELL[1] - GAP);
        let title = escaped(&self.title);
        if let Content::Row = self.content {
            let y = y + 14.0;
            let _ = writeln!(
                svg,
                "<text class=\"row\" x=\"{x:.1}\" y=\"{y:.1}\">{title}</text>"
            );
            return;
        }
        let _ = writeln!(
            svg,
            "<rect class=\"panel\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"4\"/>\
             <text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{title}</text>",
            x + 8.0,
            y + 17.0
        );
        let series = match &self.content {
            Content::Row => return,
            Content::Text(text) => {
                for (number, line) in text.lines().enumerate() {
                    #[expect(clippy::cast_precision_loss, reason = "few lines")]
                    let down = y + TITLE + LINE * (number + 1) as f64;
                    let line = escaped(&line.replace('`', ""));
                    let _ = writeln!(
                        svg,
                        "<text class=\"small\" x=\"{:.1}\" y=\"{down:.1}\">{line}</text>",
                        x + 8.0
                    );
                }
                return;
            }
            Content::Lines(series) => most(series),
        };
        let highest = series.iter().map(Series::highest).fold(0.0, f64::max);
        let (scale, unit) = unit(&self.unit, highest);
        let top = nice(highest / scale) * scale;
        let (left, right) = (x + LEFT, x + width - 10.0);
        let names = rows(&series, width - 16.0);
        let (above, below) = (y + TITLE, y + height - MINUTES - names.1 - 6.0);
        let across = |seconds: f64| left + (right - left) * seconds / time;
        let up = |value: f64| below - (below - above) * value / top;
        for part in [0.0, 0.5, 1.0] {
            let (value, line) = (top * part, up(top * part));
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{left:.1} {line:.1}H{right:.1}\"/>\
                 <text class=\"small\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}{unit}</text>",
                left - 4.0,
                line + 4.0,
                short(value / scale)
            );
        }
        for minute in 0..=3 {
            let seconds = f64::from(minute) * 60.0;
            if seconds <= time {
                let (x, y) = (across(seconds), below + 16.0);
                // The first is beside the axis, and the last ends with it.
                let anchor = match seconds {
                    0.0 => "start",
                    seconds if seconds < time => "middle",
                    _ => "end",
                };
                let _ = writeln!(
                    svg,
                    "<text class=\"small\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{minute}:00</text>"
                );
            }
        }
        for (color, one) in series.iter().enumerate() {
            let _ = writeln!(
                svg,
                "<path class=\"line c{color}\" d=\"{}\"/>",
                one.path(across, up)
            );
        }
        for ((color, one), [right, down]) in series.iter().enumerate().zip(names.0) {
            let (x, y) = (x + 8.0 + right, below + MINUTES + LINE + down);
            let _ = writeln!(
                svg,
                "<path class=\"line c{color}\" d=\"M{x:.1} {:.1}h12\"/><text class=\"small\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>",
                y - 4.0,
                x + 16.0,
                escaped(&one.name)
            );
        }
    }
}

impl Series {
    fn highest(&self) -> f64 {
        self.points.iter().map(|it| it.1).fold(0.0, f64::max)
    }

    /// The line; it has a gap where values are missing.
    fn path(&self, across: impl Fn(f64) -> f64, up: impl Fn(f64) -> f64) -> String {
        let times = self.points.windows(2).map(|pair| pair[1].0 - pair[0].0);
        let step = times.fold(f64::INFINITY, f64::min);
        let mut path = String::new();
        let mut before = f64::NEG_INFINITY;
        for &(time, value) in &self.points {
            let command = if time - before > step * 1.5 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{:.1} {:.1}", across(time), up(value));
            before = time;
        }
        path
    }
}

/// Where each name of a legend is, from its left and top, and the height of all.
fn rows(series: &[Series], width: f64) -> (Vec<[f64; 2]>, f64) {
    let (mut right, mut down) = (0.0, 0.0);
    let mut places = Vec::new();
    for one in series {
        #[expect(clippy::cast_precision_loss, reason = "a name is short")]
        let wide = 24.0 + one.name.chars().count() as f64 * CHARACTER;
        if right > 0.0 && right + wide > width {
            (right, down) = (0.0, down + LINE);
        }
        places.push([right, down]);
        right += wide;
    }
    (places, down + LINE)
}

/// The lines that reach highest, by name; the last is a name without a line if there are more.
fn most(series: &[Series]) -> Vec<Series> {
    let mut series = series.to_vec();
    let more = match series.len() {
        0..=MOST => 0,
        all => all - (MOST - 1),
    };
    series.sort_by(|a, b| b.highest().total_cmp(&a.highest()));
    series.truncate(if more > 0 { MOST - 1 } else { MOST });
    series.sort_by(|a, b| a.name.cmp(&b.name));
    if more > 0 {
        series.push(Series {
            name: format!("and {more} more"),
            points: Vec::new(),
        });
    }
    series
}

/// What one step of the axis is, and its unit.
fn unit(name: &str, highest: f64) -> (f64, &'static str) {
    match name {
        "reqps" => (1.0, "/s"),
        "ms" => (1.0, " ms"),
        "bytes" if highest >= 1e6 => (1e6, " MB"),
        "bytes" => (1e3, " kB"),
        "short" => (1.0, ""),
        other => panic!("there is no text for the unit {other}"),
    }
}

/// The next of 1, 2, 4, 6, 8 or 10 times a power of ten: half of it is short, too.
fn nice(highest: f64) -> f64 {
    if highest <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(highest.log10().floor());
    let found = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        .into_iter()
        .find(|it| it * power >= highest);
    found.unwrap_or(10.0) * power
}

fn short(value: f64) -> String {
    match value {
        value if value >= 1000.0 => format!("{}k", value / 1000.0),
        value if value >= 1.0 || value == 0.0 => format!("{value:.1}").replace(".0", ""),
        value => format!("{value:.2}").trim_end_matches('0').to_owned(),
    }
}

fn head(caption: &str, height: f64) -> String {
    // Line colours for a light background, and lighter ones for a dark one.
    let colors = [
        "#0969da", "#cf222e", "#1a7f37", "#9a6700", "#8250df", "#57606a",
    ];
    let lighter = [
        "#58a6ff", "#ff7b72", "#56d364", "#e3b341", "#d2a8ff", "#9198a1",
    ];
    let classes = |colors: [&str; MOST]| {
        let rows = colors.iter().enumerate();
        rows.fold(String::new(), |mut css, (number, color)| {
            let _ = write!(css, ".c{number}{{stroke:{color}}}");
            css
        })
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-label=\"The panels of the dashboard\">\n\
         <style>text{{font:13px system-ui,sans-serif;fill:#1f2328}}.title{{font-weight:600;font-size:17px}}.row{{font-weight:600;font-size:14px}}.name{{font-weight:600;font-size:12px}}.small{{font-size:11px;fill:#59636e}}\
         .back{{fill:#f6f8fa}}.panel{{fill:#fff;stroke:#d1d9e0}}.grid{{stroke:#d1d9e0}}.line{{fill:none;stroke-width:1.6;stroke-linejoin:round}}{}\
         @media(prefers-color-scheme:dark){{text{{fill:#e6edf3}}.small{{fill:#9198a1}}.back{{fill:#010409}}.panel{{fill:#0d1117;stroke:#30363d}}.grid{{stroke:#30363d}}{}}}</style>\n\
         <rect class=\"back\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"10\" y=\"26\">The dashboard of Keygate, with an outage of the key service</text>\n\
         <text class=\"small\" x=\"10\" y=\"46\">{}</text>\n",
        classes(colors),
        classes(lighter),
        escaped(caption)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(series: Vec<Series>) -> Panel {
        Panel {
            title: "Lookups & more".to_owned(),
            unit: "reqps".to_owned(),
            place: [0.0, 0.0, 8.0, 8.0],
            content: Content::Lines(series),
        }
    }

    fn line(name: &str, values: &[(f64, f64)]) -> Series {
        Series {
            name: name.to_owned(),
            points: values.to_vec(),
        }
    }

    #[test]
    fn each_line_of_a_panel_has_its_name_and_a_gap_where_values_are_missing() {
        let answered = line(
            "answered",
            &[(0.0, 1.0), (2.0, 3.0), (8.0, 3.0), (10.0, 1.0)],
        );
        let svg = draw(
            "drawn today",
            10.0,
            &[panel(vec![answered, line("failed", &[])])],
        );
        assert!(svg.contains(">Lookups &amp; more<"), "{svg}");
        assert!(
            svg.contains(">answered<") && svg.contains(">failed<"),
            "{svg}"
        );
        assert!(
            svg.contains(">drawn today<") && svg.contains(">4/s<"),
            "{svg}"
        );
        let path = svg
            .lines()
            .find(|it| it.starts_with("<path class=\"line c0\""))
            .unwrap();
        assert_eq!(path.matches('M').count(), 2, "{path}");
    }

    #[test]
    fn a_panel_with_too_many_lines_says_how_many_are_missing() {
        let lines = (0..9).map(|it| line(&format!("line{it}"), &[(0.0, f64::from(it))]));
        let svg = draw("", 10.0, &[panel(lines.collect())]);
        assert!(svg.contains(">line8<") && !svg.contains(">line3<"), "{svg}");
        assert!(svg.contains(">and 4 more<"), "{svg}");
    }
}
