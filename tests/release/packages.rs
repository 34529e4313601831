//! The Debian package: installed, upgraded and purged.

use crate::container::Container;
use crate::{VERSION, release, skip};

/// Every file of the container that a package may leave behind.
const FILES: &str = "find / -xdev \\( -path /proc -o -path /sys -o -path /tmp -o -path /var/lib/dpkg \
    -o -path /var/log -o -path /var/cache \\) -prune -o -print | sort";

/// Secrets as docs/operations.md writes them, without openssl.
const SECRETS: &str = "umask 077; for name in APP_KEYS ADMIN_TOKEN EDGE_TOKEN; do \
    echo \"KEYGATE_$name=$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \\n')\"; done > /etc/keygate/secrets.env";

/// The service as the unit starts it: a file with variables, and the settings. Until it works.
const SERVE: &str = "mkdir -p /var/lib/keygate; set -a; . /etc/keygate/secrets.env; set +a; \
    keygate serve --config /etc/keygate/keygate.toml >/tmp/serve.log 2>&1 & \
    for _ in $(seq 100); do if keygate ready 2>/tmp/ready; then break; fi; sleep 0.1; done; \
    keygate ready || { cat /tmp/serve.log; exit 1; }";

#[test]
fn the_package_leaves_nothing_behind_when_it_is_purged() {
    let Some(release) = release() else { return };
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    let name = format!("keygate_{VERSION}_{architecture}.deb");
    if !release.join(&name).is_file() {
        return skip(&format!("{name} was not built"));
    }
    let Some(container) = Container::start("0:0") else {
        return;
    };
    container.copy(&release.join(&name));
    let before = container.run(FILES);

    let _ = container.run(&format!("dpkg -i {name}"));
    let version = container.run("keygate --version");
    assert_eq!(version, format!("keygate {VERSION}\n"));
    for file in [
        "/usr/share/man/man1/keygate-serve.1.gz",
        "/usr/share/bash-completion/completions/keygate",
        "/usr/lib/systemd/system/keygate.service",
        "/usr/lib/keygate/keygate.wasm",
        "/usr/share/doc/keygate/THIRD-PARTY-LICENSES.gz",
        "/usr/share/doc/keygate/examples/envoy.yaml",
    ] {
        let _ = container.run(&format!("test -f {file}"));
    }
    // Every file is as the package has it, and belongs to root.
    assert_eq!(container.run("dpkg --verify keygate"), "");
    assert_eq!(
        container.run("find $(dpkg -L keygate) -maxdepth 0 -not -user root"),
        ""
    );

    let _ = container.run(SECRETS);
    let mode = container.run("stat -c %a /etc/keygate/secrets.env");
    assert_eq!(mode, "600\n");
    let key = container.run(&format!(
        "{SERVE}; keygate keys create --account alice; kill %1; wait %1"
    ));
    assert!(key.starts_with("kg_"), "{key}");

    // A newer package, over settings that were changed.
    let _ = container.run(&format!(
        "echo '# ours' >>/etc/keygate/keygate.toml; dpkg-deb -R {name} newer; \
         sed -i 's/^Version: .*/Version: {VERSION}+1/' newer/DEBIAN/control; \
         dpkg-deb -Znone -b newer newer.deb; dpkg -i newer.deb </dev/null"
    ));
    let status = container.run("dpkg-query -W -f '${Status} ${Version}' keygate");
    assert_eq!(status, format!("install ok installed {VERSION}+1"));
    let settings = container.run("tail -n 1 /etc/keygate/keygate.toml");
    assert_eq!(settings, "# ours\n");
    let keys = container.run(&format!("{SERVE}; keygate keys list; kill %1; wait %1"));
    assert!(keys.contains("alice"), "{keys}");

    // Removed, it can be installed again; purged, it is gone.
    let _ = container.run("dpkg -r keygate; ! command -v keygate");
    let _ = container.run("test -f /etc/keygate/secrets.env; test -f /var/lib/keygate/keygate.db");
    let _ = container.run("dpkg -P keygate");
    let after = container.run(FILES);
    let left: Vec<&str> = after
        .lines()
        .filter(|file| !before.lines().any(|it| it == *file))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(after.lines().count(), before.lines().count());
}
