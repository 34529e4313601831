//! A real Chromium without a window, driven by chromedriver over the WebDriver
//! protocol (<https://www.w3.org/TR/webdriver2/>): as much of it as the tests need.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Process;
use crate::{client, leaks, tools, wait};

/// How long one command may take; a page is loaded within it.
const PATIENCE: Duration = Duration::from_secs(60);

/// From `KEYGATE_CHROMEDRIVER`, else from `scripts/chromium`.
static CHROMEDRIVER: LazyLock<PathBuf> =
    LazyLock::new(|| tools::required("KEYGATE_CHROMEDRIVER", "chromium"));

/// A browser with a profile of its own; it ends when dropped.
pub struct Browser {
    // The order matters: fields are dropped from the first to the last.
    _process: Process,
    _directory: TempDir,
    port: u16,
    session: String,
}

impl Browser {
    /// Starts it with an empty page.
    ///
    /// # Panics
    /// When there is no chromedriver, or its Chromium does not come up.
    #[must_use]
    pub fn start() -> Self {
        Self::with_preferences(&json!({}))
    }

    /// A browser that stores nothing for any site.
    ///
    /// # Panics
    /// As above.
    #[must_use]
    pub fn without_cookies() -> Self {
        Self::with_preferences(&json!({ "profile.default_content_setting_values.cookies": 2 }))
    }

    fn with_preferences(preferences: &Value) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let start = || {
            let mut command = Command::new(&*CHROMEDRIVER);
            command
                .arg("--port=0")
                .env("TMPDIR", directory.path())
                .env("HOME", directory.path());
            let log = directory.path().join("chromedriver.log");
            Process::start("chromedriver", command, log)
        };
        let mut process = start();
        let port = wait::until("chromedriver's port", wait::STARTUP, || {
            // It chooses a port that is free for IPv6, and ends when it is not for IPv4.
            if process.ended().is_some() && process.log().contains("Address already in use") {
                process = start();
            }
            process.assert_running();
            let log = process.log();
            let (_, rest) = log.split_once("started successfully on port ")?;
            rest.split_once('.')?.0.parse().ok()
        });
        // No sandbox: it needs rights that a container rarely has, and the pages are ours.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--window-size=900,700",
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments, "prefs": preferences }
        } } });
        let session = call(port, "POST", "/session", Some(&wanted));
        let session = session["sessionId"].as_str().expect("a session").to_owned();
        Self {
            _process: process,
            _directory: directory,
            port,
            session,
        }
    }

    /// Opens an address and waits until it is loaded.
    pub fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// The text that a person sees.
    #[must_use]
    pub fn text(&self) -> String {
        let body = json!({ "using": "css selector", "value": "body" });
        let element = self.post("/element", &body);
        let id = element.as_object().and_then(|it| it.values().next());
        let id = id.and_then(Value::as_str).expect("a page has a body");
        let text = self.get(&format!("/element/{id}/text"));
        text.as_str().expect("a text").to_owned()
    }

    /// Waits until a person sees this text; pages come and go meanwhile.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_for_text(&self, text: &str) {
        wait::until(&format!("{text:?} in the browser"), PATIENCE, || {
            // An element of a page that has just gone is an error, and no answer.
            let script = json!({ "script": "return document.body.innerText", "args": [] });
            let seen = self.try_post("/execute/sync", &script).ok()?;
            seen.as_str()?.contains(text).then_some(())
        });
    }

    /// A cookie by its name, also one that scripts cannot see.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<Value> {
        let cookies = self.get("/cookie");
        let mut cookies = cookies.as_array().expect("a list").iter();
        let cookie = cookies.find(|cookie| cookie["name"] == name).cloned()?;
        leaks::credential(
            "cookie",
            cookie["value"].as_str().unwrap_or_default().as_bytes(),
        );
        Some(cookie)
    }

    /// What the browser calls itself.
    #[must_use]
    pub fn user_agent(&self) -> String {
        let script = json!({ "script": "return navigator.userAgent", "args": [] });
        let name = self.post("/execute/sync", &script);
        name.as_str().expect("a text").to_owned()
    }

    /// Calls itself something else from the next page on.
    pub fn set_user_agent(&self, name: &str) {
        self.devtools(
            "Network.setUserAgentOverride",
            &json!({ "userAgent": name }),
        );
    }

    /// Runs no script of any page from the next one on.
    pub fn switch_scripts_off(&self) {
        self.devtools(
            "Emulation.setScriptExecutionDisabled",
            &json!({ "value": true }),
        );
    }

    /// Runs a script in every page from the next one on, before its own.
    pub fn run_first(&self, script: &str) {
        self.devtools(
            "Page.addScriptToEvaluateOnNewDocument",
            &json!({ "source": script }),
        );
    }

    /// Renders every page in the dark scheme, or in the light one, from now on.
    pub fn prefer(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({ "features": [feature] }),
        );
    }

    /// Gives the page the width and height of another screen, in CSS pixels.
    pub fn resize(&self, width: u32, height: u32) {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 600 }),
        );
    }

    /// The value of an expression in the page.
    #[must_use]
    pub fn value_of(&self, expression: &str) -> Value {
        let script = json!({ "script": format!("return {expression}"), "args": [] });
        self.post("/execute/sync", &script)
    }

    /// Runs a script in the page.
    pub fn run(&self, script: &str) {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }));
    }

    /// What a promise of the page resolves to, or its error as a text.
    #[must_use]
    pub fn promised(&self, expression: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; ({expression}).then(done, error => done(String(error)))"
        );
        self.post("/execute/async", &json!({ "script": script, "args": [] }))
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.post("/goog/cdp/execute", &body);
    }

    /// A picture of what a person sees, as PNG.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn screenshot(&self) -> Vec<u8> {
        let picture = self.get("/screenshot");
        let picture = picture.as_str().expect("a picture");
        STANDARD.decode(picture).expect("base64")
    }

    fn get(&self, path: &str) -> Value {
        call(self.port, "GET", &self.path(path), None)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.try_post(path, body)
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn try_post(&self, path: &str, body: &Value) -> Result<Value, Value> {
        try_call(self.port, "POST", &self.path(path), Some(body))
    }

    fn path(&self, path: &str) -> String {
        format!("/session/{}{path}", self.session)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // chromedriver takes its Chromium along only when the session is ended first.
        let end = client::request("DELETE", self.port, self.path(""));
        let _ = end.patience(PATIENCE).try_send();
    }
}

fn call(port: u16, method: &str, path: &str, body: Option<&Value>) -> Value {
    try_call(port, method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

fn try_call(port: u16, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Value> {
    let mut request = client::request(method, port, path).patience(PATIENCE);
    if let Some(body) = body {
        request = request.body(body.to_string());
    }
    let response = request.send();
    let mut answer = response.json();
    let value = answer["value"].take();
    if response.status == 200 {
        Ok(value)
    } else {
        Err(value)
    }
}
