//! The form as a page: it works with the keyboard alone, without scripts, and says beside each answer what is wrong with it.
//! Pure.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

use super::controls;
use crate::asked::{Line, LineState};
use crate::content::form::{Form, Input, Problem, Sent, control};
use crate::gateway::pages::html::{self, escape, fill};

const PAGE: &str = include_str!("form.html");
const SCRIPT: &str = include_str!("form.js");

static STYLE: LazyLock<String> = LazyLock::new(|| format!("{}{}", html::STYLE, include_str!("form.css")));

/// Allows this style and this script, and the form to be sent to where it came from.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'self'",
        hash(&STYLE),
        hash(SCRIPT),
    );
    HeaderValue::from_str(&policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
});

/// The policy that the page is sent with.
pub(super) fn policy() -> HeaderValue {
    POLICY.clone()
}

/// What stands on the page.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    /// The document's name.
    pub(super) name: &'a str,
    /// Its path, without a slash at its end.
    pub(super) path: &'a str,
    /// Where the form is sent to.
    pub(super) action: &'a str,
    /// Where results are, without a slash at its end.
    pub(super) results_at: &'a str,
    /// What is asked.
    pub(super) form: &'a Form,
    /// What the controls have.
    pub(super) sent: &'a Sent,
    /// What is wrong with that.
    pub(super) problems: &'a [Problem],
    /// What is wrong with the whole of it.
    pub(super) fault: Option<&'a str>,
    /// The token of the form.
    pub(super) token: &'a str,
    /// For how many days a result is kept.
    pub(super) days: Option<u64>,
    /// What the visitor has asked for; none where nobody can tell at present.
    pub(super) results: Option<&'a [Line]>,
}

impl Shown<'_> {
    /// The page.
    pub(super) fn page(&self) -> String {
        let name = escape(self.name);
        let has_sliders = self
            .form
            .fields
            .iter()
            .any(|field| matches!(field.input, Input::Slider(_)));
        let title = match self.is_wrong() {
            true => format!("Problem – Parameters – {name}"),
            false => format!("Parameters – {name}"),
        };
        let needs_script = has_sliders || self.is_wrong();
        let script = if needs_script {
            format!("<script>{SCRIPT}</script>\n")
        } else {
            String::new()
        };
        let mut fields = String::new();
        for (at, field) in self.form.fields.iter().enumerate() {
            let problem = self.problems.iter().find(|problem| problem.field == at);
            controls::write(&mut fields, at, field, self.sent, problem);
        }
        fill(
            PAGE,
            &[
                ("head", &html::head(&title, &STYLE)),
                ("name", &name),
                ("intro", &self.intro()),
                ("problems", &self.problems()),
                ("action", &escape(self.action)),
                ("token", &escape(self.token)),
                ("fields", &fields),
                ("document", &format!("{}/", escape(self.path))),
                ("results", &self.results()),
                ("script", &script),
            ],
        )
    }

    fn is_wrong(&self) -> bool {
        !self.problems.is_empty() || self.fault.is_some()
    }

    fn intro(&self) -> String {
        let kept = match self.days {
            Some(1) => " It is kept for a day.".to_owned(),
            Some(days) => format!(" It is kept for {days} days."),
            None => String::new(),
        };
        format!("The document is rendered with your answers, and only you see that result.{kept}")
    }

    /// What is wrong, with a link to each field.
    fn problems(&self) -> String {
        if !self.is_wrong() {
            return String::new();
        }
        let mut text =
            "<div class=\"problems\" id=\"problems\" role=\"alert\" tabindex=\"-1\">\n<h2>".to_owned();
        text.push_str(&match (self.problems.len(), self.fault) {
            (_, Some(fault)) => escape(fault),
            (1, None) => "One answer has to be changed".to_owned(),
            (count, None) => format!("{count} answers have to be changed"),
        });
        text.push_str("</h2>\n<ul>\n");
        for problem in self.problems {
            let field = self.form.fields.get(problem.field);
            let label = escape(field.map_or("", |field| &field.label));
            let message = escape(&problem.message);
            let target = control(problem.field);
            // Writing to a string can not fail.
            let _ = writeln!(text, "<li><a href=\"#{target}\">{label}</a>: {message}</li>");
        }
        text.push_str("</ul>\n</div>\n");
        text
    }

    fn results(&self) -> String {
        let heading = "<h2 id=\"results\">Your results</h2>\n";
        let Some(results) = self.results else {
            return format!(
                "{heading}<p>They can not be listed at present; load this page again later.</p>\n"
            );
        };
        if results.is_empty() {
            return String::new();
        }
        let mut text = format!("{heading}<ul class=\"results\" aria-labelledby=\"results\">\n");
        for line in results {
            let state = match line.state {
                LineState::Waiting => "is being made",
                LineState::Done => "ready",
                LineState::Failed => "could not be made",
            };
            let answers: Vec<String> = line
                .answers
                .iter()
                .map(|(label, answer)| format!("{}: {}", escape(label), escape(&short(answer))))
                .collect();
            let (id, asked) = (escape(&line.id), escape(&line.asked));
            let _ = writeln!(
                text,
                "<li><a href=\"{}/{id}/\">{asked}</a>, {state}<p class=\"hint\">{}</p></li>",
                escape(self.results_at),
                answers.join("; ")
            );
        }
        text.push_str("</ul>\n");
        text
    }
}

fn short(answer: &str) -> String {
    match answer.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &answer[..end]),
        None => answer.to_owned(),
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
