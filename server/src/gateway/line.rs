//! A connection to an upstream, driven by the request that uses it.
//!
//! hyper-util's client has a task for each connection, and starts another after each response that brings the connection
//! back. Waking them costs as much as forwarding. Here a connection is polled by the task of the request that it serves:
//! what comes from the upstream wakes that task directly.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use hyper::{
    body::{Body as HttpBody, Frame, Incoming, SizeHint},
    client::conn::http1::{Builder, Connection, SendRequest},
};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep, sleep, sleep_until},
};

use super::transfer::{Progress, Upload};

/// How long a connection is kept for the next request. Servers in Python close theirs after five seconds, and a request that
/// meets such an end fails.
const KEPT_FOR: Duration = Duration::from_secs(4);
/// How often connections that were kept too long are closed.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// The largest head of a response, and the largest buffer of what is received, in bytes.
const BUFFER: usize = 64 * 1_024;

/// A plain connection, or one with TLS.
pub(super) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A connection to an upstream.
pub(super) struct Line {
    sender: SendRequest<Upload>,
    /// `None` once it was closed, or if a task of its own drives it. It is large, and a line is moved with each request.
    connection: Option<Box<Connection<Stream, Upload>>>,
    /// Armed once for many requests: registering a timer costs more than looking at one.
    timer: Option<Pin<Box<Sleep>>>,
    kept_since: Instant,
}

/// How long a request on a line may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How long nothing of the request may be transferred.
    pub(super) idle: Duration,
    /// How long the upstream may take afterwards.
    pub(super) response: Duration,
}

/// Why a request on a line wasn't answered.
pub(super) enum Unanswered {
    /// It wasn't sent: the connection was closed before.
    Unsent(Box<Request<Upload>>),
    /// The connection broke, or the response isn't one.
    Broken,
    /// It took too long.
    Late,
}

impl Line {
    /// Begins to speak HTTP/1.1 on a connection.
    ///
    /// # Errors
    /// hyper's.
    pub(super) async fn new(stream: Stream) -> hyper::Result<Self> {
        let (sender, connection) = Builder::new().max_buf_size(BUFFER).handshake(stream).await?;
        Ok(Self { sender, connection: Some(Box::new(connection)), timer: None, kept_since: Instant::now() })
    }

    /// Leaves the connection to a task of its own, which hands it over when it changes its protocol.
    pub(super) fn detach(&mut self) {
        if let Some(connection) = self.connection.take() {
            tokio::spawn(connection.with_upgrades());
        }
    }

    /// Lets the connection receive and send what it can.
    fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && Pin::new(connection).poll(context).is_ready()
        {
            self.connection = None;
        }
    }

    fn can_be_used(&self) -> bool {
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Sends a request, and waits for the head of the response. The time counts from `progress`.
    pub(super) async fn send(
        &mut self,
        request: Request<Upload>,
        progress: &Progress,
        limits: Limits,
    ) -> Result<Response<Incoming>, Unanswered> {
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|context| {
            self.drive(context);
            match answer.as_mut().poll(context) {
                Poll::Ready(Ok(response)) => Poll::Ready(Ok(response)),
                Poll::Ready(Err(mut error)) => Poll::Ready(Err(match error.take_message() {
                    Some(request) => Unanswered::Unsent(Box::new(request)),
                    None => Unanswered::Broken,
                })),
                Poll::Pending if self.is_late(progress, limits, context) => Poll::Ready(Err(Unanswered::Late)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Whether nothing was transferred for too long. If not, the task is woken when it may be.
    fn is_late(&mut self, progress: &Progress, limits: Limits, context: &mut Context<'_>) -> bool {
        let limit = if progress.is_complete() { limits.response } else { limits.idle };
        let deadline = progress.last() + limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        // The line's timer may be one of an earlier request.
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(context).is_ready() {
            if deadline <= Instant::now() {
                return true;
            }
            timer.as_mut().reset(deadline);
        }
        false
    }
}

/// The connections to an upstream that wait for their next request. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Idle(Arc<Mutex<Vec<Line>>>);

impl Idle {
    fn lock(lines: &Mutex<Vec<Line>>) -> MutexGuard<'_, Vec<Line>> {
        lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a connection that isn't known to be closed. One that is closed meanwhile gives the request back.
    pub(super) fn take(&self) -> Option<Line> {
        let mut lines = Self::lock(&self.0);
        while let Some(line) = lines.pop() {
            if line.kept_since.elapsed() < KEPT_FOR {
                return Some(line);
            }
        }
        None
    }

    /// Keeps a connection whose response was received, unless it has to be closed.
    fn keep(&self, mut line: Line, context: &mut Context<'_>) {
        if !line.can_be_used() {
            line.drive(context);
        }
        if line.can_be_used() {
            line.kept_since = Instant::now();
            Self::lock(&self.0).push(line);
        }
    }

    /// Closes connections that were kept too long, until this is dropped.
    pub(super) fn watch(&self) {
        tokio::spawn(sweep(Arc::downgrade(&self.0)));
    }
}

async fn sweep(idle: Weak<Mutex<Vec<Line>>>) {
    loop {
        sleep(SWEEP_EVERY).await;
        let Some(lines) = idle.upgrade() else { return };
        // The last one was used last.
        let closed: Vec<Line> = {
            let mut lines = Idle::lock(&lines);
            let old = lines.iter().take_while(|line| line.kept_since.elapsed() >= KEPT_FOR).count();
            lines.drain(..old).collect()
        };
        drop(closed);
    }
}

/// The body of a response. It drives the connection that it comes by.
pub(crate) struct Reply {
    body: Incoming,
    line: Option<Line>,
    idle: Idle,
}

impl Reply {
    /// `line`: what the response comes by, and `idle` where it waits afterwards.
    pub(super) fn new(body: Incoming, line: Line, idle: Idle) -> Self {
        Self { body, line: Some(line), idle }
    }

    /// Gives the connection back if there is no body.
    pub(super) fn poll_begin(&mut self, context: &mut Context<'_>) {
        if self.body.is_end_stream() {
            self.end(context);
        }
    }

    fn end(&mut self, context: &mut Context<'_>) {
        if let Some(line) = self.line.take() {
            self.idle.keep(line, context);
        }
    }
}

impl HttpBody for Reply {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        let mut polled = Pin::new(&mut this.body).poll_frame(context);
        if let (Poll::Pending, Some(line)) = (&polled, &mut this.line) {
            line.drive(context);
            polled = Pin::new(&mut this.body).poll_frame(context);
        }
        if matches!(&polled, Poll::Ready(None)) || this.body.is_end_stream() {
            this.end(context);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
