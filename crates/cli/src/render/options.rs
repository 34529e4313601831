//! The options of `keygate render`: their forms, and which platform takes which.

use super::{Args, Platform, Version};
use crate::error::CliError;

const ISTIO: &[Platform] = &[Platform::Istio, Platform::IstioTrafficExtension];
const KUBERNETES: &[Platform] = &[
    Platform::Istio,
    Platform::IstioTrafficExtension,
    Platform::EnvoyGateway,
];

/// An option that not every platform takes.
type Row = (&'static str, fn(&Args) -> bool, &'static [Platform]);

const ROWS: [Row; 14] = [
    ("--listen", |it| it.listen.is_some(), &[Platform::Envoy]),
    ("--upstream", |it| it.upstream.is_some(), &[Platform::Envoy]),
    ("--module", |it| it.module.is_some(), &[Platform::Envoy]),
    ("--parts", |it| it.parts, &[Platform::Envoy]),
    ("--image", |it| it.image.is_some(), KUBERNETES),
    ("--namespace", |it| it.namespace.is_some(), KUBERNETES),
    ("--name", |it| it.name.is_some(), KUBERNETES),
    ("--secret", |it| it.secret.is_some(), KUBERNETES),
    (
        "--platform-version",
        |it| it.platform_version.is_some(),
        KUBERNETES,
    ),
    ("--selector", |it| it.selector.is_some(), ISTIO),
    (
        "--service-account",
        |it| it.service_account.is_some(),
        ISTIO,
    ),
    ("--poll-port", |it| it.poll_port.is_some(), ISTIO),
    (
        "--gateway",
        |it| it.gateway.is_some(),
        &[Platform::EnvoyGateway],
    ),
    (
        "--listener",
        |it| !it.listener.is_empty(),
        &[Platform::EnvoyGateway],
    ),
];

/// Refuses an option that this platform would ignore.
pub fn check(args: &Args) -> Result<(), CliError> {
    let ignored = |row: &&Row| (row.1)(args) && !row.2.contains(&args.platform);
    match ROWS.iter().find(ignored) {
        Some((name, ..)) => Err(CliError::Usage(format!(
            "{name} is not an option for this platform: see `keygate render --help`"
        ))),
        None => Ok(()),
    }
}

/// A name of Kubernetes (RFC 1123).
pub fn name(text: &str) -> Result<String, String> {
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let is_edge = |it: Option<&u8>| it.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let is_name = bytes.len() <= 63 && bytes.iter().all(|byte| fits(*byte));
    match is_name && is_edge(bytes.first()) && is_edge(bytes.last()) {
        true => Ok(text.to_owned()),
        false => Err(
            "must be 1 to 63 lower-case letters, digits, \"-\" and \".\", and begin and \
                      end with a letter or digit"
                .to_owned(),
        ),
    }
}

/// A label and its value.
pub fn label(text: &str) -> Result<(String, String), String> {
    let is_part = |part: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
        !part.is_empty() && part.bytes().all(fits)
    };
    match text.split_once('=') {
        Some((label, value)) if is_part(label) && is_part(value) => {
            Ok((label.to_owned(), value.to_owned()))
        }
        _ => Err("must be LABEL=VALUE, such as istio=ingressgateway".to_owned()),
    }
}

/// An image by digest: what a tag names can change, and with it what decides.
pub fn image(text: &str) -> Result<String, String> {
    let text = text.strip_prefix("oci://").unwrap_or(text);
    let (name, digest) = text.split_once("@sha256:").unwrap_or_default();
    let is_digest = digest.len() == 64 && digest.bytes().all(|it| it.is_ascii_hexdigit());
    let is_name = !name.is_empty() && name.bytes().all(|it| it.is_ascii_graphic());
    match is_digest && is_name {
        true => Ok(text.to_owned()),
        false => {
            Err("must name the image by digest: NAME@sha256: and 64 hexadecimal digits".to_owned())
        }
    }
}

/// The first two numbers of a version.
pub fn version(text: &str) -> Result<Version, String> {
    let mut numbers = text.strip_prefix('v').unwrap_or(text).split('.');
    let mut number = || numbers.next()?.parse().ok();
    match (number(), number()) {
        (Some(major), Some(minor)) => Ok(Version(major, minor)),
        _ => Err("must be a version, such as 1.27 or 1.27.3".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    /// So that no option is ignored by a platform.
    #[test]
    fn every_option_under_the_heading_of_a_platform_has_a_row() {
        #[derive(clap::Parser)]
        struct Command {
            #[command(flatten)]
            _args: Args,
        }
        let command = Command::command();
        let options = command
            .get_arguments()
            .filter(|it| it.get_help_heading().is_some());
        let mut options: Vec<String> = options
            .map(|it| format!("--{}", it.get_long().unwrap()))
            .collect();
        let mut rows = ROWS.map(|row| row.0.to_owned());
        options.sort();
        rows.sort();
        assert_eq!(options, rows);
    }

    #[test]
    fn names_labels_images_and_versions_have_their_form() {
        assert!(name("istio-ingress").is_ok() && name("a.b").is_ok());
        for wrong in ["", "A", "-a", "a-", "a_b", "a/b", &"a".repeat(64)] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
        assert_eq!(label("a/b=c").unwrap(), ("a/b".to_owned(), "c".to_owned()));
        for wrong in ["a", "=a", "a=", "a=b=c", "a=b c"] {
            assert!(label(wrong).is_err(), "{wrong}");
        }
        let digest = "0".repeat(64);
        let expected = format!("r.example/k@sha256:{digest}");
        assert_eq!(image(&format!("oci://{expected}")).unwrap(), expected);
        for wrong in [
            "r.example/k",
            "r.example/k:1",
            "k@sha256:0",
            &format!("@sha256:{digest}"),
        ] {
            assert!(image(wrong).is_err(), "{wrong}");
        }
        assert!(version("v1.27.3") == Ok(Version(1, 27)) && version("1.9") < Ok(Version(1, 27)));
        assert!(version("1").is_err() && version("new").is_err());
    }
}
