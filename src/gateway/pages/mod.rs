//! What visitors are told where no content answers: pages for people, RFC 9457 for programs, else plain text.

mod forms;
pub(in crate::gateway) mod html;
mod own;
mod words;

use std::borrow::Cow;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::accept::{self, Form};
use super::local_body::LocalBody;
use crate::apps::Failure;

use forms::Form as OwnForm;
pub use forms::{LogInForm, LogOutForm};
pub use own::OwnPages;

/// Where a request went, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<'a> {
    /// The application's name for people; empty where there is none.
    pub name: &'a str,
    /// Its path, without a slash at its end.
    pub path: &'a str,
    /// By which the request is found in the log.
    pub request_id: Option<&'a str>,
}

/// What there is to tell.
#[derive(Clone, Copy, Debug)]
pub enum Page<'a> {
    /// A process starts.
    Starting {
        /// For how long already.
        seconds: u64,
        /// Whether the request can not just be made again: it sent something, or changes something.
        is_lost: bool,
    },
    /// The process did not get ready.
    Failed {
        /// Why: its message is for every visitor.
        failure: &'a Failure,
        /// The end of its log, for who may see it.
        log: Option<&'a str>,
    },
    /// Nothing may run at present.
    Held(&'a Failure),
    /// All processes are full, or too many wait already.
    Busy {
        /// As for [`Page::Starting`].
        is_lost: bool,
    },
    /// There is no process, and no room for one until another application's ends.
    Queued {
        /// As for [`Page::Starting`].
        is_lost: bool,
    },
    /// The gateway ends.
    Closing {
        /// As for [`Page::Starting`].
        is_lost: bool,
    },
    /// There is nothing at this address.
    NotFound,
    /// The document has no result yet.
    NotRendered,
    /// A result that a visitor has asked for is being made.
    Rendering {
        /// For how long already.
        seconds: u64,
    },
    /// How a result that a visitor may have asked for is, nobody can tell at present.
    Untold,
    /// A result that a visitor has asked for could not be made.
    NotMade {
        /// Why: its message is for every visitor.
        failure: &'a Failure,
        /// Where it can be asked for once more.
        form: &'a str,
    },
    /// Somebody can log in.
    LogIn(&'a LogInForm<'a>),
    /// Somebody can log out.
    LogOut(&'a LogOutForm<'a>),
    /// Nobody is logged in (any more).
    LoggedOut,
    /// Only those who are known may see it.
    NotLoggedIn {
        /// The address of the page to log in at, where there is one.
        log_in: Option<&'a str>,
    },
    /// The visitor may not see it.
    Forbidden {
        /// Who it is.
        user: &'a str,
        /// Whether the visitor can become somebody else.
        can_log_out: bool,
    },
    /// The process answered with nothing that is an answer.
    BadGateway,
    /// The process did not answer in time.
    Timeout,
    /// The request can not be answered as it is.
    Refused {
        /// Whose fault it is.
        status: StatusCode,
        /// One sentence.
        message: &'a str,
    },
    /// Files only take `GET` and `HEAD`.
    Method,
    /// The server may not read the file.
    Unreadable,
    /// Something went wrong in the server itself.
    Internal,
}

/// A page in words.
#[derive(Debug)]
pub(super) struct Words<'a> {
    /// A word for programs and style.
    kind: &'static str,
    status: StatusCode,
    title: &'static str,
    /// For people.
    text: Cow<'a, str>,
    /// For programs.
    detail: Cow<'a, str>,
    /// Seconds after which a program may ask again.
    retry_after: Option<u64>,
    wait: Option<Wait>,
    /// Where a person can go on: words and an address. An empty one is that of the page itself, with path and query.
    action: Option<(&'static str, &'a str)>,
    form: Option<OwnForm<'a>>,
    log: Option<&'a str>,
}

/// How a page waits for something else to take its place.
#[derive(Debug)]
pub(super) struct Wait {
    /// States of the application that end it; none where only time does.
    leave: &'static str,
    /// Seconds between two looks of a browser without scripts.
    every: u64,
    /// Seconds that have passed, where they are told.
    seconds: Option<u64>,
    /// What takes them.
    doing: &'static str,
    /// What is told where they are many.
    slow: &'static str,
    /// What was sent is lost, so that nothing happens by itself.
    is_lost: bool,
}

/// RFC 9457, with what a program may want to know besides.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// The answer to a request with these headers.
#[must_use]
pub fn answer(headers: &HeaderMap, place: &Place<'_>, page: &Page<'_>) -> Response<LocalBody> {
    let words = page.words();
    let (kind, body) = match accept::form(headers) {
        Form::Html => ("text/html; charset=utf-8", html::page(place, &words)),
        Form::Json => ("application/problem+json", problem(place, &words)),
        Form::Text => ("text/plain; charset=utf-8", text(&words)),
    };
    let mut answer = Response::new(LocalBody::from(body));
    *answer.status_mut() = words.status;
    let mut set = |name: HeaderName, value: HeaderValue| answer.headers_mut().insert(name, value);
    set(CONTENT_TYPE, HeaderValue::from_static(kind));
    set(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set(VARY, HeaderValue::from_static("Accept"));
    set(
        HeaderName::from_static("content-security-policy"),
        html::policy(words.form.is_some()),
    );
    set(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    set(
        HeaderName::from_static("referrer-policy"),
        HeaderValue::from_static("same-origin"),
    );
    if let Some(seconds) = words.retry_after {
        set(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

fn problem(place: &Place<'_>, words: &Words<'_>) -> String {
    let problem = Problem {
        r#type: "about:blank",
        title: words.title,
        status: words.status.as_u16(),
        detail: &words.detail,
        reason: words.kind,
        retry_after_seconds: words.retry_after,
        log: words.log,
        request_id: place.request_id,
    };
    // Texts and numbers always have a form in JSON.
    serde_json::to_string(&problem).unwrap_or_default()
}

fn text(words: &Words<'_>) -> String {
    let mut text = format!("{}\n", words.detail);
    if let Some(log) = words.log {
        text.push_str(&format!("\n{}\n", log.trim_end()));
    }
    text
}

#[cfg(test)]
mod tests;
