//! The body of a request, which is read once its caller is known: an unauthenticated client makes the
//! service wait for no body, and keep none in memory.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use http_body_util::LengthLimitError;

use crate::problem::{MAX_BODY, Problem};

/// The body of a request until it is read. All clones are of the same body.
#[derive(Clone)]
pub(super) struct Unread(Arc<Mutex<State>>);

enum State {
    /// It may still be arriving.
    Arriving(Body),
    /// It is being read, or was given up.
    Left,
    /// All of it was received.
    Whole,
}

impl Unread {
    /// Takes the body out of a request, and leaves itself for [`read`].
    pub(super) fn take(request: &mut Request) -> Self {
        let body = mem::take(request.body_mut());
        let state = match body.is_end_stream() {
            true => State::Whole,
            false => State::Arriving(body),
        };
        let unread = Self(Arc::new(Mutex::new(state)));
        request.extensions_mut().insert(unread.clone());
        unread
    }

    /// Whether all of the body was received, or came along with the headers. Otherwise what comes
    /// next on the connection is no request, so that it has to be closed (RFC 9112 section 9.3).
    pub(super) fn is_whole(&self) -> bool {
        let mut state = self.lock();
        if let State::Arriving(body) = &mut *state {
            *state = match is_there(body) {
                true => State::Whole,
                false => State::Left,
            };
        }
        matches!(*state, State::Whole)
    }

    async fn read(&self, patience: Duration) -> Result<Option<Body>, Problem> {
        let body = {
            let mut state = self.lock();
            match mem::replace(&mut *state, State::Left) {
                State::Arriving(body) => body,
                other => {
                    *state = other;
                    return Ok(None);
                }
            }
        };
        if body.size_hint().lower() > MAX_BODY as u64 {
            return Err(Problem::TooLarge);
        }
        let bytes = tokio::time::timeout(patience, axum::body::to_bytes(body, MAX_BODY));
        let bytes = bytes.await.map_err(|_| Problem::BodyTimeout)?;
        let bytes = bytes.map_err(|error| match std::error::Error::source(&error) {
            Some(cause) if cause.is::<LengthLimitError>() => Problem::TooLarge,
            _ => Problem::Body("could not be read completely".to_owned()),
        })?;
        *self.lock() = State::Whole;
        Ok(Some(bytes.into()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the whole body into the request, for at most so long.
///
/// # Errors
/// [`Problem::TooLarge`], [`Problem::BodyTimeout`], or [`Problem::Body`] when the client ends it early.
pub(super) async fn read(request: &mut Request, patience: Duration) -> Result<(), Problem> {
    let Some(unread) = request.extensions().get::<Unread>().cloned() else {
        return Ok(());
    };
    if let Some(body) = unread.read(patience).await? {
        *request.body_mut() = body;
    }
    Ok(())
}

/// Whether the rest of a body is there already. Does not wait.
fn is_there(body: &mut Body) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match Pin::new(&mut *body).poll_frame(&mut context) {
            Poll::Ready(None) => return true,
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(_))) | Poll::Pending => return false,
        }
    }
}
