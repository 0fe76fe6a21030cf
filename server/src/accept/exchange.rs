//! What a connection's socket and its requests tell each other.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};

use super::head::Refusal;

/// The request that a connection is busy with. Clones share the state.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Whether a request is being handled, until its response is written.
    is_busy: bool,
    /// Whether the request's body has been received.
    has_body: bool,
    refusal: Option<Refusal>,
    /// Whether the connection speaks another protocol from now on.
    is_upgraded: bool,
    /// The task to wake when the next request may begin.
    waiting: Option<Waker>,
    run: Run,
}

/// What the connection's task is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Run {
    /// It waits.
    #[default]
    Waiting,
    Running,
    /// It runs, and hasn't noticed that a request has ended meanwhile.
    Behind,
}

impl Exchange {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a request, whose body may already have been received.
    pub(super) fn begin(&self, has_body: bool, refusal: Option<Refusal>) {
        let mut state = self.state();
        (state.is_busy, state.has_body, state.refusal) = (true, has_body, refusal);
    }

    /// Records that the request's body has been received.
    pub(super) fn complete_body(&self) {
        self.state().has_body = true;
    }

    /// Returns whether a request is being handled. If so, the task is woken when it no longer is.
    pub(super) fn is_busy(&self, context: &Context<'_>) -> bool {
        let mut state = self.state();
        if !state.is_busy {
            if state.run == Run::Behind {
                state.run = Run::Running;
            }
        } else if !state.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(context.waker())) {
            state.waiting = Some(context.waker().clone());
        }
        state.is_busy
    }

    /// Returns why the request must be refused, once.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.state().refusal.take()
    }

    /// Returns whether the connection speaks another protocol, so that its bytes are no requests.
    pub(super) fn is_upgraded(&self) -> bool {
        self.state().is_upgraded
    }

    /// Completes a response: the connection closes after it if the request's body wasn't received, and the next request
    /// begins after its end.
    pub(super) fn respond(&self, mut response: Response<Body>) -> Response<Answer> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.state().is_upgraded = true;
        } else if !self.state().has_body {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response.map(|body| Answer { body, exchange: self.clone() })
    }

    fn end(&self) {
        let mut state = self.state();
        state.is_busy = false;
        if state.run != Run::Waiting {
            state.run = Run::Behind;
        } else if let Some(waiting) = state.waiting.take() {
            drop(state);
            waiting.wake();
        }
    }

    /// Runs a connection. Most requests end while its task is running, and hyper then reads on by itself: to wake the task each
    /// time would cost as much as verifying a key. It is woken only if hyper hasn't read on.
    pub(super) async fn follow<T>(&self, connection: impl Future<Output = T>) -> T {
        let mut connection = pin!(connection);
        poll_fn(|context| {
            self.state().run = Run::Running;
            let polled = connection.as_mut().poll(context);
            let run = std::mem::take(&mut self.state().run);
            if run == Run::Behind && polled.is_pending() {
                context.waker().wake_by_ref();
            }
            polled
        })
        .await
    }
}

/// The body of a response. The request ends when it is dropped.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    exchange: Exchange,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.exchange.end();
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
