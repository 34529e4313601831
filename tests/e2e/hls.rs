//! A real player and a real playlist: its pieces come with the token of the playlist's own
//! link, in the path or exchanged for a cookie.

use std::collections::BTreeSet;

use keygate_core::signed_url::keygate::sign::Terms;
use keygate_tests::ffmpeg::{PICTURES, make_dash, make_hls, play};
use keygate_tests::{Stack, StackBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{assert_never_trapped, native, now};

/// Films under `/film/`, for clients with a link for all of it.
fn films(more: &Value) -> StackBuilder {
    Stack::builder().edit_policy(|policy| {
        let mut link = json!({ "type": "signed_url", "format": "keygate", "secrets": "media",
            "max_lifetime": "1h" });
        link.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        policy["providers"]["media-link"] = link;
        policy["secrets"]["cookies"] = json!([{ "id": "c1", "env": "KEYGATE_EDGE_TOKEN" }]);
        policy["rules"][1]["match"]["path"] = json!("/film/**");
    })
}

struct Cinema {
    stack: Stack,
    _directory: TempDir,
    /// The names of all that the film consists of.
    files: BTreeSet<String>,
}

fn open(stack: Stack, make: fn(&std::path::Path)) -> Cinema {
    let directory = tempfile::tempdir().unwrap();
    let film = directory.path().join("film/one");
    std::fs::create_dir_all(&film).unwrap();
    make(&film);
    stack.echo.serve_files(directory.path());
    let names = std::fs::read_dir(&film).unwrap();
    let files: BTreeSet<_> = names
        .map(|entry| format!("/film/one/{}", entry.unwrap().file_name().to_string_lossy()))
        .collect();
    assert!(files.len() >= 6, "a film in pieces: {files:?}");
    Cinema {
        stack,
        _directory: directory,
        files,
    }
}

impl Cinema {
    fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.host())
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.stack.envoy.port())
    }

    fn token(&self) -> String {
        let terms = Terms {
            expires_secs: now() + 600,
            prefix: Some("/film/"),
            ..Terms::default()
        };
        native(&terms, &self.host(), "/film/")
    }

    /// Every file was asked for, by its own name; no token and no cookie came along.
    fn assert_all_was_played(&self) {
        let received = self.stack.echo.received();
        let asked: BTreeSet<_> = received.iter().map(|it| it.path.clone()).collect();
        assert_eq!(asked, self.files);
        assert!(received.iter().all(|it| it.values("cookie").is_empty()));
        let rejected = self.stack.envoy.stat("http.public.downstream_rq_4xx");
        assert_eq!(rejected.unwrap_or(0), 0);
        assert_never_trapped(&self.stack);
    }

    /// Nothing of the film is to be had without a link.
    fn assert_closed(&self, index: &str) {
        self.stack.echo.clear();
        let (pictures, _) = play(&self.url(&format!("/film/one/{index}")));
        assert_eq!(pictures, 0);
        for file in &self.files {
            assert_eq!(self.stack.get(file).send().status, 403, "{file}");
        }
        assert_eq!(self.stack.echo.count(), 0);
    }
}

fn plays_by_path(make: fn(&std::path::Path), index: &str) {
    let stack = films(&json!({ "from": [{ "path": "~kg" }] })).start();
    let cinema = open(stack, make);
    let url = cinema.url(&format!("/~kg={}/film/one/{index}", cinema.token()));
    let (pictures, complaint) = play(&url);
    assert_eq!(pictures, PICTURES, "{complaint}");
    cinema.assert_all_was_played();
    cinema.assert_closed(index);
}

fn plays_by_cookie(make: fn(&std::path::Path), index: &str) {
    let exchange = json!({ "exchange": { "secrets": "cookies", "max_session": "5m" } });
    let cinema = open(films(&exchange).start(), make);
    let url = cinema.url(&format!("/film/one/{index}?kg={}", cinema.token()));
    let (pictures, complaint) = play(&url);
    assert_eq!(pictures, PICTURES, "{complaint}");
    cinema.assert_all_was_played();
    cinema.assert_closed(index);
}

#[test]
fn the_pieces_of_an_hls_film_load_by_the_path_segment_of_its_playlist() {
    plays_by_path(make_hls, "index.m3u8");
}

#[test]
fn the_pieces_of_an_hls_film_load_by_the_cookie_that_the_link_was_exchanged_for() {
    plays_by_cookie(make_hls, "index.m3u8");
}

#[test]
fn the_pieces_of_a_dash_film_load_by_the_path_segment_of_its_manifest() {
    plays_by_path(make_dash, "index.mpd");
}

#[test]
fn the_pieces_of_a_dash_film_load_by_the_cookie_that_the_link_was_exchanged_for() {
    plays_by_cookie(make_dash, "index.mpd");
}

#[test]
fn without_the_exchange_a_link_in_the_query_plays_nothing_but_the_playlist() {
    let cinema = open(films(&json!({})).start(), make_hls);
    let (pictures, _) = play(&cinema.url(&format!("/film/one/index.m3u8?kg={}", cinema.token())));
    assert_eq!(pictures, 0);
    let received = cinema.stack.echo.received();
    let asked: Vec<_> = received.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(asked, ["/film/one/index.m3u8"]);
}
