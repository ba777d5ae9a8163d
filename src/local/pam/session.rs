//! Which session is opened around a process (PM1, PM3).

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::credentials::{Credentials, Password};
use super::{LIMIT_SECONDS, PamError};
use crate::pam::SessionRequest;
use crate::sandbox::SandboxSpec;
use crate::settings::Pam;

/// The sessions of a server.
#[derive(Clone, Debug)]
pub struct Sessions {
    program: PathBuf,
    service: String,
    authenticated_service: String,
    logging: bool,
    credentials: Option<Arc<Credentials>>,
}

impl Sessions {
    /// The sessions that the settings ask for, if they do. Where passwords are forwarded, this program shows nothing of its
    /// memory to others from now on.
    ///
    /// # Errors
    /// The settings ask for what can not be had.
    pub fn open(settings: &Pam) -> Result<Option<Self>, PamError> {
        if !settings.use_session {
            return Ok(None);
        }
        if !rustix::process::geteuid().is_root() {
            return Err(PamError::NotRoot);
        }
        let credentials = match settings.forward_password {
            true => Some(Credentials::new(settings.password_lifetime)?),
            false => None,
        };
        Ok(Some(Self {
            program: super::program()?,
            service: settings.session_service.clone(),
            authenticated_service: settings.authenticated_session_service.clone(),
            logging: settings.logging,
            credentials,
        }))
    }

    /// Where the passwords of visitors are kept, if they are.
    #[must_use]
    pub fn credentials(&self) -> Option<Arc<Credentials>> {
        self.credentials.clone()
    }

    /// The session of a process that runs as an account which an administrator has named.
    #[must_use]
    pub fn of_account(&self, user: &str) -> Session {
        self.session(&self.service, user, None)
    }

    /// The session of a process that runs as its visitor's account: with the visitor's password, where those are forwarded.
    ///
    /// # Errors
    /// [`PamError::NoPassword`] where it is not kept any more.
    pub fn of_visitor(&self, user: &str) -> Result<Session, PamError> {
        let Some(credentials) = &self.credentials else {
            return Ok(self.of_account(user));
        };
        let password = credentials.get(user)?;
        let password = password.ok_or_else(|| PamError::NoPassword(user.to_owned()))?;
        Ok(self.session(&self.authenticated_service, user, Some(password)))
    }

    fn session(&self, service: &str, user: &str, password: Option<Password>) -> Session {
        Session {
            logging: self.logging,
            password: Mutex::new(password),
            ..Session::of_service(&self.program, service, user)
        }
    }
}

/// One session, to be opened around one process.
#[derive(Debug)]
pub struct Session {
    program: PathBuf,
    service: String,
    user: String,
    logging: bool,
    limit_seconds: u32,
    /// Until it is handed over: not for as long as the process lives.
    password: Mutex<Option<Password>>,
}

impl Session {
    /// A session of a service that lets root in, opened by this program.
    #[must_use]
    pub fn of_service(program: &Path, service: &str, user: &str) -> Self {
        Self {
            program: program.to_owned(),
            service: service.to_owned(),
            user: user.to_owned(),
            logging: false,
            limit_seconds: LIMIT_SECONDS,
            password: Mutex::default(),
        }
    }

    /// The same, with another time limit for each step of PAM.
    #[must_use]
    pub fn limited_to(self, seconds: u32) -> Self {
        Self {
            limit_seconds: seconds,
            ..self
        }
    }

    /// The same, with a password.
    #[must_use]
    pub fn with_password(self, password: Password) -> Self {
        Self {
            password: Mutex::new(Some(password)),
            ..self
        }
    }

    /// The program that opens it.
    pub(in crate::local) fn program(&self) -> &Path {
        &self.program
    }

    /// What it is told: the process that `helper` is to start, as it is.
    pub(in crate::local) fn request(&self, spec: &SandboxSpec, helper: &Path) -> io::Result<OwnedFd> {
        super::memory_file(&SessionRequest {
            service: self.service.clone(),
            user: self.user.clone(),
            limit_seconds: self.limit_seconds,
            logging: self.logging,
            helper: helper.to_owned(),
            inherited: inherited(spec),
            spec: spec.clone(),
        })
    }

    /// The pipe with its password, if it has one; then it is wiped here.
    pub(in crate::local) fn password_pipe(&self) -> io::Result<Option<OwnedFd>> {
        let password = self
            .password
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let pipe = password.map(|password| super::password_pipe(password.bytes()));
        pipe.transpose()
    }

    /// What is said where the program was ended by a signal.
    pub(in crate::local) fn lost(&self, signal: i32) -> String {
        let Self { service, user, .. } = self;
        match signal {
            libc::SIGALRM => format!(
                "a module of the PAM service '{service}' did not answer within {} s for '{user}'; see the system's log for \
                 what it waits for",
                self.limit_seconds
            ),
            _ => format!(
                "the PAM session of '{user}' was ended from outside, or a module of the service '{service}' crashed (signal \
                 {signal}); see the system's log"
            ),
        }
    }
}

/// Names of the process's variables that it has from this program's own environment, unchanged.
fn inherited(spec: &SandboxSpec) -> Vec<String> {
    let names = spec.env.iter().filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        let is_own = std::env::var_os(name).is_some_and(|own| own == value);
        is_own.then(|| name.to_owned())
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PM3 (L)
    #[test]
    fn a_password_is_handed_over_once_and_not_kept_in_clear() {
        let password = Password::new(b"secret").unwrap();
        let session = Session::of_service(Path::new("/x"), "su", "ana").with_password(password);
        let mut pipe = std::fs::File::from(session.password_pipe().unwrap().unwrap());
        let mut text = String::new();
        io::Read::read_to_string(&mut pipe, &mut text).unwrap();
        assert_eq!(text, "secret");
        assert!(session.password.lock().unwrap().is_none());
        assert!(session.password_pipe().unwrap().is_none());
    }
}
