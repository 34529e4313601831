//! The lines of docs/signing.md, each run by its interpreter: they sign what `keygate sign`
//! signs, and `keygate verify` accepts it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::SystemTime;

use keygate_tests::{repository, service};

const SECRET: &str = "a secret for the lines of the page, long enough";

/// A language of the page: its fence, the files that it becomes with `SNIPPET` in place of
/// its lines, the command that runs them, and the Debian package of that command.
struct Language {
    fence: &'static str,
    files: &'static [(&'static str, &'static str)],
    command: &'static [&'static str],
    package: &'static str,
}

const LANGUAGES: [Language; 7] = [
    Language {
        fence: "php",
        files: &[(
            "link.php",
            "<?php\nSNIPPET\n[, $h, $p, $q, $e] = $argv;\necho sign_link($h, $p, $q, (int) $e);",
        )],
        command: &["php", "link.php"],
        package: "php-cli",
    },
    Language {
        fence: "python",
        files: &[(
            "link.py",
            "SNIPPET\nimport sys\nh, p, q, e = sys.argv[1:]\nprint(sign_link(h, p, q, int(e)))",
        )],
        command: &["python3", "link.py"],
        package: "python3",
    },
    Language {
        fence: "js",
        files: &[(
            "link.mjs",
            "SNIPPET\nconst [h, p, q, e] = process.argv.slice(2);\nconsole.log(signLink(h, p, q, Number(e)));",
        )],
        command: &["node", "link.mjs"],
        package: "nodejs",
    },
    Language {
        fence: "go",
        files: &[
            ("link.go", "SNIPPET"),
            (
                "main.go",
                "package main\nimport (\"fmt\"; \"os\"; \"strconv\")\nfunc main() {\n\
                 e, _ := strconv.ParseInt(os.Args[4], 10, 64)\n\
                 fmt.Println(signLink(os.Args[1], os.Args[2], os.Args[3], e))\n}",
            ),
        ],
        command: &["go", "run", "link.go", "main.go"],
        package: "golang-go",
    },
    Language {
        fence: "ruby",
        files: &[(
            "link.rb",
            "SNIPPET\nh, p, q, e = ARGV\nputs sign_link(h, p, q, Integer(e))",
        )],
        command: &["ruby", "link.rb"],
        package: "ruby",
    },
    Language {
        fence: "java",
        files: &[
            ("Links.java", "SNIPPET"),
            (
                "Main.java",
                "class Main { public static void main(String[] a) throws Exception {\n\
             System.out.println(Links.sign(a[0], a[1], a[2], Long.parseLong(a[3]))); } }",
            ),
        ],
        command: &["sh", "-c", "javac *.java && java -cp . Main \"$@\"", "java"],
        package: "default-jdk-headless",
    },
    Language {
        fence: "sh",
        files: &[("link.sh", "SNIPPET\nsign_link \"$@\"")],
        command: &["bash", "-eu", "link.sh"],
        package: "openssl",
    },
];

#[test]
fn php_lines_sign_what_keygate_signs() {
    signs_what_keygate_signs("php");
}

#[test]
fn python_lines_sign_what_keygate_signs() {
    signs_what_keygate_signs("python");
}

#[test]
fn javascript_lines_sign_what_keygate_signs() {
    signs_what_keygate_signs("js");
}

#[test]
fn go_lines_sign_what_keygate_signs() {
    signs_what_keygate_signs("go");
}

#[test]
fn ruby_lines_sign_what_keygate_signs() {
    signs_what_keygate_signs("ruby");
}

/// A JDK is large, so only machines that test every change must have one.
#[test]
fn java_lines_sign_what_keygate_signs() {
    if Command::new("javac").arg("-version").output().is_err() {
        assert!(
            std::env::var_os("CI").is_none(),
            "javac is missing: sudo apt-get install default-jdk-headless"
        );
        eprintln!("!!! SKIPPED: javac is missing, so the lines for Java are not tested");
        return;
    }
    signs_what_keygate_signs("java");
}

#[test]
fn shell_lines_sign_what_keygate_signs() {
    signs_what_keygate_signs("sh");
}

#[test]
fn every_block_of_the_page_is_run() {
    let fences = page();
    let fences = fences.lines().filter_map(|line| line.strip_prefix("```"));
    let fences: Vec<&str> = fences.filter(|fence| !fence.is_empty()).collect();
    assert_eq!(fences, LANGUAGES.map(|language| language.fence));
}

fn signs_what_keygate_signs(fence: &str) {
    let language = LANGUAGES.iter().find(|it| it.fence == fence).unwrap();
    let page = page();
    let (_, rest) = page.split_once(&format!("```{fence}\n")).unwrap();
    let (snippet, _) = rest.split_once("```\n").unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in language.files {
        fs::write(dir.path().join(name), text.replace("SNIPPET", snippet)).unwrap();
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let expires = since.unwrap().as_secs() + 600;
    for (path, query) in [
        ("/video/cat.mp4", ""),
        ("/video/caf%C3%A9%20au%20lait.mp4", "q=hd&name=%C3%A9"),
    ] {
        let mut command = Command::new(language.command[0]);
        command.args(&language.command[1..]);
        command.args(["media.example.com", path, query, &expires.to_string()]);
        let signed = printed(command, dir.path(), language.package);

        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("https://media.example.com{path}{mark}{query}");
        let mut command = Command::new(service::keygate());
        command.args(["sign", &url, "--key-id", "2026-11", "--expires-at"]);
        command.arg(expires.to_string());
        assert_eq!(signed, printed(command, dir.path(), ""), "{fence}");

        let mut command = Command::new(service::keygate());
        command.args(["verify", &signed, "--key-id", "2026-11"]);
        let told = printed(command, dir.path(), "");
        assert!(told.starts_with("valid, until "), "{fence}: {told}");
    }
}

fn page() -> String {
    fs::read_to_string(repository().join("docs/signing.md")).unwrap()
}

fn printed(mut command: Command, dir: &Path, package: &str) -> String {
    let program = command.get_program().to_owned();
    // Go keeps what it has compiled.
    let command = command.current_dir(dir).env("KEYGATE_MEDIA", SECRET);
    let output: Output = command.output().unwrap_or_else(|error| {
        panic!("{program:?}: {error}: run scripts/interpreters, or apt-get install {package}")
    });
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program:?}: {told}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
