//! From a configuration to a listening service, and to its orderly end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::ambient::Ambient;
use crate::api::Service;
use crate::config::{ConfigError, ServiceConfig};
use crate::connections::{self, Limits};
use crate::store::{Store, StoreError};

/// How long requests in flight may take to finish after a signal.
const GRACE: Duration = Duration::from_secs(10);

/// Why a service does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration contradicts itself.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// What the configuration says.
        address: SocketAddr,
        /// In the words of the system, such as "Address already in use".
        source: std::io::Error,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The process cannot receive signals to stop.
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
}

/// Serves until SIGTERM or SIGINT. Requests in flight then finish, for up to 10 s.
///
/// # Errors
/// [`ServeError`] when it cannot start; a service that has started returns `Ok`.
pub async fn serve(config: ServiceConfig) -> Result<(), ServeError> {
    config.check()?;
    let stop = stop_signal().map_err(ServeError::Signals)?;
    // The address first: a second start by mistake fails here, before it touches the database.
    let address = config.listen;
    let refused = |source| ServeError::Listen { address, source };
    let listener = connections::listen(address).map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    let place = config.database.clone();
    let opened = tokio::task::spawn_blocking(move || Store::open(&place)).await;
    let store = opened.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    let limits = Limits {
        connections: config
            .limits
            .connections
            .min(connections::allowed_connections()),
        ..config.limits
    };
    let service = Service::new(&config, store, Ambient::real());
    tracing::info!("listening on http://{bound}");
    run(listener, &service, limits, stop).await;
    service.write_uses().await;
    if let Err(error) = service.store.checkpoint().await {
        tracing::warn!("no final checkpoint: {error}");
    }
    tracing::info!("stopped");
    Ok(())
}

async fn run(
    listener: TcpListener,
    service: &Arc<Service>,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let (stopping, stopped) = oneshot::channel();
    let stop = async {
        stop.await;
        tracing::info!("stopping");
        service.release();
        let _ = stopping.send(());
    };
    let out_of_time = async {
        let _ = stopped.await;
        tokio::time::sleep(GRACE).await;
    };
    let background = tokio::spawn(Arc::clone(service).background());
    tokio::select! {
        () = connections::serve(listener, Arc::clone(service).router(), limits, stop) => {}
        () = out_of_time => tracing::warn!("some requests did not finish in time"),
    }
    // An event that is under way is delivered again after the next start.
    background.abort();
    let _ = background.await;
}

/// Ready before anyone knows that the service listens, so that no signal is lost.
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
