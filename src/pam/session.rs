//! The session around a process (PM1): opened before `offhost-exec` is started, closed when nothing is left of the process,
//! whatever has ended it.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::conversation::Conversation;
use super::environ;
use super::library::{Item, Kind, Library, Refusal, Step, Transaction};
use super::limit::Limit;
use super::process::{Ended, Given, Process};
use super::wire::{SessionRequest, Word};
use super::{Descriptors, NO_SESSION, read_password, read_request, say};
use crate::exec::{self, SignalPipe};

/// Runs a process in a session. The descriptors: request, report, lifeline, what is held until the end, a listening socket
/// for the process, a password.
pub(super) fn run(library: &dyn Library, fds: &Descriptors) -> Option<u8> {
    fds.settle()?;
    exec::expect_children().ok()?;
    // Not blocked, which what modules start would inherit: noted.
    let signals = exec::note_signals().ok()?;
    let request: SessionRequest = read_request(fds.take(0)?)?;
    let mut report = File::from(fds.take(1)?);
    let given = Given::set_aside(fds.take(2)?, fds.take(3), fds.take(4)).ok()?;
    let password = match fds.take(5) {
        Some(pipe) => Some(read_password(pipe)?),
        None => None,
    };
    let is_authenticated = password.is_some();
    let limit = Limit::new(request.limit_seconds);
    let conversation = Conversation::new(password);
    let begun = limit.during(|| library.start(&request.service, &request.user, conversation));
    let mut session = match begun {
        Ok(transaction) => Session {
            transaction,
            request: &request,
            report: report.try_clone().ok()?,
            limit,
            has_credentials: false,
            is_open: false,
        },
        Err(refusal) => {
            let message = unusable(&request, None, &refusal);
            say(&mut report, &Word::Refused { message });
            return Some(NO_SESSION);
        }
    };
    let ended = match session.open(is_authenticated) {
        Ok(()) => session.process(given, &signals),
        Err(message) => {
            say(&mut report, &Word::Refused { message });
            Ended::never_started()
        }
    };
    session.close();
    Some(ended.code)
}

struct Session<'a> {
    transaction: Box<dyn Transaction>,
    request: &'a SessionRequest,
    report: File,
    limit: Limit,
    has_credentials: bool,
    is_open: bool,
}

impl Session<'_> {
    /// Takes every step up to the open session.
    fn open(&mut self, is_authenticated: bool) -> Result<(), String> {
        let told = self.transaction.tell(Item::RemoteUser, "root");
        told.map_err(|refusal| unusable(self.request, None, &refusal))?;
        if let Err(refusal) = self.step(Step::Authenticate) {
            return Err(match is_authenticated {
                false => without_password(self.request, &refusal),
                true => unusable(self.request, Some(Step::Authenticate), &refusal),
            });
        }
        self.require(Step::Account)?;
        self.require(Step::EstablishCredentials)?;
        self.has_credentials = true;
        self.require(Step::OpenSession)?;
        self.is_open = true;
        // The process may run for days; nobody needs the password meanwhile.
        self.transaction.forget_password();
        self.same_user()
    }

    fn require(&mut self, step: Step) -> Result<(), String> {
        self.same_user()?;
        self.step(step)
            .map_err(|refusal| unusable(self.request, Some(step), &refusal))
    }

    /// The process is this account's, whatever a module says.
    fn same_user(&self) -> Result<(), String> {
        let user = self.transaction.user();
        if user.as_deref() == Some(self.request.user.as_str()) {
            return Ok(());
        }
        Err(format!(
            "the PAM service '{}' has changed the user '{}' to '{}', which a session must not; take the module that does \
             so out of the service",
            self.request.service,
            self.request.user,
            user.unwrap_or_default().escape_debug(),
        ))
    }

    fn step(&mut self, step: Step) -> Result<(), Refusal> {
        let limit = self.limit;
        let result = limit.during(|| self.transaction.step(step));
        if self.request.logging {
            let outcome = result
                .as_ref()
                .map_or_else(|refusal| refusal.text.as_str(), |()| "done");
            self.note(format!("{}: {outcome}", step.name()));
        }
        result
    }

    /// Runs the process in the open session.
    fn process(&mut self, given: Given, signals: &SignalPipe) -> Ended {
        let request = self.request;
        let mut spec = request.spec.clone();
        let merged = environ::merge(&spec.env, &self.transaction.environment(), &request.inherited);
        spec.env = merged.env;
        if !merged.left_out.is_empty() && request.logging {
            self.note(format!("variables left out: {}", merged.left_out.join(", ")));
        }
        let report = match self.report.try_clone() {
            Ok(report) => OwnedFd::from(report),
            Err(error) => return self.not_started(&request.helper, &error),
        };
        match Process::start(&request.helper, &spec, report, given) {
            Ok(process) => process.attend(signals),
            Err(error) => self.not_started(&request.helper, &error),
        }
    }

    fn not_started(&mut self, helper: &Path, error: &std::io::Error) -> Ended {
        let message = format!("{} could not be started: {error}", helper.display());
        say(&mut self.report, &Word::Refused { message });
        Ended::never_started()
    }

    /// Undoes what was done, in the other direction.
    fn close(&mut self) {
        let undone = [
            (std::mem::take(&mut self.is_open), Step::CloseSession),
            (std::mem::take(&mut self.has_credentials), Step::DeleteCredentials),
        ];
        for (_, step) in undone.into_iter().filter(|(was_done, _)| *was_done) {
            // Modules that keep no credentials of their own have none to delete, and some say so.
            let answer = self.step(step);
            if let (Err(refusal), Step::CloseSession) = (answer, step) {
                let Self { request, .. } = self;
                let text = format!(
                    "the PAM session of '{}' was closed with an error of the service '{}': {}",
                    request.user, request.service, refusal.text
                );
                say(&mut self.report, &Word::Warning { text });
            }
        }
        if self.request.logging {
            for line in self.transaction.said() {
                self.note(line);
            }
        }
    }

    fn note(&mut self, text: String) {
        let text = format!(
            "PAM service '{}', user '{}': {text}",
            self.request.service, self.request.user
        );
        say(&mut self.report, &Word::Note { text });
    }
}

/// PM2: the sentence of a service that wants a password where there is none.
fn without_password(request: &SessionRequest, refusal: &Refusal) -> String {
    let SessionRequest { service, user, .. } = request;
    format!(
        "the PAM service '{service}' does not let root open a session for '{user}' without a password ({}); put the line \
         `auth sufficient pam_rootok.so` first into /etc/pam.d/{service}",
        refusal.text
    )
}

fn unusable(request: &SessionRequest, step: Option<Step>, refusal: &Refusal) -> String {
    let SessionRequest { service, user, .. } = request;
    let remedy = match refusal.kind {
        Kind::AccountExpired => "the account has expired or is locked; renew it with chage or usermod",
        Kind::PasswordExpired => "the account's password has expired; change it with passwd",
        Kind::UnknownUser => "the service does not know the account",
        Kind::Denied => "see the system's log for the module that refused",
        Kind::Conversation => "a module asks for more than the password, which nobody can answer",
        Kind::Unavailable => "see the system's log, and /etc/pam.d for the modules of the service",
    };
    let step = step.map_or("start", Step::name);
    format!(
        "the PAM service '{service}' refused a session for '{user}' at the {step} ({}): {remedy}",
        refusal.text
    )
}
