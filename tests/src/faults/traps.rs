//! The filter's virtual machines die: in a request, with requests that wait, in a poll.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Form, Row, finish};
use crate::client;
use crate::load::oracle::{RELOADED_WITHIN, SLACK, TAKEOVER, Trouble};
use crate::load::{Network, Scene, Stage};

/// Requests that wait for the key service when the virtual machine dies.
const WAITING: usize = 12;

/// Connections that bring death: enough that each worker has some.
const DEATHS: usize = 8;

/// What the filter logs when it dies of a status that the SDK does not expect.
const DIED_OF_A_STATUS: &str = "keygate: internal error at proxy-wasm-";

/// What Envoy logs when a virtual machine dies with the answer to a poll.
const DIED_IN_A_POLL: &str = "proxy_on_http_call_response failed";

/// All of it.
pub fn trap(form: &Form) -> Vec<Row> {
    let mut plan = form.plan(Network::Near);
    // Time to die while requests wait.
    plan.bounds.timeout = Duration::from_secs(3);
    plan.envoy = {
        let module = form.trap_module.clone();
        Box::new(move |envoy| envoy.with_module(&module))
    };
    let stage = Stage::start(plan);
    let scene = stage.scene();
    let idle = scene.bounds().idle.as_secs();
    let reload = RELOADED_WITHIN.as_secs();
    let bound =
        format!("any request may get 503 until {reload} s after; none passes without a decision");
    let at_once = form.observe(scene, "virtual machines die in requests", bound, |scene| {
        scene.begin(Trouble::Reload);
        let before = scene.reloads();
        let deadline = Instant::now() + Duration::from_secs(20);
        while scene.reloads() < before + 2 && Instant::now() < deadline {
            kill(scene, 2);
            thread::sleep(Duration::from_millis(500));
        }
        let reloads = scene.reloads() - before;
        (reloads < 2)
            .then(|| format!("{reloads} reloads of two workers"))
            .into_iter()
            .collect()
    });
    let bound =
        format!("as before; waiting requests are answered within Envoy's idle timeout, {idle} s");
    let waiting = form.observe(
        scene,
        "virtual machines die while requests wait",
        bound,
        die_while_requests_wait,
    );
    let bound = format!(
        "as before; another worker polls within {} s, and revocations take that much longer",
        TAKEOVER.as_secs()
    );
    let poll = form.observe(
        scene,
        "the virtual machine that polls dies",
        bound,
        die_in_a_poll,
    );
    let bound = format!("as before, until {reload} s after");
    let status = form.observe(
        scene,
        "a host call has a status that the SDK does not expect",
        bound,
        die_of_a_status,
    );
    finish(stage, vec![at_once, waiting, poll, status])
}

fn die_of_a_status(scene: &Arc<Scene>) -> Vec<String> {
    let before = scene.reloads();
    scene.begin(Trouble::Reload);
    let answer = client::get(scene.stack.envoy.port(), "/healthz")
        .header("x-keygate-trap", "status")
        .try_send();
    let mut problems = Vec::new();
    // The path requires nothing, and a filter that died lets nothing pass.
    let status = answer.map(|it| it.status).ok();
    if status != Some(503) {
        problems.push(format!("the request was answered with {status:?}"));
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while scene.reloads() < before + 1 && Instant::now() < deadline {
        // The worker recreates its virtual machine when a request comes.
        thread::sleep(Duration::from_millis(50));
    }
    if scene.reloads() < before + 1 {
        problems.push("the virtual machine was not recreated".to_owned());
    }
    if !scene.stack.envoy.log().contains(DIED_OF_A_STATUS) {
        problems.push("the virtual machine did not die of a status".to_owned());
    }
    problems
}

/// So many requests that kill, on a connection each, all before any answer.
pub fn kill(scene: &Arc<Scene>, requests: usize) {
    let port = scene.stack.envoy.port();
    let deadly = client::get(port, "/api/x").header("x-keygate-trap", "request");
    let mut connections: Vec<_> = (0..requests)
        .map(|_| client::Connection::open(port))
        .collect();
    for connection in &mut connections {
        connection.send(deadly.bytes());
    }
    for mut connection in connections {
        // Whatever comes back: none of them has a credential.
        let _ = connection.try_receive(false);
    }
}

fn die_while_requests_wait(scene: &Arc<Scene>) -> Vec<String> {
    let mut problems = Vec::new();
    let before = scene.reloads();
    scene.begin(Trouble::Unreachable);
    scene.begin(Trouble::Reload);
    let credentials: Vec<_> = (0..WAITING).filter_map(|_| scene.cold_key()).collect();
    if credentials.len() < WAITING {
        problems.push(format!("only {} cold keys are there", credentials.len()));
    }
    scene.service.freeze();
    thread::scope(|scope| {
        for credential in &credentials {
            scope.spawn(|| scene.ask(&mut None, credential));
        }
        let deadline = Instant::now() + Duration::from_secs(2);
        let active = || scene.stack.envoy.stat("http.public.downstream_rq_active");
        let waits = u64::try_from(credentials.len()).unwrap_or(0);
        while active().unwrap_or(0) < waits && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        let waiting = active().unwrap_or(0);
        if waiting < waits {
            problems.push(format!("only {waiting} requests wait"));
        }
        kill(scene, DEATHS);
        scene.service.thaw();
        scene.end();
    });
    let deadline = Instant::now() + Duration::from_secs(20);
    while scene.reloads() < before + 2 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
    }
    let reloads = scene.reloads() - before;
    if reloads < 2 {
        problems.push(format!("{reloads} reloads of two workers"));
    }
    problems
}

fn die_in_a_poll(scene: &Arc<Scene>) -> Vec<String> {
    let polls = || scene.counted("keygate_poll.answered");
    let port = scene.stack.envoy.port();
    scene.begin(Trouble::Reload);
    let _ = client::get(port, "/api/x")
        .header("x-keygate-trap", "poll")
        .try_send();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !scene.stack.envoy.log().contains(DIED_IN_A_POLL) {
        if Instant::now() > deadline {
            return vec!["no virtual machine died in a poll".to_owned()];
        }
        thread::sleep(Duration::from_millis(20));
    }
    let died = scene.end();
    let before = polls();
    let bound = TAKEOVER + scene.bounds().poll * 2 + SLACK;
    while polls() < before + 2 {
        if died.elapsed() > bound {
            return vec![format!("no worker has polled twice in {bound:?}")];
        }
        thread::sleep(Duration::from_millis(20));
    }
    Vec::new()
}
