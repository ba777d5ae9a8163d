//! Answers of the gateway itself that are one sentence.

use http::header::{ALLOW, CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::body::Body;
use super::pages::{self, Page, Place};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// One sentence, in the form that was asked for.
#[must_use]
pub fn sentence(status: StatusCode, message: &str, asked: &HeaderMap) -> Response<Body> {
    let page = Page::Refused { status, message };
    pages::answer(asked, &Place::default(), &page).map(Body::from)
}

/// There is nothing at this address.
#[must_use]
pub fn nothing(asked: &HeaderMap) -> Response<Body> {
    pages::answer(asked, &Place::default(), &Page::NotFound).map(Body::from)
}

/// Sends the visitor to another address; method and body stay.
#[must_use]
pub fn elsewhere(location: &str, asked: &HeaderMap) -> Response<Body> {
    let Ok(value) = HeaderValue::from_str(location) else {
        return sentence(
            StatusCode::BAD_REQUEST,
            "The address can not be understood.",
            asked,
        );
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(LOCATION, value);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

/// A method that is not answered here.
#[must_use]
pub fn only(methods: &'static str, asked: &HeaderMap) -> Response<Body> {
    let mut response = sentence(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("Only {methods} is answered here."),
        asked,
    );
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(methods));
    response
}
