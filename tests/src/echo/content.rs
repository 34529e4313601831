//! What the answers of the upstream hold besides what it received.

use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Headers and files of the answers. A clone shares them.
#[derive(Clone, Default)]
pub struct Content(Arc<Mutex<Extras>>);

#[derive(Default)]
struct Extras {
    headers: Vec<(&'static str, &'static str)>,
    directory: Option<PathBuf>,
}

impl Content {
    /// Replaces the headers.
    pub fn answer_with(&self, headers: &[(&'static str, &'static str)]) {
        self.lock().headers = headers.to_vec();
    }

    /// Replaces the directory.
    pub fn serve_files(&self, directory: &Path) {
        self.lock().directory = Some(directory.to_owned());
    }

    /// The headers of every answer.
    pub fn headers(&self) -> Vec<(&'static str, &'static str)> {
        self.lock().headers.clone()
    }

    /// The type and the bytes of the file that a target names, if there is one.
    pub fn file(&self, target: &str) -> Option<(&'static str, Vec<u8>)> {
        let path = target.split('?').next()?.trim_start_matches('/');
        let is_plain = |it: Component<'_>| matches!(it, Component::Normal(_));
        if !Path::new(path).components().all(is_plain) {
            return None;
        }
        let file = self.lock().directory.as_ref()?.join(path);
        let bytes = std::fs::read(&file).ok()?;
        let kind = match file.extension()?.to_str()? {
            "m3u8" => "application/vnd.apple.mpegurl",
            "mpd" => "application/dash+xml",
            "ts" => "video/mp2t",
            _ => "application/octet-stream",
        };
        Some((kind, bytes))
    }

    fn lock(&self) -> MutexGuard<'_, Extras> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
