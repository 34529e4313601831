//! Stands between Envoy and the key service and keeps every byte that passes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{Source, keep};

/// Listens until dropped.
pub(crate) struct Recorder {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Recorder {
    /// In front of what listens, or will listen, on this port of 127.0.0.1.
    pub(crate) fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let stopped = Arc::new(AtomicBool::new(false));
        let ours = Arc::clone(&stopped);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if ours.load(Ordering::Relaxed) {
                    break;
                }
                // No listener: the connection closes, as it would without this recorder.
                if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                    pass_on(&client, &server, Source::ToService);
                    pass_on(&server, &client, Source::FromService);
                }
            }
        });
        Self { address, stopped }
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn pass_on(from: &TcpStream, to: &TcpStream, source: Source) {
    let clone = |it: &TcpStream| it.set_nodelay(true).and_then(|()| it.try_clone());
    let (Ok(mut from), Ok(mut to)) = (clone(from), clone(to)) else {
        return;
    };
    thread::spawn(move || {
        let mut all = Vec::new();
        let mut buffer = [0; 16 * 1024];
        while let Ok(count) = from.read(&mut buffer) {
            all.extend_from_slice(&buffer[..count]);
            if count == 0 || to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        keep(source, &all);
    });
}
