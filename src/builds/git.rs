//! Asks repositories, by the machine's own `git`.
//!
//! The program, and no library: administrators know its proxies, certificates and `ssh` settings, distributions mend it the day
//! a hole is found, and it ends with its time limit, whatever a hostile server sends. Nothing of the account's or the system's
//! configuration is read, so that no alias, hook, filter or helper runs.

mod safe;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::command::{self, End, last_lines};
use super::error::BuildError;
use super::file::Access;
use super::refs::{Refs, State};
use super::source::GitUrl;
use crate::data::IoFailure;
use crate::local::output::read_some;

/// How long a repository may take to tell what it has.
const ASK_LIMIT: Duration = Duration::from_mins(2);
/// How long it may take to hand over a state.
const FETCH_LIMIT: Duration = Duration::from_mins(15);
/// Output that is read of a command, in bytes.
const MOST_OUTPUT: u64 = 64 << 20;
/// Files of a state.
const MOST_FILES: u64 = 200_000;
/// Bytes of all files of a state.
const MOST_BYTES: u64 = 4 << 30;
/// What is fetched is called so.
const STATE: &str = "refs/offhost/state";
/// A repository and what it is asked with.
#[derive(Debug)]
pub struct Remote<'a> {
    /// Its address.
    pub url: &'a GitUrl,
    /// What it asks for.
    pub access: &'a Access,
    /// The account's home, where `ssh` has its known hosts.
    pub home: Option<&'a Path>,
}

impl Remote<'_> {
    /// What the repository has.
    ///
    /// # Errors
    /// It can not be reached, or is none.
    pub fn refs(&self) -> Result<Refs, BuildError> {
        let mut command = self.git()?;
        command
            .args(["ls-remote", "--quiet", "--"])
            .arg(self.url.as_str());
        command.args(["HEAD", "refs/heads/*", "refs/tags/*"]);
        let text = self.run(&mut command, "ls-remote", ASK_LIMIT)?;
        Ok(Refs::parse(&String::from_utf8_lossy(&text))?)
    }

    /// Puts the files of a state into the new directory `source`, working in the new directory `repository`, which is not
    /// needed afterwards. `package` is where DESCRIPTION must be.
    ///
    /// # Errors
    /// It can not be fetched, is too large, is no package, or the reference has moved.
    pub fn check_out(
        &self,
        state: &State,
        package: &Path,
        repository: &Path,
        source: &Path,
    ) -> Result<(), BuildError> {
        let mut command = self.git()?;
        command
            .args(["init", "--quiet", "--bare", "--template=", "--"])
            .arg(repository);
        self.run(&mut command, "init", ASK_LIMIT)?;
        self.fetch(state, repository)?;
        let mut command = self.git_in(repository)?;
        command.args([
            "rev-parse",
            "--verify",
            "--end-of-options",
            &format!("{STATE}^{{commit}}"),
        ]);
        let commit = self.run(&mut command, "rev-parse", ASK_LIMIT)?;
        if String::from_utf8_lossy(&commit).trim() != state.commit {
            return Err(BuildError::Moved {
                url: self.url.to_string(),
                name: state.label().to_owned(),
            });
        }
        self.measure(&state.commit, repository)?;
        self.require_package(&state.commit, package, repository)?;
        std::fs::create_dir(source).map_err(|error| IoFailure::new("make directory", source, error))?;
        let mut command = self.git_in(repository)?;
        command.arg("--work-tree").arg(source);
        command.args(["checkout", "--quiet", "--force", "--detach", &state.commit, "--"]);
        self.run(&mut command, "checkout", FETCH_LIMIT).map(drop)
    }

    /// The state alone where the server can give it, else everything that leads to it.
    fn fetch(&self, state: &State, repository: &Path) -> Result<(), BuildError> {
        let one = format!("+{}:{STATE}", state.name);
        if let Ok(()) = self.fetch_refs(repository, &["--depth=1"], &[&one]) {
            return Ok(());
        }
        if crate::local::signals::ends() {
            return Err(BuildError::Stopped);
        }
        let is_commit = super::refs::is_commit(&state.name);
        if !is_commit {
            // Servers of plain files know no depth.
            return self.fetch_refs(repository, &[], &[&one]);
        }
        self.fetch_refs(
            repository,
            &[],
            &["+refs/heads/*:refs/all/heads/*", "+refs/tags/*:refs/all/tags/*"],
        )?;
        let mut command = self.git_in(repository)?;
        command.args(["update-ref", STATE, &state.commit]);
        let set = self.run(&mut command, "update-ref", ASK_LIMIT);
        set.map(drop).map_err(|_| {
            BuildError::Ref(super::refs::RefError::Missing {
                name: state.commit.clone(),
                suggestion: String::new(),
            })
        })
    }

    fn fetch_refs(&self, repository: &Path, options: &[&str], specs: &[&str]) -> Result<(), BuildError> {
        let mut command = self.git_in(repository)?;
        command.args([
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
        ]);
        command.args(options).arg("--").arg(self.url.as_str()).args(specs);
        self.run(&mut command, "fetch", FETCH_LIMIT).map(drop)
    }

    /// Refuses a state that would fill the disk, before anything of it is unpacked: a few hundred bytes can describe more
    /// files than any disk has.
    fn measure(&self, commit: &str, repository: &Path) -> Result<(), BuildError> {
        let mut command = self.git_in(repository)?;
        command.args(["ls-tree", "-r", "-l", "-z", "--full-tree", commit]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command::start(&mut command).map_err(BuildError::NoGit)?;
        let stream = child.stdout.take().expect("a pipe was asked for");
        let counting = std::thread::spawn(move || count(stream));
        let end = command::wait(&mut child, ASK_LIMIT).map_err(BuildError::NoGit)?;
        let (files, bytes) = counting.join().unwrap_or((u64::MAX, u64::MAX));
        let too_large = |found: String, allowed: String| BuildError::TooLarge {
            url: self.url.to_string(),
            found,
            allowed,
        };
        if files > MOST_FILES {
            return Err(too_large(
                format!("more than {MOST_FILES} files"),
                MOST_FILES.to_string(),
            ));
        }
        if bytes > MOST_BYTES {
            let gib = MOST_BYTES >> 30;
            return Err(too_large(
                format!("files of more than {gib} GiB"),
                format!("{gib} GiB"),
            ));
        }
        self.ended_well(end, "ls-tree", ASK_LIMIT, &[])
    }

    fn require_package(&self, commit: &str, package: &Path, repository: &Path) -> Result<(), BuildError> {
        let file = package.join("DESCRIPTION");
        let mut command = self.git_in(repository)?;
        command.args(["cat-file", "-e", &format!("{commit}:{}", file.display())]);
        match self.run(&mut command, "cat-file", ASK_LIMIT) {
            Err(BuildError::Git { .. }) => Err(BuildError::NoPackage {
                place: match package.as_os_str().is_empty() {
                    true => self.url.to_string(),
                    false => format!("{}, directory '{}'", self.url, package.display()),
                },
            }),
            answer => answer.map(drop),
        }
    }

    fn git_in(&self, repository: &Path) -> Result<Command, BuildError> {
        let mut command = self.git()?;
        command.arg("--git-dir").arg(repository);
        Ok(command)
    }

    /// Runs a command to its end: its output.
    fn run(&self, command: &mut Command, what: &'static str, limit: Duration) -> Result<Vec<u8>, BuildError> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command::start(command).map_err(BuildError::NoGit)?;
        let reader = |stream: Option<Box<dyn Read + Send>>| {
            std::thread::spawn(move || {
                stream
                    .map(|stream| read_some(stream, MOST_OUTPUT))
                    .unwrap_or_default()
            })
        };
        let stdout = reader(child.stdout.take().map(|stream| Box::new(stream) as _));
        let stderr = reader(child.stderr.take().map(|stream| Box::new(stream) as _));
        let end = command::wait(&mut child, limit).map_err(BuildError::NoGit)?;
        let (stdout, stderr) = (
            stdout.join().unwrap_or_default(),
            stderr.join().unwrap_or_default(),
        );
        self.ended_well(end, what, limit, &stderr)?;
        Ok(stdout)
    }

    fn ended_well(
        &self,
        end: End,
        what: &'static str,
        limit: Duration,
        stderr: &[u8],
    ) -> Result<(), BuildError> {
        let url = self.url.to_string();
        match end {
            End::Stopped => Err(BuildError::Stopped),
            End::TimedOut => Err(BuildError::GitTimedOut { url, what, limit }),
            End::Status(status) if status.success() => Ok(()),
            End::Status(status) if status.code() == Some(127) => {
                Err(BuildError::NoGit(std::io::ErrorKind::NotFound.into()))
            }
            End::Status(status) => {
                let said = last_lines(stderr);
                if let Some(known) = self.known_refusal(&String::from_utf8_lossy(stderr)) {
                    return Err(known);
                }
                let said = if said.is_empty() {
                    command::describe(status)
                } else {
                    said
                };
                Err(BuildError::Git { url, what, said })
            }
        }
    }
}

impl Remote<'_> {
    /// What git and ssh say in words that do not tell what to do.
    fn known_refusal(&self, said: &str) -> Option<BuildError> {
        let url = self.url.to_string();
        let by_ssh = |words: &str| self.url.scheme() == "ssh" && said.contains(words);
        if said.contains("dubious ownership") {
            Some(BuildError::NotOwn { url })
        } else if by_ssh("Host key verification failed") {
            Some(BuildError::UnknownHost { url })
        } else if by_ssh("Permission denied (") {
            Some(BuildError::KeyRefused { url })
        } else if by_ssh("No user exists for uid") {
            Some(BuildError::NoName { url })
        } else {
            None
        }
    }
}

/// Files and bytes of a listing; it is not read further than it may be long.
fn count(stream: impl Read) -> (u64, u64) {
    let mut reader = BufReader::new(stream);
    let (mut files, mut bytes) = (0u64, 0u64);
    let mut entry = Vec::new();
    while files <= MOST_FILES && bytes <= MOST_BYTES {
        entry.clear();
        match reader.read_until(0, &mut entry) {
            Ok(0) | Err(_) => break,
            Ok(_) => {
                let text = String::from_utf8_lossy(&entry);
                let size = text
                    .split('\t')
                    .next()
                    .and_then(|head| head.split_whitespace().nth(3));
                files += 1;
                // Directories of other repositories have no size.
                bytes = bytes.saturating_add(size.and_then(|size| size.parse().ok()).unwrap_or(0));
            }
        }
    }
    (files, bytes)
}
