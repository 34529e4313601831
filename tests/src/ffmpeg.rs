//! A real player: ffmpeg makes a film in pieces, and plays it through Envoy.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::tools;

/// The pictures of the film: a minute would tell no more.
pub const PICTURES: usize = 60;

/// From `KEYGATE_FFMPEG`, else from `scripts/ffmpeg`.
static FFMPEG: LazyLock<PathBuf> = LazyLock::new(|| tools::required("KEYGATE_FFMPEG", "ffmpeg"));

/// Makes `index.m3u8` with a piece for each second beside it.
///
/// # Panics
/// When ffmpeg cannot.
pub fn make_hls(directory: &Path) {
    let index = directory.join("index.m3u8");
    make(
        "mpeg2video",
        &["-f", "hls", "-hls_time", "1", "-hls_list_size", "0"],
        &index,
    );
}

/// Makes `index.mpd` with pieces beside it.
///
/// # Panics
/// When ffmpeg cannot.
pub fn make_dash(directory: &Path) {
    let index = directory.join("index.mpd");
    make("mpeg4", &["-f", "dash", "-seg_duration", "1"], &index);
}

/// Codecs that every ffmpeg has, whatever it was built with.
fn make(codec: &str, format: &[&str], index: &Path) {
    let picture = "testsrc=duration=6:size=160x120:rate=10";
    let mut command = Command::new(&*FFMPEG);
    command.args([
        "-nostdin",
        "-loglevel",
        "error",
        "-f",
        "lavfi",
        "-i",
        picture,
    ]);
    // A key picture each second.
    command.args(["-c:v", codec, "-g", "10"]);
    let output = command.args(format).arg(index).output();
    let output = output.expect("ffmpeg can be run");
    assert!(output.status.success(), "{}", complaint(&output));
}

/// Plays what is at a URL: how many pictures came, and what the player complained of.
///
/// # Panics
/// When ffmpeg cannot be run.
#[must_use]
pub fn play(url: &str) -> (usize, String) {
    let mut command = Command::new(&*FFMPEG);
    command.args(["-nostdin", "-loglevel", "warning"]);
    command.args(["-rw_timeout", "20000000", "-i", url]);
    // A line for each picture, after those that begin with a hash.
    let output = command.args(["-c", "copy", "-f", "framecrc", "-"]).output();
    let output = output.expect("ffmpeg can be run");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let pictures = lines.lines().filter(|line| !line.starts_with('#')).count();
    (pictures, complaint(&output))
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
