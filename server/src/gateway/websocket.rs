//! Websockets: their handshake, and what passes through them until their end.

use std::{pin::pin, sync::Arc, sync::OnceLock, time::Duration};

use axum::{body::Body, extract::Request, response::Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split},
    time::{sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    frames::{self, First, Frames},
    open::Seat,
    transfer::Progress,
};
use crate::accept::Drain;

/// How much is read at once, in bytes.
const PIECE: usize = 16 * 1_024;
/// How long the rest of a frame may take before the connection is closed without a reason.
const END_OF_FRAME: Duration = Duration::from_millis(250);
/// How long the client may take to close its side.
const CLOSING: Duration = Duration::from_secs(2);
/// How long one direction goes on after the other has ended.
const OTHER_DIRECTION: Duration = Duration::from_secs(10);
/// How long the first message of a client may take.
pub(crate) const FIRST_WITHIN: Duration = Duration::from_secs(10);

/// Why a websocket is closed.
pub(crate) const NOT_VALID: &str = "This API key isn't valid any more.";

/// Whether a request asks for a websocket.
pub(crate) fn is_asked(request: &Request) -> bool {
    let lists = |name, word: &str| {
        let lines = request.headers().get_all(name).iter().filter_map(|line: &HeaderValue| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && lists(header::CONNECTION, "upgrade")
        && lists(header::UPGRADE, "websocket")
        && request.headers().contains_key(header::SEC_WEBSOCKET_KEY)
}

/// Whether a client offers a protocol.
pub(crate) fn offers(headers: &HeaderMap, protocol: &str) -> bool {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|offered| offered.trim() == protocol)
}

/// Asks the upstream for a websocket.
pub(crate) fn ask(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// Returns the answer to a client whose first message is awaited before the upstream is asked.
pub(crate) fn accept(headers: &HeaderMap, protocol: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    ask(response.headers_mut());
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    if let Ok(accepted) = HeaderValue::try_from(frames::accepted(key)) {
        response.headers_mut().insert(header::SEC_WEBSOCKET_ACCEPT, accepted);
    }
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    response
}

/// Whether an upstream's response opens a websocket for a key.
pub(crate) fn is_opened(headers: &HeaderMap, key: &[u8]) -> bool {
    let is_websocket =
        headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    is_websocket
        && headers
            .get(header::SEC_WEBSOCKET_ACCEPT)
            .is_some_and(|value| value.as_bytes() == frames::accepted(key).as_bytes())
}

/// The first message of a client of Prefect 3.
#[derive(Deserialize)]
struct Auth {
    r#type: String,
    #[serde(default)]
    token: Option<String>,
}

/// What takes its place on the way to the upstream.
#[derive(Serialize)]
struct OwnAuth {
    r#type: &'static str,
    token: Option<String>,
}

/// The client's side of a websocket, before the upstream's is open.
pub(crate) struct Client {
    stream: TokioIo<Upgraded>,
    received: Vec<u8>,
    mask: [u8; 4],
}

/// What a client has said first.
pub(crate) struct Greeting {
    pub(crate) client: Client,
    /// The token, if it isn't null.
    pub(crate) token: Option<String>,
}

impl Client {
    /// Waits for the first message of a client.
    ///
    /// # Errors
    /// The client, to be told that it isn't one; `None` if it has gone.
    pub(crate) async fn greet(upgrade: OnUpgrade) -> Result<Greeting, Option<Self>> {
        let stream = TokioIo::new(upgrade.await.map_err(|_| None)?);
        let mut client = Self { stream, received: Vec::new(), mask: [0; 4] };
        let read = timeout(FIRST_WITHIN, async {
            loop {
                match frames::first(&client.received) {
                    First::Text(text, mask, length) => return Some((text, mask, length)),
                    // Prefect waits for the answer to a ping before it says who it is.
                    First::Control(answer, length) => {
                        client.received.drain(..length);
                        client.stream.write_all(&answer).await.ok()?;
                        client.stream.flush().await.ok()?;
                    }
                    First::Other => return None,
                    First::Incomplete => {
                        if client.stream.read_buf(&mut client.received).await.ok()? == 0 {
                            return None;
                        }
                    }
                }
            }
        });
        let Ok(Some((text, mask, length))) = read.await else { return Err(Some(client)) };
        let Some(auth) = serde_json::from_str::<Auth>(&text).ok().filter(|auth| auth.r#type == "auth") else {
            return Err(Some(client));
        };
        client.received.drain(..length);
        client.mask = mask;
        // A user name may precede the key, as in `Authorization: Basic`.
        let token = auth.token.map(|token| token.split_once(':').map_or(token.as_str(), |(_, key)| key).to_owned());
        Ok(Greeting { client, token: token.filter(|token| !token.is_empty()) })
    }

    /// Closes the connection, with a reason that the client prints.
    pub(crate) async fn close(mut self, status: u16, reason: &str) {
        self.stream.write_all(&frames::close(status, reason)).await.ok();
        self.stream.flush().await.ok();
        let (reader, mut writer) = split(self.stream);
        discard(reader).await;
        writer.shutdown().await.ok();
    }

    /// Returns what the upstream is told instead of the client's first message, and what followed that.
    fn own_greeting(&mut self, authorization: Option<&HeaderValue>) -> Vec<u8> {
        let own = OwnAuth { r#type: "auth", token: authorization.and_then(secret_of) };
        let text = serde_json::to_string(&own).unwrap_or_default();
        let mut bytes = frames::masked_text(&text, self.mask);
        bytes.append(&mut self.received);
        bytes
    }
}

/// Returns the secret in an `Authorization`, as Prefect sends it in a message.
fn secret_of(authorization: &HeaderValue) -> Option<String> {
    let (scheme, rest) = authorization.to_str().ok()?.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return Some(rest.trim().to_owned());
    }
    String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()
}

/// What a websocket passes through.
pub(crate) struct Tunnel {
    pub(crate) seat: Option<Seat>,
    pub(crate) idle: Duration,
    pub(crate) drain: Drain,
}

impl Tunnel {
    /// Connects a client whose websocket the upstream has accepted, until it ends.
    pub(crate) async fn run(self, client: OnUpgrade, upstream: OnUpgrade) {
        if let (Ok(client), Ok(upstream)) = (client.await, upstream.await) {
            self.relay(TokioIo::new(client), TokioIo::new(upstream)).await;
        }
    }

    /// As [`Tunnel::run`], for a client that has introduced itself.
    pub(crate) async fn run_greeted(
        self,
        mut client: Client,
        upstream: OnUpgrade,
        authorization: Option<&HeaderValue>,
    ) {
        let Ok(upstream) = upstream.await else { return client.close(frames::TRY_LATER, "The upstream failed.").await };
        let mut upstream = TokioIo::new(upstream);
        let greeting = client.own_greeting(authorization);
        if upstream.write_all(&greeting).await.is_err() || upstream.flush().await.is_err() {
            return client.close(frames::TRY_LATER, "The upstream failed.").await;
        }
        self.relay(client.stream, upstream).await;
    }

    async fn relay(self, client: TokioIo<Upgraded>, upstream: TokioIo<Upgraded>) {
        let (client_reader, client_writer) = split(client);
        let (upstream_reader, upstream_writer) = split(upstream);
        let end = Arc::new(End { stop: CancellationToken::new(), why: OnceLock::new(), progress: Progress::default() });
        let seat = self.seat;
        let cut = async {
            match &seat {
                Some(seat) => seat.cut().given().await,
                None => std::future::pending().await,
            }
        };
        let mut cut = pin!(cut);
        let up = pin!(send_up(client_reader, upstream_writer, &end));
        let down = pin!(send_down(upstream_reader, client_writer, &end));
        let relayed = async {
            match futures::future::select(up, down).await {
                futures::future::Either::Left(((), down)) => timeout(OTHER_DIRECTION, down).await.ok(),
                futures::future::Either::Right(((), up)) => timeout(CLOSING, up).await.ok(),
            };
        };
        let mut relayed = pin!(relayed);
        let mut drained = pin!(self.drain.ended());
        loop {
            let idle_at = end.progress.last() + self.idle;
            tokio::select! {
                () = &mut relayed => return,
                () = &mut cut, if !end.stop.is_cancelled() => end.stop((frames::POLICY, NOT_VALID)),
                () = &mut drained, if !end.stop.is_cancelled() => end.stop((frames::GOING_AWAY, "The server is about to stop.")),
                () = sleep_until(idle_at), if !end.stop.is_cancelled() => {
                    if tokio::time::Instant::now() >= end.progress.last() + self.idle {
                        end.stop((frames::GOING_AWAY, "The connection was idle for too long."));
                    }
                }
            }
        }
    }
}

/// When a websocket ends, besides by its own.
struct End {
    /// The gateway closes it.
    stop: CancellationToken,
    why: OnceLock<(u16, &'static str)>,
    progress: Progress,
}

impl End {
    fn stop(&self, why: (u16, &'static str)) {
        self.why.set(why).ok();
        self.stop.cancel();
    }

    fn reason(&self) -> (u16, &'static str) {
        self.why.get().copied().unwrap_or((frames::POLICY, NOT_VALID))
    }
}

/// Hands on what the client sends. After the end, only reads on, so that the client can read why.
async fn send_up<S: AsyncRead + AsyncWrite>(mut client: ReadHalf<S>, mut upstream: WriteHalf<S>, end: &End) {
    let mut piece = vec![0; PIECE];
    let relayed = async {
        loop {
            match client.read(&mut piece).await {
                Ok(length) if length > 0 => {
                    end.progress.record();
                    if upstream.write_all(&piece[..length]).await.is_err() || upstream.flush().await.is_err() {
                        return;
                    }
                }
                _ => return,
            }
        }
    };
    tokio::select! {
        biased;
        () = end.stop.cancelled() => (),
        () = relayed => {
            upstream.shutdown().await.ok();
            return;
        }
    }
    drop(upstream);
    discard(client).await;
}

/// Hands on what the upstream sends. At the end, closes the connection between two frames.
async fn send_down<S: AsyncRead + AsyncWrite>(mut upstream: ReadHalf<S>, mut client: WriteHalf<S>, end: &End) {
    let mut piece = vec![0; PIECE];
    let mut sent = Frames::default();
    loop {
        let read = tokio::select! {
            biased;
            () = end.stop.cancelled() => break,
            read = upstream.read(&mut piece) => read,
        };
        let Some(length) = read.ok().filter(|length| *length > 0) else {
            client.shutdown().await.ok();
            return;
        };
        end.progress.record();
        let mut written =
            pin!(async { client.write_all(&piece[..length]).await.is_ok() && client.flush().await.is_ok() });
        let is_written = tokio::select! {
            is_written = &mut written => is_written,
            // A client that doesn't read isn't told why.
            () = end.stop.cancelled() => timeout(END_OF_FRAME, &mut written).await.unwrap_or(false),
        };
        if !is_written {
            return;
        }
        sent.follow(&piece[..length]);
    }
    let rest = timeout(END_OF_FRAME, async {
        while sent.missing() > 0 {
            let wanted = usize::try_from(sent.missing()).unwrap_or(PIECE).min(PIECE);
            let Some(length) = upstream.read(&mut piece[..wanted]).await.ok().filter(|length| *length > 0) else {
                return false;
            };
            if client.write_all(&piece[..length]).await.is_err() {
                return false;
            }
            sent.follow(&piece[..length]);
        }
        true
    });
    if rest.await == Ok(true) && !sent.has_close() {
        let (status, reason) = end.reason();
        let closing = async {
            client.write_all(&frames::close(status, reason)).await.ok();
            client.flush().await.ok();
        };
        timeout(END_OF_FRAME, closing).await.ok();
    }
    client.shutdown().await.ok();
}

/// Reads until the other side has closed the connection, so that it can read what it was sent last.
async fn discard(mut reader: impl AsyncRead + Unpin) {
    let mut piece = vec![0; 1_024];
    timeout(CLOSING, async { while reader.read(&mut piece).await.is_ok_and(|length| length > 0) {} }).await.ok();
}
