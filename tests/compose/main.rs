//! `envoy/compose.yaml`, started with docker, and the commands of the README against it. `make
//! test-compose` builds what it needs. A service whose image cannot be had is left out, and named.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod composition;

use std::fs;
use std::process::Command;

use keygate_tests::{client, readme, repository, wait};
use serde_json::Value;

use composition::{Composition, compose, container, image, is_wanted, run};

/// What this test cannot do without.
const BUILT: [&str; 4] = ["keygate", "keygate-echo", "plugin.wasm", "envoy.yaml"];

#[test]
fn the_commands_of_the_readme_work_with_the_composition() {
    if !is_wanted() {
        return;
    }
    let (composition, left_out) = up("envoy/compose.yaml");
    assert_readme(&composition);

    let services = ["envoy", "keygate", "upstream", "prometheus", "grafana"];
    for service in services.iter().filter(|it| !left_out.contains(it)) {
        let container = container(&composition.id(service));
        assert_eq!(container["State"]["Running"], true, "{service}");
        assert_eq!(container["HostConfig"]["ReadonlyRootfs"], true, "{service}");
        let user = container["Config"]["User"].as_str().unwrap();
        assert!(user.starts_with("655"), "{service} runs as {user}");
        assert_eq!(container["HostConfig"]["CapDrop"][0], "ALL", "{service}");
        // Each has its own secrets alone.
        let variables = container["Config"]["Env"].to_string();
        let has = |name: &str| variables.contains(&format!("{name}="));
        let is_keygate = *service == "keygate";
        assert_eq!(has("KEYGATE_ADMIN_TOKEN"), is_keygate, "{service}");
        assert_eq!(has("KEYGATE_MEDIA"), *service == "envoy", "{service}");
    }
    let keygate = container(&composition.id("keygate"));
    assert_eq!(keygate["State"]["Health"]["Status"], "healthy");
    if !left_out.contains(&"prometheus") {
        assert_scrapes(composition.port("KEYGATE_PROMETHEUS_PORT"));
    }
}

/// Two key services share a database, and Envoy needs either of them.
#[test]
fn one_of_two_key_services_is_enough() {
    let is_asked_for = std::env::var_os("KEYGATE_COMPOSE").is_some_and(|it| it == "postgres");
    if !is_wanted() || !is_asked_for {
        eprintln!("!!! SKIPPED: envoy/compose.postgres.yaml: KEYGATE_COMPOSE=postgres starts it");
        return;
    }
    let (composition, _) = up("envoy/compose.postgres.yaml");
    assert_readme(&composition);
    let port = composition.port("KEYGATE_PORT");
    let key = create_key(composition.port("KEYGATE_SERVICE_PORT"));
    run(Command::new("docker").args(["kill", &composition.id("keygate")]));
    for name in ["postgres", "keygate-2"] {
        let container = container(&composition.id(name));
        assert_eq!(container["State"]["Health"]["Status"], "healthy", "{name}");
        assert_eq!(container["HostConfig"]["ReadonlyRootfs"], true, "{name}");
    }
    let request = client::get(port, "/api/x").header("authorization", format!("Bearer {key}"));
    assert_eq!(request.send().status, 200);
}

/// The commands of the README work here.
#[track_caller]
fn assert_readme(composition: &Composition) {
    let port = composition.port("KEYGATE_PORT");
    let here = |text: &str| {
        text.replace("$PWD/target/demo", "$PWD/target/images")
            .replace("127.0.0.1:10000", &format!("127.0.0.1:{port}"))
    };
    let service = composition.port("KEYGATE_SERVICE_PORT");
    let bash = readme::bash(&format!("http://127.0.0.1:{service}"));
    readme::assert_commands_work(here, bash);
}

/// A new key of the key service at this port.
#[track_caller]
fn create_key(port: u16) -> String {
    let secrets = fs::read_to_string(repository().join(".run/demo.env")).unwrap();
    let mut lines = secrets.lines();
    let token = lines.find_map(|it| it.strip_prefix("KEYGATE_ADMIN_TOKEN="));
    let request = client::post(port, "/v1/keys")
        .header("authorization", format!("Bearer {}", token.unwrap()))
        .header("content-type", "application/json")
        .body(r#"{"account":"alice","scopes":["files:read"]}"#);
    let answer = request.send();
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["key"].as_str().unwrap().to_owned()
}

/// Starts it with the images that can be had, and waits until Envoy answers. The second is what was
/// left out.
#[track_caller]
fn up(file: &'static str) -> (Composition, Vec<&'static str>) {
    let mut left_out = Vec::new();
    let mut variables = Vec::new();
    let images = [
        ("envoy", "KEYGATE_ENVOY_IMAGE"),
        ("prometheus", "KEYGATE_PROMETHEUS_IMAGE"),
        ("grafana", "KEYGATE_GRAFANA_IMAGE"),
        ("postgres", "KEYGATE_POSTGRES_IMAGE"),
    ];
    let is_part = |service: &str| service != "postgres" || file.contains("postgres");
    for (service, variable) in images.into_iter().filter(|(it, _)| is_part(it)) {
        match image(service) {
            Some(image) => variables.push((variable, image)),
            None => left_out.push(service),
        }
    }
    for needed in ["envoy", "postgres"] {
        assert!(!left_out.contains(&needed), "{needed} is missing");
    }
    let composition = Composition::up(file, &variables, &left_out);
    let port = composition.port("KEYGATE_PORT");
    // Docker accepts connections before Envoy does, and closes them.
    wait::until("Envoy to answer", wait::STARTUP, || {
        let answer = client::get(port, "/healthz").try_send();
        answer.is_ok_and(|it| it.status == 200).then_some(())
    });
    (composition, left_out)
}

/// Nothing is started without the secrets.
#[test]
fn a_missing_secret_is_named_with_what_to_do() {
    if !is_wanted() {
        return;
    }
    let output = compose()
        .args(["-f", "envoy/compose.yaml", "config"])
        .output();
    let output = output.unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        told.contains("KEYGATE_") && told.contains(".run/demo.env"),
        "{told}"
    );
}

/// Prometheus reaches both targets, and has the alerts.
fn assert_scrapes(port: u16) {
    wait::until("Prometheus to scrape both", wait::STARTUP, || {
        let answer = client::get(port, "/api/v1/query?query=up").send();
        let answer: Value = answer.json();
        let results = answer["data"]["result"].as_array()?;
        let up = results.iter().filter(|it| it["value"][1] == "1");
        (up.count() == 2).then_some(())
    });
    let rules: Value = client::get(port, "/api/v1/rules").send().json();
    let groups = rules["data"]["groups"].as_array().unwrap();
    assert!(!groups.is_empty(), "{rules}");
}

/// Addresses and the path of the module, and nothing else.
#[test]
fn the_envoy_of_the_composition_is_that_of_the_demo() {
    if !is_wanted() {
        return;
    }
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let (demo, here) = (read("envoy/envoy.yaml"), read("target/images/envoy.yaml"));
    assert_eq!(demo.lines().count(), here.lines().count());
    let changed = demo.lines().zip(here.lines()).filter(|(a, b)| a != b);
    let mut changed: Vec<&str> = changed.map(|(_, line)| line.trim()).collect();
    changed.retain(|line| *line != "type: STRICT_DNS");
    let known = [
        "port_value: 10000",
        "/etc/keygate/plugin.wasm",
        "address: upstream",
        "address: keygate",
        "address: keygate",
    ];
    assert_eq!(changed.len(), known.len(), "{changed:#?}");
    for (line, known) in changed.iter().zip(known) {
        assert!(line.contains(known), "{line}");
    }
}

/// As Istio and Envoy Gateway pull it.
#[test]
fn the_image_of_the_module_has_one_layer_with_the_module() {
    if !is_wanted() {
        return;
    }
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("keygate-filter:{version}");
    let image = container(&name);
    assert_eq!(image["RootFS"]["Layers"].as_array().unwrap().len(), 1);
    // An image without a command; none is run.
    let id = run(Command::new("docker").args(["create", &name, "none"]));
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("plugin.wasm");
    let from = format!("{}:/plugin.wasm", id.trim());
    let copied = Command::new("docker")
        .arg("cp")
        .arg(from)
        .arg(&module)
        .output();
    run(Command::new("docker").args(["rm", id.trim()]));
    assert!(copied.unwrap().status.success());
    let built = repository().join("target/images/plugin.wasm");
    assert!(fs::read(module).unwrap() == fs::read(built).unwrap());
}

#[test]
fn the_programs_in_the_images_need_no_library() {
    if !is_wanted() {
        return;
    }
    for name in BUILT {
        let path = repository().join("target/images").join(name);
        assert!(path.is_file(), "{}: run make images", path.display());
    }
    let output = Command::new("ldd")
        .arg(repository().join("target/images/keygate"))
        .output()
        .expect("ldd is installed");
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let is_static = ["statically linked", "not a dynamic executable"];
    assert!(is_static.iter().any(|it| told.contains(it)), "{told}");
}
