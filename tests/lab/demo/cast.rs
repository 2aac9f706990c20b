//! A recording of a terminal (asciicast version 2).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::screen::{HEIGHT, WIDTH};

/// A file that is being written.
pub(super) struct Cast(BufWriter<File>);

impl Cast {
    pub(super) fn create(path: &Path) -> Result<Self, String> {
        let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut cast = Self(BufWriter::new(file));
        let title = "meshctl: two clusters, one mesh";
        cast.line(&json!({"version": 2, "width": WIDTH, "height": HEIGHT, "title": title}));
        Ok(cast)
    }

    /// What was shown, and when.
    pub(super) fn add(&mut self, at: Duration, text: &str) {
        let seconds = (at.as_secs_f64() * 1000.0).round() / 1000.0;
        self.line(&json!([seconds, "o", text]));
    }

    fn line(&mut self, value: &serde_json::Value) {
        // A recording that cannot be written does not stop the demo; its file is short.
        let _ = writeln!(self.0, "{value}").and_then(|()| self.0.flush());
    }
}
