//! Dumps that are no dumps, or have what doctor does not know.

use std::fs;

use keygate_tests::Stack;
use serde_json::{Value, json};

use super::dump::{filters, host, keys, listener, manager, plugin, route, vm};
use super::{doctor, dump_of, judge};

#[test]
fn a_field_that_doctor_does_not_know_is_unproven_in_every_message() {
    let stack = Stack::start();
    let dump = dump_of(&stack);
    let messages: [fn(&mut Value) -> &mut Value; 14] = [
        listener,
        |dump| &mut listener(dump)["filter_chains"][0],
        |dump| &mut listener(dump)["filter_chains"][0]["filters"][0],
        manager,
        |dump| &mut manager(dump)["common_http_protocol_options"],
        |dump| &mut filters(dump)[0],
        |dump| &mut filters(dump)[0]["typed_config"],
        plugin,
        vm,
        |dump| &mut manager(dump)["route_config"],
        host,
        route,
        |dump| &mut route(dump)["route"],
        keys,
    ];
    for (at, message) in messages.iter().enumerate() {
        let mut sick = dump.clone();
        message(&mut sick)["a_new_field"] = json!({});
        let done = judge(&sick);
        let findings = done.findings();
        let [(id, place)] = &findings[..] else {
            panic!("{at}: {findings:?}");
        };
        assert_eq!(id, "unknown_setting");
        assert!(place.ends_with("/a_new_field"), "{place}");
    }
}

/// Every place in a value, as a pointer (RFC 6901).
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    let inside: Vec<(String, &Value)> = match value {
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.map(|(at, it)| (at.to_string(), it)).collect()
        }
        Value::Object(members) => {
            let escaped = |name: &String| name.replace('~', "~0").replace('/', "~1");
            let members = members.iter();
            members.map(|(name, it)| (escaped(name), it)).collect()
        }
        _ => return,
    };
    for (name, value) in inside {
        let place = format!("{at}/{name}");
        places(value, &place, all);
        all.push(place);
    }
}

#[test]
fn a_dump_with_wrong_types_in_it_is_judged_or_rejected() {
    let stack = Stack::start();
    let dump = dump_of(&stack);
    let mut all = Vec::new();
    for (at, section) in dump["configs"].as_array().unwrap().iter().enumerate() {
        let r#type = section["@type"].as_str().unwrap();
        if ["Listeners", "Clusters"]
            .iter()
            .any(|it| r#type.contains(it))
        {
            places(section, &format!("/configs/{at}"), &mut all);
        }
    }
    assert!(all.len() > 200, "{}", all.len());
    let wrong = [
        json!(null),
        json!(7),
        json!([7]),
        json!({ "x": [] }),
        json!("x"),
    ];
    for (place, wrong) in all.iter().step_by(2).zip(wrong.iter().cycle()) {
        let mut sick = dump.clone();
        *sick.pointer_mut(place).unwrap() = wrong.clone();
        let done = judge(&sick);
        let is_judged = [0, 1, 2].contains(&done.code) && !done.error.contains("panicked");
        assert!(is_judged, "{place}: {wrong}: {} {}", done.code, done.error);
    }
}

#[test]
fn what_is_no_whole_dump_of_a_known_envoy_is_rejected_with_code_2() {
    let stack = Stack::start();
    let dump = dump_of(&stack);
    let text = dump.to_string();
    let mut old = dump.clone();
    let mut unnamed = dump.clone();
    for (dump, version) in [
        (&mut old, json!({ "major_number": 1, "minor_number": 30 })),
        (&mut unnamed, Value::Null),
    ] {
        let configs = dump["configs"].as_array_mut().unwrap();
        let node = configs.iter_mut().find(|it| it["bootstrap"].is_object());
        node.unwrap()["bootstrap"]["node"]["user_agent_build_version"]["version"] = version;
    }
    let version_2 = text.replace("envoy.admin.v3.", "envoy.admin.v2alpha.");
    let masked = stack.envoy.admin("/config_dump?resource=static_listeners");
    let yaml = fs::read_to_string(keygate_tests::repository().join("envoy/envoy.yaml")).unwrap();
    let cases = [
        (
            old.to_string(),
            "the dump is of Envoy 1.30.0, and doctor knows",
        ),
        (unnamed.to_string(), "the dump does not say its version"),
        (
            version_2,
            "the dump has no BootstrapConfigDump of version 3",
        ),
        (masked, "the dump has no BootstrapConfigDump"),
        (text[..text.len() / 2].to_owned(), "the dump is incomplete"),
        (String::new(), "the file is empty"),
        (yaml, "this is not a config dump: line 1 is not JSON"),
        (
            json!({ "static_resources": {} }).to_string(),
            "this is Envoy's configuration",
        ),
        (
            "[]".to_owned(),
            "this is not a config dump: it has no configs",
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump.json");
    for (text, told) in cases {
        fs::write(&file, text).unwrap();
        let done = doctor(&[file.to_str().unwrap()]);
        assert_eq!(done.code, 2, "{told}: {}{}", done.output, done.error);
        assert!(done.error.contains(told), "{told}: {}", done.error);
        assert_eq!(done.output, "");
    }
    let away = doctor(&["http://127.0.0.1:1"]);
    assert_eq!(away.code, 2);
    assert!(
        away.error.contains("of the admin port at"),
        "{}",
        away.error
    );
    let missing = doctor(&["/missing.json"]);
    assert_eq!(missing.code, 2);
}
