//! Events about keys that come closer to their end.

use keygate_service::EventType;
use serde_json::json;

use super::{DAY, KEY, after, rows, target, until_none_waits, with_targets};
use crate::keys::revoke_path;
use crate::receiver::{Got, Receiver, until};
use crate::support::text;

#[test]
fn a_key_is_announced_14_3_and_1_days_before_its_end() {
    let receiver = Receiver::start();
    let service = with_targets(vec![target(&receiver, &[EventType::Expiring])]);
    until("first announcement", || {
        (rows(&service, "announced") == 3).then_some(())
    });
    let ends_in = |days: u64| {
        let key = json!({ "account": "a", "expires_at": after(days * DAY).to_string() });
        text(&service.create(&key.to_string()), "id")
    };
    let (long, short) = (ends_in(20), ends_in(5));
    let revoked = service.create(&json!({ "account": "a", "expires_in": "20d" }).to_string());
    service.post(&revoke_path(&revoked), "").expect(200);
    let mut expected = Vec::new();
    for (day, key, days_left) in [
        (2, &short, 3),
        (4, &short, 1),
        (6, &long, 14),
        (17, &long, 3),
        (19, &long, 1),
    ] {
        service.set_now(after(day * DAY - 1));
        service.create(KEY);
        expected.push(json!([key, days_left]));
        service.set_now(after(day * DAY + 61));
        let got = receiver.wait_for(expected.len());
        let event = |it: &Got| {
            let data = &it.json()["data"];
            assert_eq!(data["actor"], "service");
            json!([data["key"]["id"], data["days_left"]])
        };
        assert_eq!(got.iter().map(event).collect::<Vec<_>>(), expected);
    }
    // A service that was away announces late, with the nearest number of days alone.
    let late = ends_in(40);
    service.set_now(after(38 * DAY));
    let got = receiver.wait_for(6);
    assert_eq!(got[5].json()["data"]["key"]["id"], *late);
    assert_eq!(got[5].json()["data"]["days_left"], 3);
    until_none_waits(&service);
    assert_eq!(receiver.got().len(), 6);
}

#[test]
fn many_keys_with_one_end_are_each_announced_once() {
    let receiver = Receiver::start();
    let service = with_targets(vec![target(&receiver, &[EventType::Expiring])]);
    until("first announcement", || {
        (rows(&service, "announced") == 3).then_some(())
    });
    let key = json!({ "account": "a", "expires_in": "20d" });
    for _ in 0..3 {
        let batch = json!({ "keys": vec![&key; 90] });
        service
            .post("/v1/keys/batch", &batch.to_string())
            .expect(201);
    }
    service.set_now(after(7 * DAY));
    let got = receiver.wait_for(270);
    until_none_waits(&service);
    let id = |it: &Got| text(&it.json()["data"]["key"], "id");
    let mut ids: Vec<String> = got.iter().map(id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), receiver.got().len()), (270, 270));
}
