//! What a platform cannot have is refused with the reason and the place, and nothing is printed.

use std::fs;

use super::{PLATFORMS, YAML, folder, printed};

/// A platform, options, a part of the policy and what stands there instead, and the message.
type Case = (
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static str,
    &'static str,
);

const CASES: [Case; 10] = [
    (
        "istio",
        &[],
        "env: KEYGATE_MEDIA",
        "env: ISTIO_META_MEDIA",
        "policy.yaml:9:28: secrets.media[0].env: Istio's agent removes variables whose names begin \
         with ISTIO_META before the filter sees them",
    ),
    (
        "istio-traffic-extension",
        &[],
        "token_env: KEYGATE_EDGE_TOKEN",
        "token_env: ISTIO_META_TOKEN",
        "policy.yaml:16:14: key_service.token_env: Istio's agent removes",
    ),
    (
        "istio",
        &[],
        "code: \"{reason}\"",
        "code: 9007199254740993",
        "policy.yaml:44:33: responses.api.json.error.code: Istio turns numbers into floating-point \
         numbers, which changes integers above 2^53: write it as text, in quotes",
    ),
    (
        "istio",
        &[],
        "  app-key:\n",
        "  session: { type: jwt, metadata_key: claims }\n  app-key:\n",
        "policy.yaml:23:39: providers.session.metadata_key: Istio keeps the claims of a token under \
         \"payload\": leave this out",
    ),
    (
        "istio",
        &[],
        "  app-key:\n",
        "  session: { type: jwt, filter: mine }\n  app-key:\n",
        "policy.yaml:23:33: providers.session.filter: Istio's filter is called \"envoy.filters.http.jwt_authn\"",
    ),
    (
        "istio",
        &["--key-service", "http://10.0.0.7:8801"],
        "",
        "",
        "policy.yaml:13:12: key_service.cluster: Istio names the cluster of a key service after a host",
    ),
    (
        "istio",
        &["--key-service", "https://keys.example.com"],
        "",
        "",
        "policy.yaml:13:12: key_service.cluster: Istio encrypts calls within the mesh itself",
    ),
    (
        "istio",
        &["--platform-version", "1.26.4"],
        "",
        "",
        "Istio 1.26 cannot have this: failStrategy: FAIL_RELOAD, and variables of a gateway from a \
         Secret need 1.27 or later",
    ),
    (
        "istio-traffic-extension",
        &["--platform-version", "1.29"],
        "",
        "",
        "Istio 1.29 cannot have this: the resource TrafficExtension need",
    ),
    (
        "envoy-gateway",
        &["--platform-version", "1.8"],
        "",
        "",
        "Envoy Gateway 1.8 cannot have this: the names that the patches use need 1.9 or later",
    ),
];

#[test]
fn what_a_platform_cannot_have_is_refused_with_its_place() {
    let dir = folder();
    for (platform, options, part, instead, expected) in CASES {
        let policy = YAML.replacen(part, instead, 1);
        assert!(part.is_empty() || policy != YAML, "{part}");
        fs::write(dir.path().join("policy.yaml"), policy).unwrap();
        let args = ["render", "--for", platform, "policy.yaml", "-o", "out"];
        let [out, told] = printed(dir.path(), &[&args, options].concat(), 1);
        assert_eq!(out, "");
        assert!(told.starts_with(&format!("keygate: {expected}")), "{told}");
        assert!(
            told.lines().count() == 1 && !dir.path().join("out").exists(),
            "{told}"
        );
        // Envoy itself can have it, unless the option is one of the platform.
        if options.is_empty() {
            printed(dir.path(), &["render", "--for", "envoy", "policy.yaml"], 0);
        }
    }
}

#[test]
fn a_cluster_of_the_key_service_cannot_be_that_of_the_upstream() {
    let dir = folder();
    let policy = YAML.replace("poll_cluster: keygate_polls", "poll_cluster: upstream");
    fs::write(dir.path().join("policy.yaml"), policy).unwrap();
    let args = ["render", "--for", "envoy", "policy.yaml"];
    let [_, told] = printed(dir.path(), &args, 1);
    assert!(
        told.contains("policy.yaml:14:17: key_service.poll_cluster: Envoy's cluster"),
        "{told}"
    );
    let [out, _] = printed(dir.path(), &[&args[..], &["--parts"]].concat(), 0);
    assert!(out.contains("- name: upstream\n"), "{out}");
}

#[test]
fn a_resource_that_kubernetes_would_not_store_is_refused_at_its_longest_text() {
    let dir = folder();
    fs::write(dir.path().join("a.html"), "<p>page</p>\n".repeat(20_000)).unwrap();
    let pages = |count: usize| {
        let page = |number| format!("\n  p{number}: {{ html: \"@a.html\" }}");
        let pages: String = (0..count).map(page).collect();
        let policy = YAML.replace("responses:", &format!("responses:{pages}"));
        // A response that no rule uses is fine; one of them is longer.
        fs::write(dir.path().join("policy.yaml"), policy).unwrap();
    };
    let args = |platform| ["render", "--for", platform, "policy.yaml"];
    pages(2);
    for platform in &PLATFORMS[1..] {
        let [_, told] = printed(dir.path(), &args(platform), 0);
        assert!(
            told.contains("needs `kubectl apply --server-side`"),
            "{told}"
        );
    }
    pages(5);
    for platform in &PLATFORMS[1..] {
        let [out, told] = printed(dir.path(), &args(platform), 1);
        assert_eq!(out, "");
        assert!(
            told.contains("policy.yaml:44:15: responses.p0.html: "),
            "{told}"
        );
        assert!(told.contains("Kubernetes stores at most 1048576"), "{told}");
    }
    printed(dir.path(), &args("envoy"), 0);
}

#[test]
fn a_policy_that_check_rejects_is_not_rendered() {
    let dir = folder();
    fs::write(
        dir.path().join("policy.yaml"),
        YAML.replace("lease: 60s", "lease: 1s"),
    )
    .unwrap();
    for platform in PLATFORMS {
        let args = ["render", "--for", platform, "policy.yaml", "-o", "out"];
        let [out, told] = printed(dir.path(), &args, 1);
        assert_eq!(out, "");
        let expected =
            "keygate: Envoy would reject this policy:\npolicy.yaml:19:10: key_service.lease: ";
        assert!(told.starts_with(expected), "{told}");
        assert!(!dir.path().join("out").exists());
    }
}

#[test]
fn a_wrong_option_is_named_with_what_it_must_be() {
    let dir = folder();
    for (platform, options, expected) in [
        (
            "envoy",
            &["--image", "a@sha256:0"][..],
            "must name the image by digest",
        ),
        (
            "envoy",
            &["--namespace", "a"],
            "--namespace is not an option for this platform",
        ),
        (
            "istio",
            &["--upstream", "a:1"],
            "--upstream is not an option for this platform",
        ),
        (
            "istio",
            &["--gateway", "a"],
            "--gateway is not an option for this platform",
        ),
        (
            "envoy-gateway",
            &["--selector", "a=b"],
            "--selector is not an option for this platform",
        ),
        ("envoy", &["--upstream", "a"], "must be HOST:PORT"),
        ("envoy", &["--listen", "localhost:1"], "must be IP:PORT"),
        (
            "envoy",
            &["--key-service", "keys:1"],
            "must be http://HOST:PORT",
        ),
        (
            "envoy",
            &["--parts", "--listen", "127.0.0.1:1"],
            "cannot be used with",
        ),
        ("envoy", &["--force"], "--output"),
        ("istio", &["--namespace", "A"], "lower-case letters"),
        (
            "nginx",
            &[],
            "possible values: envoy, istio, istio-traffic-extension, envoy-gateway",
        ),
    ] {
        let args = ["render", "--for", platform, "policy.yaml"];
        let [out, told] = printed(dir.path(), &[&args, options].concat(), 2);
        assert!(
            out.is_empty() && told.contains(expected),
            "{options:?}: {told}"
        );
    }
    let [_, told] = printed(dir.path(), &["render", "--for", "envoy", "none.yaml"], 2);
    assert!(told.contains("cannot read none.yaml"), "{told}");
}
