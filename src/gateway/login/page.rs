//! The pages to log in and out at: plain forms, which work without scripts.

use http::header::{RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::audit::{Event, note};
use super::cookies::{FORM, LOGIN};
use super::gate::{challenge, see};
use super::logins::{LogIns, NoLogIn};
use super::posted;
use super::{Door, now};
use crate::gateway::body::Body;
use crate::gateway::cookie_keys::random_id;
use crate::gateway::keyring::Seal;
use crate::gateway::origin;
use crate::gateway::pages::{self, LogInForm, LogOutForm, Page, Place};
use crate::gateway::plain;
use crate::gateway::service::Visit;
use crate::visitors::{self, CheckError, Form, LoginId};

/// How long a form may be open before it is sent, in seconds.
const OPEN: u64 = 12 * 3600;
const EXPIRED: &str = "This page was open for too long, or your browser keeps no cookies. Try again.";

/// Answers what is asked of these pages; none where there are no such pages, or another one is meant.
pub(in crate::gateway) async fn serve(
    visit: &Visit<'_>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Request<Incoming>> {
    let Door::Page(logins) = &visit.shared().door else {
        return Err(request);
    };
    let is_login = match request.uri().path() {
        visitors::LOGIN => true,
        visitors::LOGOUT => false,
        _ => return Err(request),
    };
    Ok(match (is_login, request.method()) {
        (true, &Method::GET | &Method::HEAD) => ask(visit, logins, &request),
        (false, &Method::GET | &Method::HEAD) => ask_out(visit, request.headers()),
        (is_login, &Method::POST) => {
            if let Err(foreign) = origin::check(request.headers(), &visit.public) {
                tracing::warn!(address = %visit.public.visitor, "a form is refused: {foreign}");
                let sentence = "This form was sent by a page of another site.";
                return Ok(plain::sentence(
                    StatusCode::FORBIDDEN,
                    sentence,
                    request.headers(),
                ));
            }
            if is_login {
                log_in(visit, logins, request).await
            } else {
                log_out(visit, logins, request).await
            }
        }
        _ => plain::only("GET, HEAD, POST", request.headers()),
    })
}

/// What a form to log in shows beside its fields.
#[derive(Default)]
struct Told<'a> {
    status: StatusCode,
    user: &'a str,
    back: &'a str,
    problem: Option<String>,
    /// Seconds.
    wait: Option<u64>,
}

fn ask<B>(visit: &Visit<'_>, logins: &LogIns, request: &Request<B>) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default();
    let form = Form::parse(query.as_bytes(), &["return"]);
    let asked = form.as_ref().ok().and_then(|form| form.text("return"));
    let back = visitors::back(asked.unwrap_or_default());
    if visit.login.is_some() {
        return see(back);
    }
    let told = Told {
        back,
        ..Told::default()
    };
    show(visit, logins, request.headers(), &told)
}

/// The page, with a token that only this browser can send back.
fn show(visit: &Visit<'_>, logins: &LogIns, headers: &HeaderMap, told: &Told<'_>) -> Response<Body> {
    let is_https = visit.public.is_https;
    // Several pages may be open in one browser.
    let known = nonces(visit, headers).next();
    let nonce = known.unwrap_or_else(|| random_id().unwrap_or_default().to_be_bytes());
    let token = visit.shared().keys.keys().seal(Seal::LogInForm, now(), &nonce);
    let form = LogInForm {
        token: &token,
        back: told.back,
        user: told.user,
        problem: told.problem.as_deref(),
        notice: logins.notice(),
        status: told.status,
    };
    let mut answer = pages::answer(headers, &place(visit), &Page::LogIn(&form)).map(Body::from);
    let hexadecimal = format!("{:032x}", u128::from_be_bytes(nonce));
    if let Some(cookie) = FORM.set(&hexadecimal, is_https) {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
    if told.status == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(WWW_AUTHENTICATE, challenge(true));
    }
    if let Some(wait) = told.wait {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait));
    }
    answer
}

/// Random numbers that forms of this browser were sent with.
fn nonces(visit: &Visit<'_>, headers: &HeaderMap) -> impl Iterator<Item = [u8; 16]> {
    FORM.values(headers, visit.public.is_https).filter_map(|value| {
        let text = std::str::from_utf8(value).ok().filter(|text| text.len() == 32)?;
        u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
    })
}

async fn log_in(visit: &Visit<'_>, logins: &LogIns, request: Request<Incoming>) -> Response<Body> {
    let (headers, mut form) = match posted::read(request, &["user", "password", "token", "return"]).await {
        Ok(read) => read,
        Err(unread) => return unread.answer(),
    };
    let password = form.take("password").unwrap_or_default();
    let (user, token) = (
        form.text("user").unwrap_or_default(),
        form.text("token").unwrap_or_default(),
    );
    let back = visitors::back(form.text("return").unwrap_or_default());
    let told = |status: StatusCode, problem: &str| Told {
        status,
        user,
        back,
        problem: Some(problem.to_owned()),
        wait: None,
    };
    let keys = visit.shared().keys.keys();
    let opened = keys.open(&[Seal::LogInForm], token.as_bytes(), now(), OPEN);
    if !opened.is_ok_and(|token| nonces(visit, &headers).any(|nonce| nonce == token.body[..])) {
        return show(visit, logins, &headers, &told(StatusCode::BAD_REQUEST, EXPIRED));
    }
    if user.trim().is_empty() || password.is_empty() {
        return show(
            visit,
            logins,
            &headers,
            &told(StatusCode::BAD_REQUEST, "Enter your name and your password."),
        );
    }
    match logins.begin(&keys, user, password, visit.public.visitor).await {
        Ok((visitor, value)) => {
            note(visit, Event::LoggedIn(&visitor.user));
            // The one before it is not left behind.
            if let Some(before) = visit.login
                && let Err(error) = logins.log_out(before, false).await
            {
                tracing::warn!("{error}");
            }
            let mut answer = see(back);
            let is_https = visit.public.is_https;
            for cookie in [LOGIN.set(&value, is_https), FORM.clear(is_https)]
                .into_iter()
                .flatten()
            {
                answer.headers_mut().append(SET_COOKIE, cookie);
            }
            answer
        }
        Err(why) => {
            let (status, problem, wait) = refusal(visit, user, &why);
            let told = Told {
                wait,
                ..told(status, &problem)
            };
            show(visit, logins, &headers, &told)
        }
    }
}

/// What is said, written down and counted. Names that do not exist are answered as wrong passwords are.
fn refusal(visit: &Visit<'_>, user: &str, why: &NoLogIn) -> (StatusCode, String, Option<u64>) {
    let said = |status, problem: &str| (status, problem.to_owned(), None);
    match why {
        NoLogIn::Throttled(wait) => {
            note(visit, Event::Throttled);
            let seconds = wait.as_secs() + 1;
            let problem = format!("There were too many attempts. Wait for {seconds} s, and try again.");
            (StatusCode::TOO_MANY_REQUESTS, problem, Some(seconds))
        }
        NoLogIn::Check(CheckError::Refused { is_known, why }) => {
            note(visit, Event::Refused(is_known.then_some(user), why));
            said(StatusCode::UNAUTHORIZED, "The name or the password is wrong.")
        }
        NoLogIn::Check(CheckError::Expired) => {
            note(visit, Event::Expired(user));
            said(
                StatusCode::FORBIDDEN,
                "Your password has expired. Change it, and log in again.",
            )
        }
        NoLogIn::Check(CheckError::Unavailable(why)) => {
            note(visit, Event::Unavailable(why));
            said(
                StatusCode::SERVICE_UNAVAILABLE,
                "Passwords can not be checked at the moment. Try again in a while.",
            )
        }
    }
}

/// Who is logged in, and the way out.
fn ask_out(visit: &Visit<'_>, headers: &HeaderMap) -> Response<Body> {
    let (Some(visitor), Some(login)) = (&visit.visitor, visit.login) else {
        return pages::answer(headers, &place(visit), &Page::LoggedOut).map(Body::from);
    };
    let token = visit
        .shared()
        .keys
        .keys()
        .seal(Seal::LogOutForm, now(), &login.0.to_be_bytes());
    let form = LogOutForm {
        token: &token,
        user: &visitor.user,
    };
    pages::answer(headers, &place(visit), &Page::LogOut(&form)).map(Body::from)
}

async fn log_out(visit: &Visit<'_>, logins: &LogIns, request: Request<Incoming>) -> Response<Body> {
    let (headers, form) = match posted::read(request, &["token", "everywhere"]).await {
        Ok(read) => read,
        Err(unread) => return unread.answer(),
    };
    let (Some(visitor), Some(LoginId(login))) = (&visit.visitor, visit.login) else {
        return see(visitors::LOGOUT);
    };
    let token = form.text("token").unwrap_or_default();
    let opened = visit
        .shared()
        .keys
        .keys()
        .open(&[Seal::LogOutForm], token.as_bytes(), now(), OPEN);
    if !opened.is_ok_and(|token| token.body[..] == login.to_be_bytes()) {
        return ask_out(visit, &headers);
    }
    if let Err(error) = logins
        .log_out(LoginId(login), form.text("everywhere").is_some())
        .await
    {
        tracing::error!("{error}");
        let sentence = "You can not be logged out at the moment; try again in a while.";
        return plain::sentence(StatusCode::SERVICE_UNAVAILABLE, sentence, &headers);
    }
    note(visit, Event::LoggedOut(&visitor.user));
    let mut answer = see(visitors::LOGOUT);
    if let Some(cookie) = LOGIN.clear(visit.public.is_https) {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
    answer
}

fn place<'a>(visit: &'a Visit<'_>) -> Place<'a> {
    Place {
        request_id: visit.id.to_str().ok(),
        ..Place::default()
    }
}
