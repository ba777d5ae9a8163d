//! A form that comes back: read within bounds, checked, and handed on.

use std::sync::LazyLock;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use tokio::sync::Semaphore;

use super::multipart::{self, MultipartError};
use super::{At, Refused, VARIANTS};
use crate::content::form::Sent;
use crate::gateway::body::{Body, RequestBody};
use crate::gateway::{origin, plain};

/// Answers without files.
const MOST_BYTES: usize = 2 * 1024 * 1024;
/// Answers with files.
const MOST_WITH_FILES: usize = 32 * 1024 * 1024;
/// How long a visitor may be silent, and how long all of it may take.
const SILENCE: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(300);
/// Forms that are read at once: each is held in memory, where what is secret in it belongs.
static READERS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(8));

/// Why a form is not read.
enum Unread {
    TooLarge,
    Late,
    Busy,
    Multipart(MultipartError),
}

impl At<'_> {
    /// Renders with the answers, or shows the form again.
    pub(super) async fn submit(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let headers = &parts.headers;
        if origin::check(headers, &self.visit.public).is_err() {
            let sentence = "A page of another site may not send this form; open it here and send it again.";
            return plain::sentence(StatusCode::FORBIDDEN, sentence, headers);
        }
        let sent = match self.read(headers, body).await {
            Ok(sent) => sent,
            Err(unread) => return unread.answer(headers),
        };
        let keys = self.visit.shared().keys.keys();
        let token = sent.first("token");
        let app = &self.entry.route.app;
        let browser = self
            .browser(headers)
            .filter(|browser| browser.has_token(token, &keys, app, self.now));
        let Some(owner) = browser.and_then(|browser| self.owner(Some(browser))) else {
            let fault = "The form was open for too long, or your browser keeps no cookies: check the answers and send them \
                         again";
            return self.shown(headers, &sent, &[], Some(fault)).await;
        };
        let answers = match self.desk.form().read(&sent) {
            Ok(answers) => answers,
            Err(problems) => return self.shown(headers, &sent, &problems, None).await,
        };
        match self.desk.ask(owner, self.visit.public.visitor, answers).await {
            Ok(id) => see(&self.path(&format!("{VARIANTS}/{id}/"))),
            Err(Refused::Unfit(sentence)) => self.shown(headers, &sent, &[], Some(&sentence)).await,
            Err(Refused::Busy(sentence)) => {
                let mut answer = self.shown(headers, &sent, &[], Some(&sentence)).await;
                *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
                answer
                    .headers_mut()
                    .insert(RETRY_AFTER, HeaderValue::from_static("30"));
                answer
            }
            Err(Refused::Failed) => {
                let fault = "The server can not render at present; its log says why. Try again later";
                let mut answer = self.shown(headers, &sent, &[], Some(fault)).await;
                *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                answer
            }
        }
    }

    async fn read(&self, headers: &HeaderMap, body: Incoming) -> Result<Sent, Unread> {
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        let boundary =
            multipart::boundary(text(CONTENT_TYPE).unwrap_or_default()).map_err(Unread::Multipart)?;
        let most = if self.desk.form().takes_files() {
            MOST_WITH_FILES
        } else {
            MOST_BYTES
        };
        let told: Option<usize> = text(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        if told.is_some_and(|length| length > most) {
            return Err(Unread::TooLarge);
        }
        let _turn = READERS.try_acquire().map_err(|_| Unread::Busy)?;
        let body = Limited::new(RequestBody::new(body, Some(SILENCE)), most).collect();
        let bytes: Bytes = match tokio::time::timeout(LONGEST, body).await {
            Ok(Ok(collected)) => collected.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Unread::TooLarge),
            Ok(Err(_)) | Err(_) => return Err(Unread::Late),
        };
        multipart::parse(&bytes, &boundary).map_err(Unread::Multipart)
    }
}

impl Unread {
    fn answer(&self, headers: &HeaderMap) -> Response<Body> {
        let (status, sentence) = match self {
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "The answers are too large: files can have 32 MiB together, everything else 2 MiB."
                    .to_owned(),
            ),
            Self::Late => (
                StatusCode::REQUEST_TIMEOUT,
                "The answers did not arrive in time; send them again.".to_owned(),
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many answers arrive at once; send them again in a moment.".to_owned(),
            ),
            Self::Multipart(error) => (
                StatusCode::BAD_REQUEST,
                format!("{}.", capital(&error.to_string())),
            ),
        };
        plain::sentence(status, &sentence, headers)
    }
}

fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// To the result: a browser that loads that page again does not send the form again.
fn see(location: &str) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(location) = HeaderValue::from_str(location) {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
