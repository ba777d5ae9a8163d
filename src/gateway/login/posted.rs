//! Reads what a form sent: bounded in size and time, into memory that is wiped.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::gateway::body::Body;
use crate::gateway::plain;
use crate::visitors::Form;

/// Larger forms are none of ours.
const LARGEST: usize = 16 * 1024;
/// How long sending one may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A form that could not be read.
#[derive(Debug)]
pub(super) struct Unread {
    status: StatusCode,
    sentence: String,
    headers: HeaderMap,
}

impl Unread {
    pub(super) fn answer(self) -> Response<Body> {
        plain::sentence(self.status, &self.sentence, &self.headers)
    }
}

/// The fields of these names, and the request's headers.
pub(super) async fn read(
    request: Request<Incoming>,
    names: &[&'static str],
) -> Result<(HeaderMap, Form), Unread> {
    let (parts, body) = request.into_parts();
    let read = fields(&parts.headers, body, names).await;
    match read {
        Ok(form) => Ok((parts.headers, form)),
        Err((status, sentence)) => Err(Unread {
            status,
            sentence,
            headers: parts.headers,
        }),
    }
}

async fn fields(
    headers: &HeaderMap,
    body: Incoming,
    names: &[&'static str],
) -> Result<Form, (StatusCode, String)> {
    let kind = headers.get(CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    let kind = kind
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    if !kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        let sentence = "Only what a form sends is taken here: application/x-www-form-urlencoded.";
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence.to_owned()));
    }
    let late = || {
        (
            StatusCode::REQUEST_TIMEOUT,
            "The form was not sent in time.".to_owned(),
        )
    };
    let text = timeout(PATIENCE, whole(body)).await.map_err(|_| late())??;
    Form::parse(&text, names).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

/// The whole body, in one piece of memory that never grows, so that no part of it is left behind.
async fn whole(mut body: Incoming) -> Result<Zeroizing<Vec<u8>>, (StatusCode, String)> {
    let mut text = Zeroizing::new(Vec::with_capacity(LARGEST));
    while let Some(frame) = body.frame().await {
        let broken = |_| (StatusCode::BAD_REQUEST, "The form can not be read.".to_owned());
        let Ok(data) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if text.len() + data.len() > LARGEST {
            return Err((
                StatusCode::PAYLOAD_TOO_LARGE,
                "The form is larger than 16 KiB.".to_owned(),
            ));
        }
        text.extend_from_slice(&data);
    }
    Ok(text)
}
