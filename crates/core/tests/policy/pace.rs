//! How often the key service is asked what has changed, and how long it is waited for.

use super::*;
use keygate_core::Millis;
use keygate_core::keys::KeyService;

fn service(more: Value) -> KeyService {
    let mut json = demo();
    let members = json["key_service"].as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    policy(&json, SECRET).key_service.unwrap()
}

#[test]
fn a_poll_lasts_a_quarter_longer_than_the_time_between_two_so_that_revocations_take_two_seconds() {
    assert_eq!(service(json!({})).wait(), Millis(1250));
    assert_eq!(service(json!({ "poll": "2s" })).wait(), Millis(2500));
}

#[test]
fn a_poll_takes_no_more_than_a_quarter_of_the_lease_and_no_more_than_the_service_allows() {
    let short = json!({ "poll": "2s", "lease": "8s" });
    assert_eq!(service(short).wait(), Millis(2000));
    let long = json!({ "poll": "10s", "lease": "600s" });
    assert_eq!(service(long).wait(), keygate_core::keys::wire::MAX_WAIT);
}

#[test]
fn a_request_waits_no_longer_than_two_calls_and_a_second_for_an_answer_that_was_lost() {
    let slow = json!({ "timeout": "300ms" });
    assert_eq!(service(slow).patience(), Millis(1600));
}

#[test]
fn an_edge_knows_whether_a_rule_lets_keys_pass_in_an_outage() {
    let allows = |change: &dyn Fn(&mut Value)| {
        let mut json = demo();
        change(&mut json);
        policy(&json, SECRET).key_service.unwrap().allows_outage
    };
    assert!(!allows(&|_| {}));
    assert!(allows(
        &|json| json["providers"]["key"]["outage"] = json!("allow")
    ));
}
