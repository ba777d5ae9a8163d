//! Each page in words. Pure.

use http::StatusCode;

use super::forms::{Form, LogInForm, LogOutForm};
use super::{Page, Wait, Words};
use crate::apps::Failure;
use crate::text::sentence;
use crate::visitors::{LOGIN, LOGOUT};

/// A page that always says the same.
struct Fixed {
    kind: &'static str,
    status: StatusCode,
    title: &'static str,
    text: &'static str,
    can_retry: bool,
}

const NOT_FOUND: Fixed = Fixed {
    kind: "not-found",
    status: StatusCode::NOT_FOUND,
    title: "Nothing is here",
    text: "There is nothing at this address. Check it for a mistake, or ask whoever gave it to you.",
    can_retry: false,
};
const NOT_RENDERED: Fixed = Fixed {
    kind: "not-rendered",
    status: StatusCode::NOT_FOUND,
    title: "Not rendered yet",
    text: "This document has no result yet. It appears here once it has been rendered.",
    can_retry: true,
};
const BAD_GATEWAY: Fixed = Fixed {
    kind: "bad-gateway",
    status: StatusCode::BAD_GATEWAY,
    title: "The application gave no proper answer",
    text: "It ended, or sent something that is no answer. Try again; if that does not help, tell its publisher.",
    can_retry: true,
};
const TIMEOUT: Fixed = Fixed {
    kind: "timeout",
    status: StatusCode::GATEWAY_TIMEOUT,
    title: "The application took too long",
    text: "It did not answer in time. Try again; if that does not help, tell its publisher.",
    can_retry: true,
};
const METHOD: Fixed = Fixed {
    kind: "method",
    status: StatusCode::METHOD_NOT_ALLOWED,
    title: "That can not be done here",
    text: "This address can only be read, with GET or HEAD.",
    can_retry: false,
};
const UNREADABLE: Fixed = Fixed {
    kind: "unreadable",
    status: StatusCode::FORBIDDEN,
    title: "This file can not be read",
    text: "The server may not read it. Tell its publisher to publish it again, readable for all.",
    can_retry: false,
};
const INTERNAL: Fixed = Fixed {
    kind: "internal",
    status: StatusCode::INTERNAL_SERVER_ERROR,
    title: "Something went wrong",
    text: "The server could not do what was asked. Try again later; its log says what happened.",
    can_retry: true,
};

/// The page itself, once more.
const AGAIN: (&str, &str) = ("Try again", "");

const LOST: &str = "What you sent has not arrived: go back and send it again when the application is ready.";
const LOST_NOW: &str = "What you sent has not arrived: go back and send it again in a moment.";

impl<'a> Page<'a> {
    pub(super) fn words(self) -> Words<'a> {
        match self {
            Self::Starting { seconds, is_lost } => starting(seconds, is_lost),
            Self::Busy { is_lost } => busy(is_lost),
            Self::Queued { is_lost } => queued(is_lost),
            Self::Closing { is_lost } => closing(is_lost),
            Self::Failed { failure, log } => failed(failure, log),
            Self::Held(failure) => held(failure),
            Self::Rendering { seconds } => rendering(seconds),
            Self::Untold => untold(),
            Self::NotMade { failure, form } => not_made(failure, form),
            Self::Refused { status, message } => words("refused", status, refused(status), message),
            Self::NotFound => NOT_FOUND.words(),
            Self::NotRendered => NOT_RENDERED.words(),
            Self::LogIn(form) => log_in(form),
            Self::LogOut(form) => log_out(form),
            Self::LoggedOut => logged_out(),
            Self::NotLoggedIn { log_in } => not_logged_in(log_in),
            Self::Forbidden { user, can_log_out } => forbidden(user, can_log_out),
            Self::BadGateway => BAD_GATEWAY.words(),
            Self::Timeout => TIMEOUT.words(),
            Self::Method => METHOD.words(),
            Self::Unreadable => UNREADABLE.words(),
            Self::Internal => INTERNAL.words(),
        }
    }
}

impl Fixed {
    fn words<'a>(&self) -> Words<'a> {
        Words {
            action: self.can_retry.then_some(AGAIN),
            ..words(self.kind, self.status, self.title, self.text)
        }
    }
}

/// What is told begins and ends as a sentence does, wherever it comes from.
fn words<'a>(kind: &'static str, status: StatusCode, title: &'static str, text: &'a str) -> Words<'a> {
    let text = sentence(text);
    Words {
        kind,
        status,
        title,
        detail: text.clone(),
        text,
        retry_after: None,
        wait: None,
        action: None,
        form: None,
        log: None,
    }
}

/// Something that comes by itself, and may be asked for again after so many seconds.
fn later<'a>(kind: &'static str, title: &'static str, text: &'a str, retry_after: u64) -> Words<'a> {
    Words {
        retry_after: Some(retry_after),
        ..words(kind, StatusCode::SERVICE_UNAVAILABLE, title, text)
    }
}

/// How a page waits; where what was sent is lost it only tells when it can be sent again.
fn wait(leave: &'static str, every: u64, is_lost: bool) -> Wait {
    Wait {
        leave: if is_lost { "ready failed" } else { leave },
        every,
        seconds: None,
        doing: "Starting",
        slow: "The first start after a change takes longest, and some applications need minutes. You can leave this \
               page open.",
        is_lost,
    }
}

fn starting<'a>(seconds: u64, is_lost: bool) -> Words<'a> {
    let own = "This page opens it by itself as soon as it is ready.";
    let text = if is_lost { LOST } else { own };
    let wait = Wait {
        seconds: Some(seconds),
        ..wait("ready failed busy queued idle", 3, is_lost)
    };
    Words {
        detail: "The application is starting; try again in a few seconds.".into(),
        wait: Some(wait),
        ..later("starting", "The application is starting", text, 2)
    }
}

fn rendering<'a>(seconds: u64) -> Words<'a> {
    let wait = Wait {
        seconds: Some(seconds),
        doing: "Working",
        slow: "Some reports need minutes. You can leave this page open, or come back to its address later.",
        ..wait("ready failed", 3, false)
    };
    Words {
        status: StatusCode::ACCEPTED,
        detail: "The result is being made; try again in a few seconds.".into(),
        wait: Some(wait),
        ..later(
            "rendering",
            "Your result is being made",
            "This page opens it by itself as soon as it is ready.",
            2,
        )
    }
}

fn untold<'a>() -> Words<'a> {
    let wait = Wait {
        leave: "",
        ..wait("", 3, false)
    };
    Words {
        detail: "Whether there is such a result can not be told at present; try again in a few seconds."
            .into(),
        wait: Some(wait),
        ..later(
            "untold",
            "One moment",
            "What can tell of results does not answer at present. This page tries again by itself.",
            2,
        )
    }
}

fn not_made<'a>(failure: &'a Failure, form: &'a str) -> Words<'a> {
    Words {
        action: Some(("Back to the parameters", form)),
        ..words(
            "not-made",
            StatusCode::INTERNAL_SERVER_ERROR,
            "Your result could not be made",
            &failure.message,
        )
    }
}

fn busy<'a>(is_lost: bool) -> Words<'a> {
    let own = "All its places are taken. This page opens it by itself when one is free.";
    let text = if is_lost { LOST_NOW } else { own };
    Words {
        detail: "All places of the application are taken; try again in a few seconds.".into(),
        wait: Some(wait("ready queued idle failed", 10, is_lost)),
        ..later("busy", "The application is busy", text, 10)
    }
}

fn queued<'a>(is_lost: bool) -> Words<'a> {
    let own = "As many applications run as the server has room for. This page opens it by itself when it is its turn.";
    let text = if is_lost { LOST_NOW } else { own };
    Words {
        detail: "As many applications run as the server has room for; try again in a few seconds.".into(),
        wait: Some(wait("ready starting idle busy failed", 10, is_lost)),
        ..later("queued", "The server is busy", text, 10)
    }
}

fn closing<'a>(is_lost: bool) -> Words<'a> {
    let own = "The server is restarting. This page tries again by itself.";
    let text = if is_lost { LOST_NOW } else { own };
    let wait = Wait {
        leave: "",
        ..wait("", 3, is_lost)
    };
    Words {
        detail: "The server is restarting; try again in a few seconds.".into(),
        wait: Some(wait),
        ..later("closing", "One moment", text, 2)
    }
}

fn failed<'a>(failure: &'a Failure, log: Option<&'a str>) -> Words<'a> {
    Words {
        action: Some(AGAIN),
        log,
        ..later("failed", "The application did not start", &failure.message, 30)
    }
}

fn held(failure: &Failure) -> Words<'_> {
    Words {
        wait: Some(wait("ready starting idle busy queued", 30, false)),
        ..later("held", "Not available at the moment", &failure.message, 60)
    }
}

fn log_in<'a>(form: &'a LogInForm<'a>) -> Words<'a> {
    Words {
        detail: form
            .problem
            .unwrap_or("A person can log in here, with a browser.")
            .into(),
        form: Some(Form::LogIn(form)),
        ..words("log-in", form.status, "Log in", "")
    }
}

fn log_out<'a>(form: &'a LogOutForm<'a>) -> Words<'a> {
    let text = format!("You are logged in as {}.", form.user);
    Words {
        text: text.clone().into(),
        detail: text.into(),
        form: Some(Form::LogOut(form)),
        ..words("log-out", StatusCode::OK, "Log out", "")
    }
}

fn logged_out<'a>() -> Words<'a> {
    Words {
        action: Some(("Log in", LOGIN)),
        ..words("logged-out", StatusCode::OK, "You are logged out", "")
    }
}

fn not_logged_in(log_in: Option<&str>) -> Words<'_> {
    let text = match log_in {
        Some(_) => {
            "Only those who have logged in may see this. What you sent, if you sent anything, has not arrived."
        }
        None => {
            "Only those who have logged in may see this, and the proxy before this server did not say who you are."
        }
    };
    Words {
        detail: "Only those who have logged in may see this.".into(),
        action: log_in.map(|address| ("Log in", address)),
        ..words("not-logged-in", StatusCode::UNAUTHORIZED, "Log in first", text)
    }
}

fn forbidden(user: &str, can_log_out: bool) -> Words<'_> {
    let text = format!("You are logged in as {user}, who may not see this. Its publisher can change that.");
    Words {
        text: text.into(),
        detail: "The visitor may not see this; its publisher can change that.".into(),
        action: can_log_out.then_some(("Log in as somebody else", LOGOUT)),
        ..words(
            "forbidden",
            StatusCode::FORBIDDEN,
            "This is not for you to see",
            "",
        )
    }
}

fn refused(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "The request is not understood",
        StatusCode::FORBIDDEN => "That is not allowed",
        StatusCode::NOT_FOUND => "Nothing is here",
        StatusCode::METHOD_NOT_ALLOWED => "That can not be done here",
        StatusCode::REQUEST_TIMEOUT => "The request took too long",
        StatusCode::PAYLOAD_TOO_LARGE => "That is too large",
        StatusCode::SERVICE_UNAVAILABLE => "Not available at the moment",
        _ => "That did not work",
    }
}
