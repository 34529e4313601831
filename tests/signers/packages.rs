//! The packages of `signers/`: each is built, installed into an empty folder without a network, and
//! signs there as its page says.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keygate_tests::{repository, tools};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::examples::{
    Example, GO, JAVASCRIPT, PHP, PYTHON, assert_command_verifies, assert_two_links_verify,
    command, run,
};
use crate::known_answers::{cloudflare, keygate};
use crate::vectors;

/// A copy of a folder of `signers/`, and an empty folder to install it into.
struct Place {
    directory: TempDir,
    source: PathBuf,
    target: PathBuf,
}

impl Place {
    fn new(folder: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("source");
        let target = directory.path().join("target");
        fs::create_dir(&target).unwrap();
        // Only what the repository has: nothing that an earlier build left.
        let mut list = command(&["git", "ls-files", "--cached", "--others"]);
        list.args(["--exclude-standard", "."]);
        let folder = repository().join("signers").join(folder);
        for file in run(list, &folder).lines() {
            let copy = source.join(file);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(folder.join(file), copy).unwrap();
        }
        Self {
            directory,
            source,
            target,
        }
    }

    /// A command whose caches and settings are in the directory of this place.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = command(words);
        command.env("HOME", self.directory.path());
        command.env("COMPOSER_ALLOW_SUPERUSER", "1");
        command
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.target.join(name), text).unwrap();
    }

    /// The example of the page, the command of the page, and a known answer of each format by the
    /// installed command.
    #[track_caller]
    fn assert_signs(&self, example: &Example, interpreter: &[&str], installed: &Path) {
        let mut program = self.command(interpreter);
        program.arg(example.write(&self.target));
        assert_two_links_verify(&run(program, &self.target));

        let path = std::env::var("PATH").unwrap();
        let folder = installed.parent().unwrap().display();
        let path = OsString::from(format!("{folder}:{path}"));
        assert_command_verifies(example.page, &self.target, &[("PATH", path)]);

        for answer in [&known_answers()[0], known_answers().last().unwrap()] {
            let input = self.target.join("link.json");
            fs::write(&input, answer["link"].to_string()).unwrap();
            let mut sign = Command::new(installed);
            sign.arg(answer["format"].as_str().unwrap());
            sign.stdin(fs::File::open(input).unwrap());
            let signed = run(sign, &self.target);
            assert_eq!(signed.trim_end(), answer["signed"], "{}", answer["id"]);
        }
    }
}

#[test]
fn the_python_package_installs_and_signs_with_types() {
    let Some(programs) = tools::optional("packages", "the package for Python") else {
        return;
    };
    let place = Place::new("python");
    let python = programs.join("python").display().to_string();
    let build = [&python, "-m", "build", "--no-isolation", "--outdir", "."];
    let mut build = place.command(&build);
    build.arg(&place.source);
    run(build, &place.target);
    let built = |end: &str| {
        let files = fs::read_dir(&place.target).unwrap();
        let mut names = files.map(|it| it.unwrap().file_name().into_string().unwrap());
        names.find(|it| it.ends_with(end)).unwrap()
    };

    run(
        place.command(&["python3", "-m", "venv", "--without-pip", "venv"]),
        &place.target,
    );
    let venv = place.target.join("venv/bin/python").display().to_string();
    let pip = [&python, "-m", "pip", "--python", &venv, "install", "-q"];
    let mut install = place.command(&pip);
    install.args(["--no-index", "--disable-pip-version-check", &built(".whl")]);
    run(install, &place.target);
    let program = place.target.join("venv/bin/keygate-sign");
    place.assert_signs(&PYTHON, &[&venv], &program);

    // The known answers are in the source distribution.
    run(
        place.command(&["tar", "xzf", &built(".tar.gz")]),
        &place.target,
    );
    let tests = place
        .target
        .join(built(".tar.gz").replace(".tar.gz", "/tests"));
    run(
        place.command(&[&venv, "-m", "unittest", "discover"]),
        &tests,
    );

    let mypy = programs.join("mypy").display().to_string();
    let check = |file: &str, lines: &str| {
        place.write(file, &format!("from keygate_sign import sign\n{lines}\n"));
        let check = [&mypy, "--strict", "--python-executable", &venv, file];
        place
            .command(&check)
            .current_dir(&place.target)
            .output()
            .unwrap()
    };
    let right = check(
        "right.py",
        "url: str = sign('https://h/a', 'k1', b's', 1.5, globs=['/a'])",
    );
    assert!(right.status.success(), "{right:?}");
    let wrong = check("wrong.py", "sign('https://h/a', 'k1', b's', 1, globs='/a')");
    let message = String::from_utf8_lossy(&wrong.stdout).into_owned();
    assert!(message.contains("incompatible type \"str\""), "{message}");
}

#[test]
fn the_npm_package_installs_and_signs() {
    let place = Place::new("node");
    place.write("package.json", r#"{ "private": true, "type": "module" }"#);
    if is_there("npm", "npm pack and npm install") {
        let mut pack = place.command(&["npm", "pack", "--silent", "--pack-destination"]);
        pack.arg(&place.target);
        let package = run(pack, &place.source);
        let install = [
            "npm",
            "install",
            "--offline",
            "--no-audit",
            "--no-fund",
            package.trim(),
        ];
        run(place.command(&install), &place.target);
        let program = place.target.join("node_modules/.bin/keygate-sign");
        place.assert_signs(&JAVASCRIPT, &["node"], &program);
    } else {
        let modules = place.target.join("node_modules");
        fs::create_dir(&modules).unwrap();
        fs::rename(&place.source, modules.join("keygate-sign")).unwrap();
        let mut program = place.command(&["node"]);
        program.arg(JAVASCRIPT.write(&place.target));
        assert_two_links_verify(&run(program, &place.target));
    }
}

#[test]
fn typescript_accepts_the_fields_of_a_link_and_no_others() {
    if !is_there("tsc", "the types for TypeScript") {
        return;
    }
    let place = Place::new("node");
    place.write("package.json", r#"{ "private": true, "type": "module" }"#);
    let modules = place.target.join("node_modules");
    fs::create_dir(&modules).unwrap();
    fs::rename(&place.source, modules.join("keygate-sign")).unwrap();
    let wrong = [
        (
            "await sign('/a', { keyId: 'k1', secret: 's' });",
            "'expires' is missing",
        ),
        (
            "await sign('/a', { keyId: 'k1', expires: 1 });",
            "'privateKey' is missing",
        ),
        (
            "await signCloudflare('/a', { secret: 's', stamp: 1, carrier: 'path' });",
            "'\"path\"' is not assignable",
        ),
        (
            "await signCloudflare('/a', { secret: 's', stamps: 1 });",
            "'stamps' does not exist",
        ),
    ];
    let right = "const url: string = await sign('https://h/a', { keyId: 'k1', secret: 's',\n\
                 expires: 1, headers: [['x-a', '1']], carrier: 'path' });\n\
                 await sign('/a', { keyId: 'k1', privateKey: 'pem', expires: 1, anyHost: true });\n\
                 await signCloudflare('/a', { secret: new Uint8Array(3), stamp: 1 });";
    let mut check = place.command(&["tsc", "--noEmit", "--strict", "--target", "es2022"]);
    check.args(["--module", "nodenext"]);
    for (number, lines) in [right].into_iter().chain(wrong.map(|it| it.0)).enumerate() {
        let file = format!("use{number}.mts");
        let import = "import { sign, signCloudflare } from \"keygate-sign\";";
        place.write(&file, &format!("{import}\n{lines}\n"));
        check.arg(file);
    }
    let output = check.current_dir(&place.target).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(!printed.contains("use0.mts"), "{printed}");
    for (number, (lines, message)) in wrong.into_iter().enumerate() {
        let file = format!("use{}.mts(", number + 1);
        let error = printed.lines().find(|line| line.starts_with(&file));
        let error = error.unwrap_or_else(|| panic!("{lines}: accepted: {printed}"));
        assert!(printed.contains(message), "{lines}: {error}");
    }
}

#[test]
fn the_composer_package_installs_and_signs() {
    if !is_there("composer", "the package for PHP") {
        return;
    }
    let place = Place::new("php");
    let project = json!({
        "repositories": [
            { "type": "path", "url": place.source, "options": { "symlink": false } },
            { "packagist.org": false }
        ],
        "require": { "keygate/sign": env!("CARGO_PKG_VERSION") }
    });
    place.write("composer.json", &project.to_string());
    let install = ["composer", "install", "--no-interaction", "--no-progress"];
    run(place.command(&install), &place.target);
    let program = place.target.join("vendor/bin/keygate-sign");
    place.assert_signs(&PHP, &["php"], &program);
}

#[test]
fn the_go_module_builds_offline_and_signs() {
    let place = Place::new("go");
    let module = "example.com/keygate/signers/go";
    place.write(
        "go.mod",
        &format!(
            "module example.com/application\ngo 1.18\nrequire {module} v{version}\n\
             replace {module} => {source}\n",
            version = env!("CARGO_PKG_VERSION"),
            source = place.source.display()
        ),
    );
    // Not a command of the place: Go keeps what it has compiled under HOME.
    let go = |words: &[&str], folder: &Path| {
        let mut go = command(words);
        run(
            {
                go.env("GOPROXY", "off").env("GOFLAGS", "-mod=mod");
                go
            },
            folder,
        )
    };
    go(&["go", "vet", "./..."], &place.source);
    go(&["go", "test", "./..."], &place.source);
    go(
        &[
            "go",
            "build",
            "-o",
            "keygate-sign",
            &format!("{module}/cmd/keygate-sign"),
        ],
        &place.target,
    );
    GO.write(&place.target);
    go(&["go", "build", "-o", "link", "link.go"], &place.target);
    let program = place.target.join("keygate-sign");
    place.assert_signs(&GO, &["sh", "-c", "./link"], &program);
}

#[test]
fn every_package_has_the_version_of_the_workspace_and_its_licence() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let python = read("signers/python/pyproject.toml");
    assert!(
        python.contains(&format!("\nversion = \"{version}\"\n")),
        "signers/python/pyproject.toml has not the version {version} of Cargo.toml"
    );
    for file in ["signers/node/package.json", "signers/php/composer.json"] {
        let package: Value = serde_json::from_str(&read(file)).unwrap();
        assert_eq!(
            package["version"], version,
            "{file}: not that of Cargo.toml"
        );
    }
    for folder in ["python", "node", "php", "go"] {
        let file = format!("signers/{folder}/LICENSE");
        assert!(
            read(&file) == read("LICENSE"),
            "{file} is not a copy of LICENSE"
        );
    }
}

/// The packages for Python and Go have the known answers, for their own tests.
#[test]
fn the_known_answers_of_the_packages_are_those_of_the_vectors() {
    let rows: Vec<String> = known_answers().iter().map(Value::to_string).collect();
    let text = format!("[\n{}\n]\n", rows.join(",\n"));
    for file in [
        "python/tests/known-answers.json",
        "go/testdata/known-answers.json",
    ] {
        let file = repository().join("signers").join(file);
        if std::env::var_os("KEYGATE_RENEW").is_some() {
            fs::write(&file, &text).unwrap();
        }
        assert!(
            fs::read_to_string(&file).unwrap_or_default() == text,
            "{} is out of date: KEYGATE_RENEW=1 cargo test -p keygate-tests --test signers packages::",
            file.display()
        );
    }
}

/// Every vector as a link of the command lines, those of `cloudflare` last.
fn known_answers() -> Vec<Value> {
    let native = vectors("keygate-links.json", "keygate").into_iter();
    let native = native.map(|vector| {
        let (mut link, signed) = keygate(&vector);
        link["carrier"] = json!("token");
        json!({ "id": vector["id"], "format": "keygate", "link": link, "signed": signed })
    });
    let others = vectors("signed-urls.json", "cloudflare").into_iter();
    let others = others.map(|vector| {
        let (link, signed) = cloudflare(&vector);
        json!({ "id": vector["id"], "format": "cloudflare", "link": link, "signed": signed })
    });
    native.chain(others).collect()
}

/// Whether a program is on the PATH; says so if it is not, and fails in CI.
fn is_there(program: &str, untested: &str) -> bool {
    if Command::new(program).arg("--version").output().is_ok() {
        return true;
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{program} is missing: run scripts/packages"
    );
    eprintln!(
        "!!! SKIPPED: {program} is missing, so {untested} is not tested: run scripts/packages"
    );
    false
}
