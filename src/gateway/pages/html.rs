//! Pages for people: one file without anything from elsewhere, that works without scripts too. Pure.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

use super::{Place, Wait, Words};
use crate::gateway::watchers::STATE;

const PAGE: &str = include_str!("page.html");
const HEAD: &str = include_str!("head.html");
pub(in crate::gateway) const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Allows this style and this script and nothing else; only the state of applications may be asked for.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| policy_of("form-action 'none'"));
/// The same for pages with a form; it is sent to this host alone, and no other page may show it in a frame.
static FORM_POLICY: LazyLock<HeaderValue> =
    LazyLock::new(|| policy_of("form-action 'self'; frame-ancestors 'none'"));

fn policy_of(forms: &str) -> HeaderValue {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; {forms}",
        hash(STYLE),
        hash(SCRIPT),
    );
    HeaderValue::from_str(&policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}

/// The policy that pages are sent with.
pub(super) fn policy(has_form: bool) -> HeaderValue {
    if has_form {
        FORM_POLICY.clone()
    } else {
        POLICY.clone()
    }
}

/// The page.
pub(super) fn page(place: &Place<'_>, words: &Words<'_>) -> String {
    let name = escape(place.name);
    let separator = if name.is_empty() { "" } else { " – " };
    let title = format!("{}{separator}{name}", words.title);
    let wait = words.wait.as_ref();
    fill(
        PAGE,
        &[
            ("head", &head(&title, STYLE)),
            ("refresh", &wait.map(refresh).unwrap_or_default()),
            ("kind", words.kind),
            ("live", &live(place, words)),
            ("name", &named(&name)),
            ("role", if wait.is_some() { " role=\"status\"" } else { "" }),
            ("heading", words.title),
            (
                "progress",
                wait.map_or(
                    "",
                    |_| "<div class=\"bar\" id=\"bar\" aria-hidden=\"true\"></div>\n",
                ),
            ),
            ("text", &text(words)),
            ("log", &words.log.map(log).unwrap_or_default()),
            ("form", &words.form.map(|form| form.html()).unwrap_or_default()),
            ("action", &action(words)),
            ("reference", &reference(place)),
            ("script", &wait.map(script).unwrap_or_default()),
        ],
    )
}

/// What every page begins with, to the end of its style.
pub(in crate::gateway) fn head(title: &str, style: &str) -> String {
    fill(HEAD, &[("title", title), ("style", style)])
}

/// Puts values in their places, in one pass: what a value holds is never taken for a place.
pub(in crate::gateway) fn fill(page: &str, values: &[(&str, &str)]) -> String {
    let length: usize = values.iter().map(|(_, value)| value.len()).sum();
    let mut filled = String::with_capacity(page.len() + length);
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let (place, after) = after.split_once("}}").unwrap_or((after, ""));
        let value = values.iter().find(|(name, _)| *name == place);
        filled.push_str(value.map_or("", |(_, value)| value));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// For browsers without scripts. What was sent is lost, and nothing is done by itself then.
fn refresh(wait: &Wait) -> String {
    let tag = format!("<meta http-equiv=\"refresh\" content=\"{}\">", wait.every);
    match (wait.is_lost, wait.leave.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!("{tag}\n"),
        (false, false) => format!("<noscript>{tag}</noscript>\n"),
    }
}

/// What the script has to know.
fn live(place: &Place<'_>, words: &Words<'_>) -> String {
    let mut live = String::new();
    let mut data = |name: &str, value: &str| {
        // Writing to a string can not fail.
        let _ = write!(live, " data-{name}=\"{}\"", escape(value));
    };
    if words.log.is_some() {
        data("wide", "");
    }
    if let Some(wait) = words.wait.as_ref().filter(|wait| !wait.leave.is_empty()) {
        data("state", &format!("{}{STATE}", place.path));
        data("leave", wait.leave);
        if let Some(seconds) = wait.seconds {
            data("seconds", &seconds.to_string());
        }
        if wait.is_lost {
            data("lost", "");
            data("ready", "The application is ready");
            data("failed", "The application did not start");
            data(
                "again",
                "What you sent has not arrived. Go back and send it again.",
            );
        }
    }
    live
}

fn script(wait: &Wait) -> String {
    match wait.leave {
        "" => String::new(),
        _ => format!("<script>{SCRIPT}</script>\n"),
    }
}

fn text(words: &Words<'_>) -> String {
    // A form says by itself what it is for.
    let mut text = match (&*words.text, words.form) {
        ("", Some(_)) => String::new(),
        (text, _) => format!("<p id=\"text\">{}</p>\n", escape(text)),
    };
    if let Some((wait, seconds)) = words.wait.as_ref().and_then(|wait| Some((wait, wait.seconds?))) {
        let (doing, slow) = (wait.doing, wait.slow);
        let _ = write!(
            text,
            "<p class=\"soft\" id=\"timer\" role=\"timer\" aria-live=\"off\">{doing} for <span id=\"time\">{seconds} s</span></p>\n\
             <p class=\"soft\" id=\"slow\" hidden>{slow}</p>\n"
        );
    }
    text
}

fn log(log: &str) -> String {
    format!(
        "<h2 id=\"log\">The end of its log</h2>\n<pre tabindex=\"0\" role=\"region\" aria-labelledby=\"log\">{}</pre>\n",
        escape(log.trim_end())
    )
}

fn action(words: &Words<'_>) -> String {
    words.action.map_or(String::new(), |(action, address)| {
        format!(
            "<p><a class=\"button\" href=\"{}\">{action}</a></p>\n",
            escape(address)
        )
    })
}

fn reference(place: &Place<'_>) -> String {
    let Some(id) = place.request_id else {
        return String::new();
    };
    format!("<p class=\"soft reference\">Request {}</p>\n", escape(id))
}

fn named(escaped: &str) -> String {
    match escaped {
        "" => String::new(),
        _ => format!("<p class=\"name\">{escaped}</p>\n"),
    }
}

/// Text as it may stand in an element and in an attribute. Control characters have no place in HTML.
pub(in crate::gateway) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
