//! The check of a visitor's password, by a program of its own.

use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use rustix::event::{PollFd, PollFlags};
use rustix::pipe::PipeFlags;
use rustix::time::Timespec;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::credentials::Credentials;
use super::standing::Standings;
use super::{LIMIT_SECONDS, PamError};
use crate::identity::NameService;
use crate::local::spawn;
use crate::pam::{CheckAnswer, CheckRequest, MOST_BYTES};
use crate::settings::Pam;
use crate::visitors::{CheckError, Checked, NotTold, Passwords, Standing, Visitor};

/// Checks that are made at a time; another waits.
const MOST_CHECKS: usize = 8;
/// Steps that may each take the time limit: start, authentication, account, groups.
const STEPS: u32 = 4;
/// The longest name, in bytes.
const MOST_NAME: usize = 256;

/// Checks passwords with the service `PAM.Service`.
#[derive(Clone, Debug)]
pub struct PamPasswords {
    checker: Arc<Checker>,
    room: Arc<Semaphore>,
    standings: Arc<Standings>,
}

#[derive(Debug)]
struct Checker {
    program: PathBuf,
    service: String,
    limit_seconds: u32,
    logging: bool,
    credentials: Option<Arc<Credentials>>,
}

impl PamPasswords {
    /// As the settings say. Passwords that are right are kept in `credentials`, where there is such a store.
    ///
    /// # Errors
    /// [`PamError::ProgramMissing`].
    pub fn open(settings: &Pam, credentials: Option<Arc<Credentials>>) -> Result<Self, PamError> {
        let program = super::program()?;
        Ok(Self::with_program(&program, LIMIT_SECONDS, settings, credentials))
    }

    /// The same, by this program and with this time limit for each step of PAM.
    #[must_use]
    pub fn with_program(
        program: &Path,
        limit_seconds: u32,
        settings: &Pam,
        credentials: Option<Arc<Credentials>>,
    ) -> Self {
        let checker = Checker {
            program: program.to_owned(),
            service: settings.service.clone(),
            limit_seconds,
            logging: settings.logging,
            credentials,
        };
        Self {
            checker: Arc::new(checker),
            room: Arc::new(Semaphore::new(MOST_CHECKS)),
            standings: Arc::new(Standings::new(NameService::default())),
        }
    }
}

impl Passwords for PamPasswords {
    fn check(
        &self,
        user: &str,
        password: Zeroizing<Vec<u8>>,
        from: IpAddr,
    ) -> BoxFuture<'_, Result<Checked, CheckError>> {
        let user = user.to_owned();
        Box::pin(async move {
            let permit = self.room.clone().acquire_owned().await;
            let permit = permit.map_err(|error| CheckError::Unavailable(error.to_string()))?;
            let checker = self.checker.clone();
            let check = move || {
                // Until the program has ended, also where nobody waits for the answer any more.
                let _permit = permit;
                checker.check(&user, &password, from)
            };
            let answer = tokio::task::spawn_blocking(check).await;
            answer.map_err(|error| CheckError::Unavailable(error.to_string()))?
        })
    }

    fn standing<'a>(&'a self, visitor: &'a Visitor) -> BoxFuture<'a, Result<Standing, NotTold>> {
        Box::pin(self.standings.of(visitor))
    }

    fn forget(&self, user: &str) {
        if let Some(credentials) = &self.checker.credentials {
            credentials.forget(user);
        }
    }
}

impl Checker {
    fn check(&self, user: &str, password: &[u8], from: IpAddr) -> Result<Checked, CheckError> {
        if let Some(why) = nobodys(user, password) {
            return Err(CheckError::Refused {
                is_known: false,
                why: why.to_owned(),
            });
        }
        let request = CheckRequest {
            service: self.service.clone(),
            user: user.to_owned(),
            // As rules write it: an address of IPv4 is one also where it came in the form of IPv6.
            from: from.to_canonical(),
            limit_seconds: self.limit_seconds,
        };
        let answer = self.ask(&request, password);
        let checked = self.judge(user, answer.map_err(CheckError::Unavailable)?)?;
        if let Some(credentials) = &self.credentials
            && let Err(error) = credentials.keep(&checked.user, password)
        {
            // The log-in itself is none the worse for it.
            tracing::warn!(user = checked.user, %error, "a password can not be kept for sessions");
        }
        Ok(checked)
    }

    fn judge(&self, user: &str, answer: CheckAnswer) -> Result<Checked, CheckError> {
        match answer {
            CheckAnswer::Checked {
                user: name,
                groups,
                uid,
                said,
            } => {
                self.tell(user, &said);
                match nobodys(&name, b"x") {
                    None => Ok(Checked {
                        user: name,
                        groups,
                        uid,
                    }),
                    Some(why) => Err(CheckError::Unavailable(format!(
                        "a module of the PAM service '{}' has changed the user's name: {why}",
                        self.service
                    ))),
                }
            }
            CheckAnswer::Refused { is_known, why, said } => {
                // An unknown name may be a password at the wrong place.
                self.tell(if is_known { user } else { "" }, &said);
                Err(CheckError::Refused { is_known, why })
            }
            CheckAnswer::Expired => Err(CheckError::Expired),
            CheckAnswer::Unavailable { why, said } => {
                let said = if said.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", said.join("; "))
                };
                Err(CheckError::Unavailable(format!(
                    "PAM service '{}', {why}{said}",
                    self.service
                )))
            }
        }
    }

    fn tell(&self, user: &str, said: &[String]) {
        for line in said.iter().filter(|_| self.logging) {
            tracing::info!(service = self.service, user, "PAM: {line}");
        }
    }

    /// Has the program check it. What is wrong with the program is a sentence.
    fn ask(&self, request: &CheckRequest, password: &[u8]) -> Result<CheckAnswer, String> {
        let begun = self.start(request, password);
        let (mut child, answers) =
            begun.map_err(|error| format!("start {}: {error}", self.program.display()))?;
        let whole = Duration::from_secs(u64::from(self.limit_seconds)) * STEPS;
        let line = first_line(answers, Instant::now() + whole);
        if line.is_none() {
            let _ = child.kill();
        }
        let status = child.wait().map_err(|error| error.to_string())?;
        if let Some(answer) = line.as_deref().and_then(|line| serde_json::from_str(line).ok()) {
            return Ok(answer);
        }
        let service = &self.service;
        Err(match status.signal() {
            Some(libc::SIGALRM | libc::SIGKILL) => format!(
                "a module of the PAM service '{service}' did not answer within {} s",
                self.limit_seconds
            ),
            Some(signal) => format!("a module of the PAM service '{service}' crashed (signal {signal})"),
            None => format!("{} gave no answer ({status})", self.program.display()),
        })
    }

    fn start(&self, request: &CheckRequest, password: &[u8]) -> std::io::Result<(Child, OwnedFd)> {
        let request = super::memory_file(request)?;
        let password = super::password_pipe(password)?;
        let (answers, said) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let passed: [BorrowedFd<'_>; 3] = [request.as_fd(), said.as_fd(), password.as_fd()];
        let mut command = Command::new(&self.program);
        command
            .arg("check")
            .args(passed.map(|fd| fd.as_raw_fd().to_string()));
        command.env_clear().current_dir("/");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = spawn::inheriting(&mut command, &passed)?;
        Ok((child, answers))
    }
}

/// Why this is nobody's name or password, whatever PAM would say: it could not even be asked, or would see less than was
/// typed.
fn nobodys(user: &str, password: &[u8]) -> Option<&'static str> {
    if user.is_empty() || user.len() > MOST_NAME || user.chars().any(char::is_control) {
        return Some("the name is empty, too long, or has control characters");
    }
    if password.is_empty() || password.len() > MOST_BYTES || password.contains(&0) {
        return Some("the password is empty, too long, or has a NUL byte");
    }
    None
}

/// The first line, or what there is of it at the end; nothing where that does not come in time.
fn first_line(answers: OwnedFd, until: Instant) -> Option<String> {
    let mut reader = BufReader::new(std::fs::File::from(answers));
    let mut line = Vec::new();
    loop {
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).ok()?;
        let mut poll = [PollFd::new(reader.get_ref(), PollFlags::IN)];
        match rustix::event::poll(&mut poll, Some(&left)) {
            Err(rustix::io::Errno::INTR) => continue,
            Ok(ready) if ready > 0 => {}
            _ => return None,
        }
        let held = reader.fill_buf().ok()?;
        let end = held.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(held.len());
        line.extend_from_slice(&held[..taken]);
        reader.consume(taken);
        if end.is_some() || taken == 0 {
            return String::from_utf8(line).ok();
        }
    }
}
