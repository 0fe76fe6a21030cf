//! A connection's socket: hands requests to hyper one at a time, closes connections that wait too long, and lets clients
//! read the last response.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::io::poll_read_buf;

use super::{
    exchange::Exchange,
    head::{Framing, MAX_HEAD, Refusal, SUBSTITUTE, end_of_head, may_begin, read},
    signal::Abort,
};

/// The maximum time to receive the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection may be idle if no other connection can be accepted.
const CROWDED_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a response may wait for a client that doesn't read, and the rate in bytes per second at which a client must
/// read in the long run.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
const SLOWEST_READER: u64 = 4 * 1_024;
/// How long what a client still sends is received after the last response, in all and without a byte. Closed at once,
/// the connection would be reset, and the client might never see the response.
const LINGER: Duration = Duration::from_secs(30);
const LINGER_SILENCE: Duration = Duration::from_secs(5);
/// The number of bytes that are read at once, at first and later.
const FIRST_PIECE: usize = 1_000;
const PIECE: usize = 4 * 1_024;

/// The socket. Reads at most one request ahead.
pub(super) struct Socket {
    stream: TcpStream,
    exchange: Exchange,
    abort: Abort,
    /// What was received and isn't handed on yet. The first `approved` bytes may be.
    received: BytesMut,
    approved: usize,
    /// How much of `received` contains no end of a head.
    searched: usize,
    next: Next,
    /// When the wait for a head or for its first byte began.
    waiting_since: Option<Instant>,
    reading: Timer,
    writing: Timer,
    /// When the client first didn't read, and how many bytes it has read since.
    blocked: Option<(Instant, u64)>,
    /// When the last response was written.
    lingering_since: Option<Instant>,
    idle_timeout: Duration,
    slots: Arc<Semaphore>,
    /// Makes room for another connection when the socket is dropped, be it by hyper or by who has taken it over.
    _slot: OwnedSemaphorePermit,
}

/// What the client sends next.
#[derive(Debug)]
enum Next {
    Head,
    Body(Framing),
    /// Nothing that counts.
    End,
}

/// A timer that is allocated when it is first used.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Returns whether a time has passed. If not, the task is woken then.
    fn has_passed(&mut self, deadline: Instant, context: &mut Context<'_>) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(context).is_ready()
    }
}

fn is_of_empty_line(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

impl Socket {
    pub(super) fn new(
        stream: TcpStream,
        exchange: Exchange,
        idle_timeout: Duration,
        abort: Abort,
        (slots, slot): (Arc<Semaphore>, OwnedSemaphorePermit),
    ) -> Self {
        Self {
            stream,
            exchange,
            abort,
            received: BytesMut::new(),
            approved: 0,
            searched: 0,
            next: Next::Head,
            waiting_since: None,
            reading: Timer::default(),
            writing: Timer::default(),
            blocked: None,
            lingering_since: None,
            idle_timeout,
            slots,
            _slot: slot,
        }
    }

    /// Receives more bytes. Returns their number, which is 0 at the end.
    fn receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // Most heads fit into the first piece, which is allocated and freed faster than a larger one.
        self.received.reserve(if self.received.is_empty() { FIRST_PIECE } else { PIECE });
        poll_read_buf(Pin::new(&mut self.stream), context, &mut self.received)
    }

    /// Hands on as much of the approved bytes as fits.
    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.approved.min(buffer.remaining());
        buffer.put_slice(&self.received[..length]);
        self.received.advance(length);
        self.approved -= length;
        if self.received.is_empty() {
            // An idle connection holds no memory.
            self.received = BytesMut::new();
        }
    }

    /// Waits for a head, and approves it. Returns whether the client has ended the connection instead.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let is_busy = self.exchange.is_busy(context);
            if !is_busy && self.approve_head() {
                self.waiting_since = None;
                return Poll::Ready(Ok(false));
            }
            if self.received.len() < MAX_HEAD {
                let was_empty = self.received.is_empty();
                match self.receive(context) {
                    Poll::Ready(received) => {
                        if received? == 0 {
                            return Poll::Ready(Ok(true));
                        }
                        // Empty lines don't begin a head: a client that only sends those is idle.
                        if was_empty && self.received.iter().any(|byte| !is_of_empty_line(*byte)) {
                            self.waiting_since = None;
                        }
                        continue;
                    }
                    Poll::Pending if is_busy => return Poll::Pending,
                    Poll::Pending => (),
                }
            }
            if is_busy {
                return Poll::Pending;
            }
            return self.poll_wait(context);
        }
    }

    /// Checks how long the client has been sending a head, or nothing. Returns whether the connection ends.
    fn poll_wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        if !self.received.is_empty() {
            if !self.reading.has_passed(since + HEAD_TIMEOUT, context) {
                return Poll::Pending;
            }
            self.refuse(Refusal::TooSlow);
            return Poll::Ready(Ok(false));
        }
        let end = since + self.idle_timeout;
        let mut deadline = (since + CROWDED_TIMEOUT).min(end);
        while self.reading.has_passed(deadline, context) {
            if deadline >= end || self.slots.available_permits() == 0 {
                return Poll::Ready(Ok(true));
            }
            deadline = (Instant::now() + CROWDED_TIMEOUT).min(end);
        }
        Poll::Pending
    }

    /// Approves the next head if it is complete, or refuses what can't become one. Returns whether it did either.
    fn approve_head(&mut self) -> bool {
        // RFC 9112 §2.2: empty lines before a request are ignored.
        let empty = self.received.iter().take_while(|byte| is_of_empty_line(**byte)).count();
        self.received.advance(empty);
        let length = match end_of_head(&self.received, self.searched) {
            Some(length) if length <= MAX_HEAD => length,
            None if self.received.first().is_some_and(|byte| !may_begin(*byte)) => {
                self.refuse(Refusal::Malformed);
                return true;
            }
            None if self.received.len() < MAX_HEAD => {
                self.searched = self.received.len();
                return false;
            }
            _ => {
                self.refuse(Refusal::TooLarge);
                return true;
            }
        };
        match read(&self.received[..length]) {
            Ok(framing) => {
                (self.approved, self.searched) = (length, 0);
                // hyper drains a short body that is here already, even if nobody reads it.
                let rest = (self.received.len() - length).min(PIECE);
                let has_body = matches!(framing, Framing::Length(length) if length <= rest as u64);
                self.exchange.begin(has_body, None);
                self.next = Next::Body(framing);
            }
            Err(refusal) => self.refuse(refusal),
        }
        true
    }

    /// Puts a head that leads to the refusal in the place of what was received.
    fn refuse(&mut self, refusal: Refusal) {
        self.received = BytesMut::from(SUBSTITUTE);
        (self.approved, self.searched, self.next) = (SUBSTITUTE.len(), 0, Next::End);
        self.exchange.begin(false, Some(refusal));
    }

    /// Approves bytes of the body. Returns whether the client has ended the connection instead.
    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let Next::Body(framing) = &mut self.next else { return Poll::Ready(Ok(true)) };
        if !self.received.is_empty() {
            self.approved = match framing {
                Framing::Length(rest) => {
                    let length = usize::try_from(*rest).unwrap_or(usize::MAX).min(self.received.len());
                    *rest -= length as u64;
                    length
                }
                Framing::Chunked(chunks) => chunks.follow(&self.received),
            };
            self.skip_ended_body();
            return Poll::Ready(Ok(false));
        }
        self.receive(context).map_ok(|length| length == 0)
    }

    /// Expects a head after a body that has ended.
    fn skip_ended_body(&mut self) {
        let has_ended = match &self.next {
            Next::Body(Framing::Length(rest)) => *rest == 0,
            Next::Body(Framing::Chunked(chunks)) => chunks.has_ended(),
            Next::Head | Next::End => false,
        };
        if has_ended {
            self.exchange.complete_body();
            self.next = Next::Head;
        }
    }

    /// Checks how long the client hasn't read enough of a response.
    fn poll_blocked(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (since, read) = *self.blocked.get_or_insert_with(|| (Instant::now(), 0));
        let deadline = since + WRITE_TIMEOUT + Duration::from_secs(read / SLOWEST_READER);
        if self.writing.has_passed(deadline, context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }

    fn count_written(&mut self, written: &Poll<io::Result<usize>>) {
        if let (Some((_, read)), Poll::Ready(Ok(length))) = (&mut self.blocked, written) {
            *read += *length as u64;
        }
    }

    /// Receives and drops what the client still sends.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let begun = *self.lingering_since.get_or_insert_with(Instant::now);
        let may_send_more = !matches!(self.next, Next::Head) || !self.received.is_empty();
        self.received = BytesMut::new();
        loop {
            match self.receive(context) {
                Poll::Ready(Ok(length)) if length > 0 => {
                    self.received.clear();
                    let now = Instant::now();
                    if now >= begun + LINGER {
                        return Poll::Ready(());
                    }
                    self.waiting_since = Some(now);
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if !may_send_more => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        let silent_since = self.waiting_since.map_or(begun, |since| since.max(begun));
        let deadline = (silent_since + LINGER_SILENCE).min(begun + LINGER);
        if self.reading.has_passed(deadline, context) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.abort.0.is_given() {
            // Otherwise the kernel would go on sending what it holds.
            self.stream.set_zero_linger().ok();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.exchange.is_upgraded() {
            if this.received.is_empty() {
                return Pin::new(&mut this.stream).poll_read(context, buffer);
            }
            this.approved = this.received.len();
        }
        loop {
            if this.approved > 0 {
                this.hand_on(buffer);
                return Poll::Ready(Ok(()));
            }
            this.skip_ended_body();
            let has_ended = match &this.next {
                Next::Head => ready!(this.poll_head(context))?,
                Next::Body(_) => ready!(this.poll_body(context))?,
                // hyper closes the connection after the response.
                Next::End => return Poll::Pending,
            };
            if has_ended {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count_written(&written);
        if written.is_pending() { self.poll_blocked(context) } else { written }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.count_written(&written);
        if written.is_pending() { self.poll_blocked(context) } else { written }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper calls this once everything is written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.blocked = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering_since.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        self.poll_linger(context).map(Ok)
    }
}
