//! What the gateway has to say itself, where no application answers.

use std::fmt;
use std::time::Duration;

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method, Response};

use super::backend::NoSeat;
use super::body::Body;
use super::route::Entry;
use crate::apps::Failure;

/// What there is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Nothing is served at this address.
    NotFound,
    /// A process starts.
    Starting {
        /// For how long already.
        running: Duration,
    },
    /// The process did not get ready.
    Failed(Failure),
    /// Nothing may run at present.
    Held(Failure),
    /// Nothing may run for this visitor: one sentence.
    Refused(String),
    /// All processes are full.
    Busy,
    /// There is no process, and no room for one.
    Queued,
    /// Too many wait already.
    QueueFull,
    /// The gateway ends.
    Closing,
    /// The process ended, or answered what can not be understood.
    Broken,
    /// The process did not answer in time.
    Late,
}

impl From<NoSeat> for Notice {
    fn from(why: NoSeat) -> Self {
        match why {
            NoSeat::Unknown => Self::NotFound,
            NoSeat::Held(failure) => Self::Held(failure),
            NoSeat::Failed(failure) => Self::Failed(failure),
            NoSeat::Busy => Self::Busy,
            NoSeat::Queued => Self::Queued,
            NoSeat::QueueFull => Self::QueueFull,
            NoSeat::Starting { since } => Self::Starting {
                running: since.elapsed(),
            },
            NoSeat::Closing => Self::Closing,
        }
    }
}

impl Notice {
    /// One word, for metrics.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotFound => "unknown",
            Self::Starting { .. } => "starting",
            Self::Failed(_) => "failed",
            Self::Held(_) => "held",
            Self::Refused(_) => "refused",
            Self::Busy => "busy",
            Self::Queued => "queued",
            Self::QueueFull => "queue_full",
            Self::Closing => "closing",
            Self::Broken => "broken",
            Self::Late => "late",
        }
    }
}

/// Whom something is said to.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The application, if there is one.
    pub entry: Option<&'a Entry>,
    /// The method of the request.
    pub method: &'a Method,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its name.
    pub id: &'a HeaderValue,
}

/// Makes pages for people, and what programs get in their place.
pub trait Pages: Send + Sync + fmt::Debug {
    /// What says this of an application, or of none.
    fn page(&self, notice: &Notice, asked: &Asked<'_>) -> Response<Body>;
}

/// Whether a person asks for a page: a browser that goes somewhere, rather than a script or a picture.
#[must_use]
pub fn is_page(method: &Method, headers: &HeaderMap) -> bool {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return false;
    }
    match headers.get("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => {
            let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
            accept.is_some_and(|accept| accept.contains("text/html"))
        }
    }
}
