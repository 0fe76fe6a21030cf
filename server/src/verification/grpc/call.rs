//! One call of gRPC over HTTP/2: a message in, a message or a status out. There are no streams, and no compression.

use std::time::Duration;

use axum::body::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use prost::Message;
use tokio::sync::Semaphore;

/// The largest message, in bytes. It has the head of a request, which Envoy limits to 60 KiB.
pub(super) const MAX_MESSAGE: usize = 128 * 1_024;
/// The flag and the length that precede a message.
const PREFIX: usize = 5;
/// How long a message may take to arrive.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// Why a call fails, by the codes of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Unavailable = 14,
}

impl Failure {
    fn message(self) -> &'static str {
        match self {
            Self::InvalidArgument => "The message can't be read.",
            Self::DeadlineExceeded => "The message didn't arrive in time.",
            Self::ResourceExhausted => "The message is too large.",
            Self::Unimplemented => "There is no such method.",
            Self::Unavailable => "The key can't be checked at the moment.",
        }
    }
}

/// Whether a request is a call of gRPC. Anything else is answered by a status of HTTP.
pub(super) fn is_grpc(request: &Request<RecvStream>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let rest = kind.strip_prefix(b"application/grpc");
    request.method() == Method::POST && rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// Reads the message of a call, as far as there is room.
pub(super) async fn read<M: Message + Default>(body: &mut RecvStream, room: &Semaphore) -> Result<M, Failure> {
    let bytes =
        tokio::time::timeout(READ_WITHIN, read_all(body, room)).await.map_err(|_| Failure::DeadlineExceeded)??;
    let (prefix, message) = bytes.split_at_checked(PREFIX).ok_or(Failure::InvalidArgument)?;
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    if prefix[0] != 0 {
        return Err(Failure::Unimplemented);
    }
    if usize::try_from(length) != Ok(message.len()) {
        return Err(Failure::InvalidArgument);
    }
    M::decode(message).map_err(|_| Failure::InvalidArgument)
}

/// Receives as much as there is room for. The room is free again when the whole message is here, which is handled at once.
async fn read_all(body: &mut RecvStream, room: &Semaphore) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut kept = room.acquire_many(0).await.map_err(|_| Failure::Unavailable)?;
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(|_| Failure::InvalidArgument)?;
        if bytes.len() + chunk.len() > MAX_MESSAGE + PREFIX {
            return Err(Failure::ResourceExhausted);
        }
        let length = u32::try_from(chunk.len()).map_err(|_| Failure::ResourceExhausted)?;
        kept.merge(room.acquire_many(length).await.map_err(|_| Failure::Unavailable)?);
        body.flow_control().release_capacity(chunk.len()).ok();
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Answers a call. A client that is gone isn't worth a log entry.
pub(super) fn answer(respond: SendResponse<Bytes>, answer: Result<impl Message, Failure>) -> Result<(), h2::Error> {
    match answer {
        Ok(message) => send(respond, &message),
        Err(failure) => fail(respond, failure),
    }
}

fn send(mut respond: SendResponse<Bytes>, message: &impl Message) -> Result<(), h2::Error> {
    let mut bytes = vec![0; PREFIX];
    let Ok(length) = u32::try_from(message.encoded_len()) else { return fail(respond, Failure::Unavailable) };
    bytes[1..].copy_from_slice(&length.to_be_bytes());
    // A vector grows as needed, so this can't fail.
    message.encode(&mut bytes).ok();
    let mut stream = respond.send_response(response(), false)?;
    stream.send_data(Bytes::from(bytes), false)?;
    stream.send_trailers(HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from(0))]))
}

fn fail(mut respond: SendResponse<Bytes>, failure: Failure) -> Result<(), h2::Error> {
    let mut response = response();
    response.headers_mut().insert(GRPC_STATUS, HeaderValue::from(failure as u16));
    response.headers_mut().insert(GRPC_MESSAGE, HeaderValue::from_static(failure.message()));
    respond.send_response(response, true).map(drop)
}

/// Answers a request that isn't a call of gRPC.
pub(super) fn refuse(mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    respond.send_response(response, true).map(drop)
}

const GRPC_STATUS: http::HeaderName = http::HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: http::HeaderName = http::HeaderName::from_static("grpc-message");

fn response() -> Response<()> {
    let mut response = Response::new(());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}
