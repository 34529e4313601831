//! `keygate render`: the resources of a platform, made from one policy.
//!
//! The templates are the files of `envoy/`, which tests load in a real Envoy. A platform is a
//! variant of [`Platform`] and its module. What a platform cannot have is refused, never left out.

mod cluster;
mod envoy;
mod gateway;
mod istio;
mod kubernetes;
mod options;
mod policy;
mod service;
mod template;
mod write;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::error::CliError;
use crate::output;
use options::{image, label, name, version};
use policy::Written;
use service::{Host, Service};

const EXAMPLES: &str = "\
Examples:
  keygate render --for envoy policy.yaml --upstream 127.0.0.1:3000 > envoy.yaml
  keygate render --for envoy policy.yaml --parts        for an Envoy that you have
  keygate render --for istio policy.yaml --image registry.example.com/keygate@sha256:… -o istio/
  keygate render --for envoy-gateway policy.yaml --listener http --listener https | kubectl apply -f -

The policy is a file of its own, as for check. Without --output, the resources are printed, and
values for Helm charts are left out. Lines marked CHANGE are examples: look at each.
Exit code 0 if everything was made, 1 if the policy is not valid or the platform cannot have it, 2
if an option is wrong or a file cannot be read or written.";

/// Make the configuration of Envoy, Istio or Envoy Gateway from a policy.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Policy file, or "-" for standard input
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
    /// What to make it for
    #[arg(long = "for", value_name = "PLATFORM", value_enum)]
    platform: Platform,
    /// Folder for the files, instead of standard output
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Replace files that are in the folder already
    #[arg(long, requires = "output")]
    force: bool,
    /// Key service, instead of the one in the examples: http://HOST:PORT, or https:// for Envoy
    /// and Envoy Gateway
    #[arg(long, value_name = "URL", value_parser = Service::parse)]
    key_service: Option<Service>,

    /// Where Envoy listens [default: 127.0.0.1:10000]
    #[arg(long, value_name = "IP:PORT", value_parser = Host::parse_listener, help_heading = "For envoy")]
    listen: Option<Host>,
    /// What is protected [default: 127.0.0.1:8802]
    #[arg(long, value_name = "HOST:PORT", value_parser = Host::parse, help_heading = "For envoy")]
    upstream: Option<Host>,
    /// File with the module, as Envoy sees it [default: target/keygate.wasm]
    #[arg(long, value_name = "FILE", help_heading = "For envoy")]
    module: Option<PathBuf>,
    /// Only the filter and the clusters of the key service, to put into a configuration of yours
    #[arg(long, conflicts_with_all = ["listen", "upstream"], help_heading = "For envoy")]
    parts: bool,

    /// Image of the module, by digest: NAME@sha256:DIGEST
    #[arg(long, value_name = "IMAGE", value_parser = image, help_heading = "For Istio and Envoy Gateway")]
    image: Option<String>,
    /// Namespace of the gateway [default: istio-ingress, edge]
    #[arg(long, value_name = "NAME", value_parser = name, help_heading = "For Istio and Envoy Gateway")]
    namespace: Option<String>,
    /// Name of the resources [default: keygate]
    #[arg(long, value_name = "NAME", value_parser = name, help_heading = "For Istio and Envoy Gateway")]
    name: Option<String>,
    /// Secret with the variables that the policy names [default: keygate-edge]
    #[arg(long, value_name = "NAME", value_parser = name, help_heading = "For Istio and Envoy Gateway")]
    secret: Option<String>,
    /// Version of the platform, to refuse what it cannot have
    #[arg(long, value_name = "VERSION", value_parser = version, help_heading = "For Istio and Envoy Gateway")]
    platform_version: Option<Version>,

    /// Label of the gateway's pods [default: istio=ingressgateway]
    #[arg(long, value_name = "LABEL=VALUE", value_parser = label, help_heading = "For Istio")]
    selector: Option<(String, String)>,
    /// Service account of the gateway [default: istio-ingressgateway]
    #[arg(long, value_name = "NAME", value_parser = name, help_heading = "For Istio")]
    service_account: Option<String>,
    /// Port of the key service for polls [default: one above that of --key-service]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), help_heading = "For Istio")]
    poll_port: Option<u16>,

    /// Name of the Gateway [default: public]
    #[arg(long, value_name = "NAME", value_parser = name, help_heading = "For Envoy Gateway")]
    gateway: Option<String>,
    /// Name of a listener of the Gateway; repeatable: name each one [default: https]
    #[arg(long, value_name = "NAME", value_parser = name, help_heading = "For Envoy Gateway")]
    listener: Vec<String>,
}

/// What a configuration is made for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Platform {
    /// Envoy's own configuration, whole or in parts
    Envoy,
    /// Istio 1.27 or later: WasmPlugin
    Istio,
    /// Istio 1.30 or later: TrafficExtension
    IstioTrafficExtension,
    /// Envoy Gateway 1.9 or later
    EnvoyGateway,
}

/// A version of a platform: the first two numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

/// A file that is made.
struct File {
    name: &'static str,
    text: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A configuration of Envoy.
    Envoy,
    /// A resource of Kubernetes.
    Resource,
    /// Values of a Helm chart, which kubectl cannot apply.
    Values,
}

impl Args {
    /// Refuses a version of the platform that lacks something.
    fn needs(&self, platform: &str, least: Version, what: &str) -> Result<(), CliError> {
        match self.platform_version {
            Some(given) if given < least => Err(CliError::No(format!(
                "{platform} {}.{} cannot have this: {what} need {}.{} or later",
                given.0, given.1, least.0, least.1
            ))),
            _ => Ok(()),
        }
    }
}

/// The first lines of a file.
fn comment(platform: Platform) -> String {
    let platform = platform.to_possible_value();
    let platform = platform.as_ref().map_or("", |it| it.get_name());
    format!(
        "# Made by `keygate render --for {platform}`. To change it, change the policy and render again.\n\
         # Look at lines marked {}, and keep what is marked SECURITY.\n",
        template::CHANGE
    )
}

/// Prints the resources, or writes the files.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    options::check(args)?;
    let policy = Written::read(&args.policy)?;
    let files = match args.platform {
        Platform::Envoy => envoy::render(args, &policy)?,
        Platform::Istio | Platform::IstioTrafficExtension => istio::render(args, &policy)?,
        Platform::EnvoyGateway => gateway::render(args, &policy)?,
    };
    let mut notes = session_notes(args.platform, &policy);
    if args.parts {
        notes.extend(envoy::notes(&policy));
    }
    if args.platform != Platform::Envoy {
        kubernetes::refuse_size(&policy)?;
        notes.extend(kubernetes::notes(args, &policy, &files));
    }
    match &args.output {
        Some(folder) => {
            write::all(folder, &files, args.force)?;
            notes.extend(write::changes(&files));
        }
        None => {
            let printed = files.iter().filter(|file| file.kind != Kind::Values);
            let texts: Vec<&str> = printed.map(|file| file.text.trim_end()).collect();
            output::line(&texts.join("\n---\n"))?;
            let count = write::changes(&files).len();
            notes.extend((count > 0).then(|| format!("{count} lines are marked CHANGE")));
        }
    }
    for note in notes {
        eprintln!("note: {note}");
    }
    Ok(ExitCode::SUCCESS)
}

/// What the policy cannot say of sessions: who issues the tokens.
fn session_notes(platform: Platform, policy: &Written) -> Vec<String> {
    let how = match platform {
        Platform::Envoy => "add the filter jwt_authn in front of Keygate (docs/sessions.md)",
        Platform::Istio | Platform::IstioTrafficExtension => {
            "apply a RequestAuthentication (envoy/istio/sessions.yaml)"
        }
        Platform::EnvoyGateway => {
            "apply a SecurityPolicy with `jwt`, and set metadata_key to the issuer of the tokens"
        }
    };
    let sessions = policy.sessions().into_iter();
    let note = |(name, _)| {
        format!("the provider {name} needs a login, which the policy does not name: {how}")
    };
    sessions.map(note).collect()
}
