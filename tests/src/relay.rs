//! A TCP relay that is slow, or goes silent: for machines where the network itself cannot
//! be made so.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// From a port of its own to another one of 127.0.0.1, until dropped.
pub struct Relay {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    delay_millis: AtomicU64,
    is_cut: AtomicBool,
    is_over: AtomicBool,
    /// What a client says whose answer is lost.
    fatal: Mutex<Option<&'static [u8]>>,
}

impl Relay {
    /// One that delays nothing.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn to(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&shared);
                thread::spawn(move || connect(&client, target, &shared));
            }
        });
        Self { port, state }
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on whatever passes takes so much longer, each way.
    pub fn delay(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.state.delay_millis.store(millis, Ordering::Relaxed);
    }

    /// From now on nothing passes, without notice to either side.
    pub fn cut(&self) {
        self.state.is_cut.store(true, Ordering::Relaxed);
    }

    /// The next answer to these bytes is lost: they reach the other side, and 100 ms later the connection
    /// ends without a byte of what came back. This happens once.
    ///
    /// # Panics
    /// Never.
    pub fn lose_answer_to(&self, bytes: &'static [u8]) {
        *self.state.fatal.lock().expect("no thread panics with it") = Some(bytes);
    }

    /// Whether the answer was lost, after [`Self::lose_answer_to`].
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        let fatal = self.state.fatal.lock().expect("no thread panics with it");
        fatal.is_none()
    }

    /// Lets it pass again, what was held back as well.
    pub fn heal(&self) {
        self.state.is_cut.store(false, Ordering::Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.heal();
        self.state.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a client.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl State {
    fn hold(&self) {
        thread::sleep(Duration::from_millis(
            self.delay_millis.load(Ordering::Relaxed),
        ));
        while self.is_cut.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the answer to these bytes is to be lost.
    fn is_fatal(&self, bytes: &[u8]) -> bool {
        let mut fatal = self.fatal.lock().expect("no thread panics with it");
        let of = |it: &mut &[u8]| bytes.windows(it.len()).any(|at| at == *it);
        fatal.take_if(of).is_some()
    }
}

fn connect(client: &TcpStream, target: u16, state: &Arc<State>) {
    state.hold();
    let Ok(server) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, target))) else {
        return;
    };
    for stream in [client, &server] {
        let _ = stream.set_nodelay(true);
    }
    let is_lost = &AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            pump(client, &server, state, |bytes| {
                if state.is_fatal(bytes) {
                    is_lost.store(true, Ordering::Relaxed);
                    let (client, server) = (client.try_clone(), server.try_clone());
                    scope.spawn(move || {
                        thread::sleep(Duration::from_millis(100));
                        for stream in [client, server].into_iter().flatten() {
                            let _ = stream.shutdown(Shutdown::Both);
                        }
                    });
                }
                true
            });
        });
        pump(&server, client, state, |_| !is_lost.load(Ordering::Relaxed));
    });
}

/// Until one side ends. What is not `wanted` is dropped.
fn pump(mut from: &TcpStream, mut to: &TcpStream, state: &State, wanted: impl Fn(&[u8]) -> bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        state.hold();
        let bytes = &buffer[..count];
        if wanted(bytes) && to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Read);
    let _ = to.shutdown(Shutdown::Write);
}
