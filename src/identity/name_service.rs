//! Asks the system's name service, in a process of its own: a directory service may be slow, may hang, and may crash
//! whoever loads its library.

use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use thiserror::Error;

use super::entries::{self, GroupEntry, UserEntry};
use super::{AccountSpec, AccountSpecError};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);
/// More than any entry has.
const MOST: usize = 4 << 20;
/// `getent` says with it that there is no such entry.
const NOT_FOUND: i32 = 2;

/// The name service gave no answer.
#[derive(Debug, Error)]
pub enum NameServiceError {
    /// The program that asks is not there.
    #[error(
        "can not start '{program}', which asks the system's name service: {source}; install it (package libc-bin or \
         glibc-common)", program = .program.display()
    )]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It takes too long.
    #[error(
        "the name service did not answer within {seconds} s when it was asked for {what}; check the directory service \
         with: getent {table} {key}"
    )]
    Late {
        /// What was asked for.
        what: String,
        /// How long was waited.
        seconds: u64,
        /// The table.
        table: &'static str,
        /// The key in it.
        key: String,
    },
    /// It ended without an answer.
    #[error(
        "the name service failed when it was asked for {what} ({why}); check it with: getent {table} {key}"
    )]
    Failed {
        /// What was asked for.
        what: String,
        /// How it ended, or what is odd about the answer.
        why: String,
        /// The table.
        table: &'static str,
        /// The key in it.
        key: String,
    },
}

/// How the name service is asked.
#[derive(Clone, Debug)]
pub struct NameService {
    /// The program.
    pub program: PathBuf,
    /// How long an answer may take.
    pub limit: Duration,
}

impl Default for NameService {
    fn default() -> Self {
        Self {
            program: PathBuf::from("getent"),
            limit: LIMIT,
        }
    }
}

/// One question.
struct Question<'a> {
    table: &'static str,
    key: &'a str,
}

impl NameService {
    /// The account of this name or number; none where there is no such account, or the text can name none.
    ///
    /// # Errors
    /// [`NameServiceError`].
    pub fn user(&self, asked: &str) -> Result<Option<UserEntry>, NameServiceError> {
        if AccountSpec::parse(asked).is_err() {
            return Ok(None);
        }
        self.ask("passwd", asked, entries::user)
    }

    /// The number of the account that has this name now. A name that looks like a number or an option can not be asked for:
    /// whether it is still an account's is told by the number that it had.
    ///
    /// # Errors
    /// [`NameServiceError`].
    pub fn uid_of(&self, name: &str, then: Option<u32>) -> Result<Option<u32>, NameServiceError> {
        let number = name.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '+' | '-'));
        let is_asked = !name.starts_with('-') && !number.bytes().all(|byte| byte.is_ascii_digit());
        let found = match (is_asked, then) {
            (true, _) => self.ask("passwd", name, entries::user)?,
            (false, Some(uid)) => {
                let found = self.ask("passwd", &uid.to_string(), entries::user)?;
                found.filter(|user| user.name == name)
            }
            (false, None) => None,
        };
        Ok(found.map(|user| user.uid))
    }

    /// The group of this name; a number names none.
    ///
    /// # Errors
    /// [`NameServiceError`].
    pub fn group(&self, name: &str) -> Result<Option<GroupEntry>, NameServiceError> {
        // A NUL would be cut off in the C library's eyes, and another group would be found.
        let is_name = !name.is_empty() && !name.starts_with('-') && !name.contains(['\0', '\n', ':']);
        if !is_name || AccountSpec::parse(name) == Err(AccountSpecError::Number) {
            return Ok(None);
        }
        let found = self.ask("group", name, entries::group)?;
        Ok(found.filter(|group| group.name == name))
    }

    /// The group of this number.
    ///
    /// # Errors
    /// [`NameServiceError`].
    pub fn group_of(&self, gid: u32) -> Result<Option<GroupEntry>, NameServiceError> {
        self.ask("group", &gid.to_string(), entries::group)
    }

    /// The ids of all groups that list the account, its primary one not necessarily among them.
    ///
    /// # Errors
    /// [`NameServiceError`].
    pub fn groups_of(&self, name: &str) -> Result<Vec<u32>, NameServiceError> {
        let found = self.ask("initgroups", name, |line| entries::groups(line, name))?;
        Ok(found.unwrap_or_default())
    }

    fn ask<T>(
        &self,
        table: &'static str,
        key: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, NameServiceError> {
        let question = Question { table, key };
        let (status, text) = self.run(&question)?;
        match status.code() {
            Some(0) => {
                let line = text.lines().next().unwrap_or_default();
                let odd = || question.failed(format!("its answer '{}' can not be read", line.escape_debug()));
                read(line).map(Some).ok_or_else(odd)
            }
            Some(NOT_FOUND) => Ok(None),
            _ => Err(question.failed(status.to_string())),
        }
    }

    fn run(&self, question: &Question<'_>) -> Result<(ExitStatus, String), NameServiceError> {
        let until = Instant::now() + self.limit;
        let mut child = Command::new(&self.program)
            .args([question.table, question.key])
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| NameServiceError::Start {
                program: self.program.clone(),
                source,
            })?;
        let output = child.stdout.take();
        let ended = output
            .map_or_else(|| Ok(String::new()), |output| read_until(output, until))
            .and_then(|text| Ok((wait_until(&mut child, until)?, text)));
        ended.map_err(|error| {
            end(child);
            if error.kind() == io::ErrorKind::TimedOut {
                return question.late(self.limit);
            }
            question.failed(error.to_string())
        })
    }
}

impl Question<'_> {
    fn what(&self) -> String {
        let what = match self.table {
            "passwd" => "account",
            "group" => "group",
            _ => "the groups of account",
        };
        format!("{what} '{}'", self.key)
    }

    fn late(&self, limit: Duration) -> NameServiceError {
        NameServiceError::Late {
            what: self.what(),
            seconds: limit.as_secs(),
            table: self.table,
            key: self.key.to_owned(),
        }
    }

    fn failed(&self, why: String) -> NameServiceError {
        NameServiceError::Failed {
            what: self.what(),
            why,
            table: self.table,
            key: self.key.to_owned(),
        }
    }
}

fn late() -> io::Error {
    io::Error::from(io::ErrorKind::TimedOut)
}

/// Everything that the child says.
fn read_until(mut output: ChildStdout, until: Instant) -> io::Result<String> {
    let mut text = Vec::new();
    let mut part = [0; 4096];
    loop {
        let left = until.checked_duration_since(Instant::now()).ok_or_else(late)?;
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        if poll(
            &mut [PollFd::from_borrowed_fd(output.as_fd(), PollFlags::IN)],
            Some(&left),
        )? == 0
        {
            return Err(late());
        }
        match output.read(&mut part)? {
            0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
            count => text.extend_from_slice(&part[..count]),
        }
        if text.len() > MOST {
            return Err(io::Error::other("its answer does not end"));
        }
    }
}

fn wait_until(child: &mut Child, until: Instant) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= until {
            return Err(late());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Ends a child that hangs. It is not waited for: what hangs in the kernel ends when that lets it.
fn end(mut child: Child) {
    // Where no thread can be had, the child is left to whoever ends this program.
    let _thread = std::thread::Builder::new()
        .name("getent".to_owned())
        .spawn(move || {
            let _gone = child.kill();
            child.wait()
        });
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn pretending(script: &str, limit: Duration) -> (tempfile::TempDir, NameService) {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("getent");
        // Written by a child: a descriptor of this process for writing could be in another test's child right now.
        let write = format!("cat > '{}'", program.display());
        let mut writer = Command::new("sh")
            .args(["-c", &write])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let text = format!("#!/bin/sh\n{script}\n");
        io::Write::write_all(&mut writer.stdin.take().unwrap(), text.as_bytes()).unwrap();
        assert!(writer.wait().unwrap().success());
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        (dir, NameService { program, limit })
    }

    const LONG: Duration = Duration::from_secs(20);

    /// Proves: RA6 (L)
    #[test]
    fn what_is_not_there_is_none_and_what_is_odd_is_an_error() {
        let real = NameService::default();
        assert_eq!(real.user("root").unwrap().unwrap().uid, 0);
        assert_eq!(real.user("0").unwrap().unwrap().name, "root");
        for none in ["no-such-account", "-1", "a\0b", ""] {
            assert_eq!(real.user(none).unwrap(), None, "{none:?}");
        }
        assert_eq!(real.group("root").unwrap().unwrap().gid, 0);
        for none in ["no-such-group", "0", "no\0such", "-h", "", "99999999999"] {
            assert_eq!(real.group(none).unwrap(), None, "{none:?}");
        }
        let (_dir, odd) = pretending("echo ana:x:one:1::/h:/s", LONG);
        let said = odd.user("ana").unwrap_err().to_string();
        assert!(
            said.contains("account 'ana'") && said.contains("getent passwd ana"),
            "{said}"
        );
        let (_dir, broken) = pretending("exit 7", LONG);
        assert!(
            broken
                .groups_of("ana")
                .unwrap_err()
                .to_string()
                .contains("status: 7")
        );
        let (_dir, crashing) = pretending("kill -SEGV $$", LONG);
        assert!(crashing.group("g").is_err());
        let gone = NameService {
            program: PathBuf::from("/no/such/getent"),
            limit: LONG,
        };
        assert!(gone.user("ana").unwrap_err().to_string().contains("install it"));
    }

    #[test]
    fn a_name_like_a_number_is_told_by_the_number_it_had() {
        let script = "case $2 in 2000) echo 1000:x:2000:1::/h:/s;; 1000) echo ben:x:1000:1::/h:/s;; \
             ana) echo ana:x:7:1::/h:/s;; *) exit 2;; esac";
        let (_dir, service) = pretending(script, LONG);
        for (name, then, now) in [
            ("ana", Some(5), Some(7)),
            ("ana", None, Some(7)),
            ("cid", Some(5), None),
            ("1000", Some(2000), Some(2000)),
            ("1000", Some(1000), None),
            (" +1000", Some(1000), None),
            ("1000", None, None),
        ] {
            assert_eq!(service.uid_of(name, then).unwrap(), now, "{name} {then:?}");
        }
    }

    /// Proves: RA6 (L)
    #[test]
    fn a_service_that_hangs_is_not_waited_for() {
        let limit = Duration::from_millis(200);
        for script in [
            "exec sleep 60",
            "echo ana:x:1:1::/h:/s; exec >&-; exec sleep 60",
            "while :; do echo x; sleep 0.05; done",
        ] {
            let (_dir, slow) = pretending(script, limit);
            let begun = Instant::now();
            let said = slow.user("ana").unwrap_err().to_string();
            assert!(said.contains("did not answer within 0 s"), "{said}");
            assert!(begun.elapsed() < Duration::from_secs(10));
        }
    }
}
