//! What `keygate explain` prints: lines under headings.

/// Lines under headings.
#[derive(Default)]
pub struct Page(String);

impl Page {
    /// Adds a line under this heading; an empty heading continues the last.
    pub fn line(&mut self, heading: &str, depth: usize, text: &str) {
        let indent = "  ".repeat(depth);
        self.0.push_str(&format!("{heading:9} {indent}{text}\n"));
    }

    /// The lines, without the last line break.
    pub fn text(&self) -> String {
        self.0.trim_end().to_owned()
    }
}
