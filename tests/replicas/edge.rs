//! An edge that follows the feed, and asks another key service each time.

use std::io;
use std::time::Duration;

use keygate_tests::service::{EDGE_TOKEN, Service};
use serde_json::{Value, json};

/// What an edge knows of the feed.
#[derive(Clone, Default)]
pub struct Place {
    pub incarnation: String,
    pub epoch: u64,
}

/// The answer to a poll.
pub struct News {
    pub place: Place,
    pub is_reset: bool,
    pub hashes: Vec<String>,
}

/// Asks a service for what came after a place; without one for its own.
pub fn poll(service: &Service, after: Option<&Place>, wait: Duration) -> io::Result<News> {
    let mut path = "/v1/changes".to_owned();
    if let Some(Place { incarnation, epoch }) = after {
        path += &format!("?after={epoch}&incarnation={incarnation}");
        if !wait.is_zero() {
            path += &format!("&wait={}ms", wait.as_millis());
        }
    }
    let patience = super::fleet::BOUND + wait;
    let answer = service.try_request("GET", &path, EDGE_TOKEN, None, patience)?;
    if answer.status != 200 {
        return Err(io::Error::other(answer.text()));
    }
    let json = answer.json();
    let hashes = json["changed"].as_array().unwrap().iter();
    Ok(News {
        place: Place {
            incarnation: json["incarnation"].as_str().unwrap().to_owned(),
            epoch: json["epoch"].as_u64().unwrap(),
        },
        is_reset: json["reset"].as_bool().unwrap(),
        hashes: hashes.map(|it| it.as_str().unwrap().to_owned()).collect(),
    })
}

/// Where a service is now.
pub fn place(service: &Service) -> Place {
    poll(service, None, Duration::ZERO).unwrap().place
}

/// The records of some keys, by their hashes.
pub fn lookup(service: &Service, hashes: &[String]) -> Vec<Value> {
    let mut records = Vec::new();
    for hashes in hashes.chunks(100) {
        let body = json!({ "hashes": hashes });
        let answer = service.request("POST", "/v1/lookups", EDGE_TOKEN, Some(&body));
        assert_eq!(answer.status, 200, "{}", answer.text());
        records.extend(answer.json()["records"].as_array().unwrap().iter().cloned());
    }
    records
}
