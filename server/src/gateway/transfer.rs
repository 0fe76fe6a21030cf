//! Bodies on their way through a gateway. They are handed on piece by piece, and end with the exchange.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::open::Seat;

/// When something was last transferred, and why it isn't any more. Clones share both.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<Transfer>);

#[derive(Debug)]
struct Transfer {
    begun: Instant,
    /// Milliseconds from then until something was last transferred.
    last: AtomicU64,
    /// Whether all of it was transferred.
    is_complete: AtomicBool,
    /// Whether the sender has to send more.
    waits: AtomicBool,
    broken: OnceLock<Broken>,
}

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Transfer {
            begun: Instant::now(),
            last: AtomicU64::new(0),
            is_complete: AtomicBool::new(false),
            waits: AtomicBool::new(false),
            broken: OnceLock::new(),
        }))
    }
}

impl Progress {
    /// Records that something was transferred just now.
    pub(crate) fn record(&self) {
        let millis = u64::try_from(self.0.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last.store(millis, Ordering::Relaxed);
    }

    /// Returns when something was last transferred.
    pub(crate) fn last(&self) -> Instant {
        self.0.begun + Duration::from_millis(self.0.last.load(Ordering::Relaxed))
    }

    /// Whether all of the request was handed on.
    pub(crate) fn is_complete(&self) -> bool {
        self.0.is_complete.load(Ordering::Relaxed)
    }

    /// Whether the client is slow, and not the upstream.
    pub(crate) fn waits_for_sender(&self) -> bool {
        self.0.waits.load(Ordering::Relaxed)
    }

    /// Returns why the transfer was broken off, if it was.
    pub(crate) fn broken(&self) -> Option<Broken> {
        self.0.broken.get().copied()
    }
}

/// Why a body ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It is larger than allowed.
    TooLarge,
    /// Nothing was transferred for too long.
    Idle,
    /// What the exchange was admitted by isn't valid any more.
    Cut,
    /// The sender broke it off.
    Sender,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the body is too large",
            Self::Idle => "the body took too long",
            Self::Cut => "the key isn't valid any more",
            Self::Sender => "the body wasn't sent completely",
        })
    }
}

impl std::error::Error for Broken {}

/// The body of a request, on its way to the upstream.
pub(crate) struct Upload {
    body: axum::body::Body,
    /// How much may follow.
    rest: u64,
    progress: Progress,
}

impl Upload {
    pub(crate) fn new(body: axum::body::Body, max: Option<u64>, progress: Progress) -> Self {
        progress.0.is_complete.store(body.is_end_stream(), Ordering::Relaxed);
        Self { body, rest: max.unwrap_or(u64::MAX), progress }
    }

    /// The same again, of a request without a body.
    pub(super) fn empty(progress: Progress) -> Self {
        Self::new(axum::body::Body::empty(), None, progress)
    }

    fn end(&self, why: Broken) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.progress.0.broken.set(why).ok();
        Poll::Ready(Some(Err(why)))
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.progress.0.waits.store(polled.is_pending(), Ordering::Relaxed);
        let polled = ready!(polled);
        self.progress.record();
        if self.body.is_end_stream() {
            self.progress.0.is_complete.store(true, Ordering::Relaxed);
        }
        match polled {
            None => {
                self.progress.0.is_complete.store(true, Ordering::Relaxed);
                Poll::Ready(None)
            }
            // What follows the body is a second head, which nobody has read. It may be left out (RFC 9110 §6.5.1).
            Some(Ok(frame)) if frame.is_trailers() => {
                self.progress.0.is_complete.store(true, Ordering::Relaxed);
                Poll::Ready(None)
            }
            Some(Err(_)) => self.end(Broken::Sender),
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                if length > self.rest {
                    return self.end(Broken::TooLarge);
                }
                self.rest -= length;
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a response, on its way to the client.
pub(crate) struct Download<B> {
    body: B,
    idle: Duration,
    /// When a part last came.
    last: Instant,
    /// Most bodies come without a wait and never need it.
    timer: Option<Pin<Box<Sleep>>>,
    seat: Option<Seat>,
    broken: Option<Broken>,
}

impl<B> Download<B> {
    pub(crate) fn new(body: B, idle: Duration, seat: Option<Seat>) -> Self {
        Self { body, idle, last: Instant::now(), timer: None, seat, broken: None }
    }

    /// Returns why the body ends, if it does, and otherwise waits for that.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Broken> {
        if self.seat.as_ref().is_some_and(|seat| seat.cut().poll(context).is_ready()) {
            return Poll::Ready(Broken::Cut);
        }
        let end = self.last + self.idle;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        while timer.as_mut().poll(context).is_ready() {
            if end <= Instant::now() {
                return Poll::Ready(Broken::Idle);
            }
            timer.as_mut().reset(end);
        }
        Poll::Pending
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> Download<B> {
    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        // Also between parts that come without a wait.
        if self.seat.as_ref().is_some_and(|seat| seat.cut().is_given()) {
            return Poll::Ready(Some(Err(Broken::Cut)));
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.last = Instant::now();
            return Poll::Ready(frame.map(|frame| frame.map_err(|_| Broken::Sender)));
        }
        self.poll_end(context).map(|why| Some(Err(why)))
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Download<B> {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        if let Some(why) = this.broken {
            return Poll::Ready(Some(Err(why)));
        }
        match this.poll_part(context) {
            // hyper would drop what it holds, be it the whole head. It sends that while it waits.
            Poll::Ready(Some(Err(why))) => {
                this.broken = Some(why);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
