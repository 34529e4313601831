//! One request: headers in, verdict out. Nothing but [`State::Allowed`] lets a byte pass.

use std::rc::Rc;

use keygate_edge::declare_body;

use crate::enforce::{Progress, State, carry_out, enforce, reject};
use crate::host::{self, Action, HostError, Map};
use crate::worker::Worker;

/// The filter's part of one request.
pub struct Stream {
    context: u32,
    worker: Option<Rc<Worker>>,
    progress: Rc<Progress>,
}

impl Stream {
    pub fn new(context: u32, worker: Option<Rc<Worker>>) -> Self {
        Self {
            context,
            worker,
            progress: Rc::new(Progress::new()),
        }
    }

    fn gate(&self) -> Action {
        match self.progress.state.get() {
            State::Allowed => Action::Continue,
            State::Undecided | State::Waiting | State::Denied => Action::Pause,
        }
    }

    /// Neither a client's identity nor a credential may arrive behind the body.
    fn strip_trailers(&self) -> Result<(), HostError> {
        let Some(worker) = &self.worker else {
            return Ok(());
        };
        let trailers = host::headers(Map::HttpRequestTrailers)?;
        let mut names = trailers.iter().map(|(name, _)| name);
        names.try_for_each(|name| match worker.removes_trailer(name) {
            true => host::remove(Map::HttpRequestTrailers, name),
            false => Ok(()),
        })
    }

    fn decide(&self, end_of_stream: bool) -> State {
        let (Some(worker), Ok(mut headers), Ok(now)) = (
            &self.worker,
            host::headers(Map::HttpRequestHeaders),
            host::now(),
        ) else {
            return reject(&[]);
        };
        if !end_of_stream {
            declare_body(&mut headers);
        }
        match worker.decide(self.context, headers, &self.progress, now) {
            Some(verdict) => enforce(verdict, &self.progress),
            None => State::Waiting,
        }
    }
}

/// What the host calls.
impl Stream {
    pub fn on_done(&self) {
        if self.progress.state.get() == State::Waiting
            && let Some(worker) = &self.worker
        {
            worker.leave(self.context);
        }
    }

    pub fn on_http_request_headers(&self, _count: usize, end_of_stream: bool) -> Action {
        #[cfg(feature = "trap")]
        crate::trap::at_request();
        self.progress.state.set(self.decide(end_of_stream));
        self.gate()
    }

    // Envoy calls these during the pause when allow_on_headers_stop_iteration is set.
    pub fn on_http_request_body(&self, _size: usize, _end_of_stream: bool) -> Action {
        self.gate()
    }

    pub fn on_http_request_trailers(&self, _count: usize) -> Action {
        match self.strip_trailers() {
            Ok(()) => self.gate(),
            // What cannot be cleaned goes no further; the stream's idle timeout ends it.
            Err(_) => Action::Pause,
        }
    }

    pub fn on_http_response_headers(&self, _count: usize, _end_of_stream: bool) -> Action {
        for edit in self.progress.response_edits.take() {
            if carry_out(Map::HttpResponseHeaders, &[edit]).is_err() {
                log::warn!("keygate: a header of an answer could not be changed");
            }
        }
        Action::Continue
    }
}
