//! The forms to log in and out with: plain HTML, for every browser and every keyboard. Pure.

use http::StatusCode;

use super::html::escape;
use crate::visitors::{LOGIN, LOGOUT};

/// The form to log in with.
#[derive(Clone, Copy, Debug)]
pub struct LogInForm<'a> {
    /// Shows that the form was sent from here.
    pub token: &'a str,
    /// Where the visitor goes then.
    pub back: &'a str,
    /// The name, where it was given before.
    pub user: &'a str,
    /// Why nobody was logged in.
    pub problem: Option<&'a str>,
    /// What everybody is told who logs in.
    pub notice: &'a str,
    /// How the request is answered.
    pub status: StatusCode,
}

/// The form to log out with.
#[derive(Clone, Copy, Debug)]
pub struct LogOutForm<'a> {
    /// Shows that the form was sent from here.
    pub token: &'a str,
    /// Who is logged in.
    pub user: &'a str,
}

/// A form.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form<'a> {
    LogIn(&'a LogInForm<'a>),
    LogOut(&'a LogOutForm<'a>),
}

impl Form<'_> {
    pub(super) fn html(&self) -> String {
        match self {
            Self::LogIn(form) => log_in(form),
            Self::LogOut(form) => log_out(form),
        }
    }
}

fn log_in(form: &LogInForm<'_>) -> String {
    let problem = form.problem.map_or(String::new(), |problem| {
        format!(
            "<p class=\"problem\" id=\"problem\" role=\"alert\">{}</p>\n",
            escape(problem)
        )
    });
    let notice = match form.notice.trim() {
        "" => String::new(),
        notice => format!("<p class=\"notice\">{}</p>\n", escape(notice)),
    };
    // Where the name is there already, the password is what is wanted.
    let (at_user, at_password) = if form.user.is_empty() {
        (" autofocus", "")
    } else {
        ("", " autofocus")
    };
    let described = form.problem.map_or("", |_| " aria-describedby=\"problem\"");
    format!(
        "{notice}{problem}<form method=\"post\" action=\"{LOGIN}\">\n\
         <input type=\"hidden\" name=\"token\" value=\"{token}\">\n\
         <input type=\"hidden\" name=\"return\" value=\"{back}\">\n\
         <label for=\"user\">Name</label>\n\
         <input id=\"user\" name=\"user\" type=\"text\" value=\"{user}\" autocomplete=\"username\" autocapitalize=\"none\" \
         spellcheck=\"false\" maxlength=\"256\" required{described}{at_user}>\n\
         <label for=\"password\">Password</label>\n\
         <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" \
         required{described}{at_password}>\n\
         <button class=\"button\" type=\"submit\">Log in</button>\n\
         </form>\n",
        token = escape(form.token),
        back = escape(form.back),
        user = escape(form.user),
    )
}

fn log_out(form: &LogOutForm<'_>) -> String {
    format!(
        "<form method=\"post\" action=\"{LOGOUT}\">\n\
         <input type=\"hidden\" name=\"token\" value=\"{token}\">\n\
         <button class=\"button\" type=\"submit\">Log out</button>\n\
         <button class=\"button second\" type=\"submit\" name=\"everywhere\" value=\"yes\">Log out on all devices</button>\n\
         </form>\n",
        token = escape(form.token),
    )
}
