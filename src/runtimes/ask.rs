//! Asks an executable for its version (EX2).

use std::{
    fs::File,
    io::{self, Read, Seek},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::LanguageName;
use super::answer::{self, Answer, PYTHON_QUESTION, R_QUESTION, is_under_development};

/// How long an executable may take to tell its version.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(10);
/// More than this is no answer; in bytes.
const OUTPUT_LIMIT: u64 = 64 * 1024;
/// Why an executable gave no version.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It could not be started.
    #[error("it can not be started: {source}")]
    Start {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its output could not be kept or read.
    #[error("its output can not be read: {source}")]
    Output {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It did not end in time.
    #[error("it did not answer within {seconds} s")]
    TimedOut {
        /// The limit.
        seconds: u64,
    },
    /// It ended with a failure.
    #[error("it ended with {status} and said '{said}'")]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// The first line it wrote.
        said: String,
    },
    /// What it wrote has no version.
    #[error("it said '{said}', which is no version")]
    NoVersion {
        /// The first line it wrote.
        said: String,
    },
}

/// Asks one executable, with an environment that has nothing of the server's but a plain PATH.
pub(super) fn ask(language: LanguageName, path: &Path, limit: Duration) -> Result<Answer, AskError> {
    let arguments: &[&str] = match language {
        // -I keeps the working directory and the user's site out, -S makes it quick.
        LanguageName::Python => &["-I", "-S", "-c", PYTHON_QUESTION],
        _ => &["--version"],
    };
    let said = output(path, arguments, limit)?;
    let answer = if is_under_development(language, &said) {
        answer::read_own(&output(
            path,
            &["--vanilla", "--no-echo", "-e", R_QUESTION],
            limit,
        )?)
    } else {
        answer::read(language, &said)
    };
    answer.map_err(|said| AskError::NoVersion { said })
}

/// Runs it and gives what it wrote. Its output goes to files and not to pipes: a child that it leaves behind
/// could hold a pipe open for ever.
fn output(path: &Path, arguments: &[&str], limit: Duration) -> Result<String, AskError> {
    let kept = |source| AskError::Output { source };
    let mut stdout = tempfile::tempfile().map_err(kept)?;
    let mut stderr = tempfile::tempfile().map_err(kept)?;
    let mut child = Command::new(path)
        .args(arguments)
        .env_clear()
        .envs([
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("LC_ALL", "C"),
            ("HOME", "/"),
        ])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(stdout.try_clone().map_err(kept)?)
        .stderr(stderr.try_clone().map_err(kept)?)
        .process_group(0)
        .spawn()
        .map_err(|source| AskError::Start { source })?;
    let status = wait(&mut child, &stdout, limit)?;
    let written = read(&mut stdout).map_err(kept)?;
    if status.success() {
        return Ok(written);
    }
    let complaint = read(&mut stderr).map_err(kept)?;
    let said = complaint
        .lines()
        .chain(written.lines())
        .find(|line| !line.trim().is_empty());
    Err(AskError::Failed {
        status,
        said: said.unwrap_or_default().chars().take(200).collect(),
    })
}

fn wait(child: &mut Child, stdout: &File, limit: Duration) -> Result<ExitStatus, AskError> {
    let kept = |source| AskError::Output { source };
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait().map_err(kept)? {
            return Ok(status);
        }
        if start.elapsed() >= limit {
            end(child);
            return Err(AskError::TimedOut {
                seconds: limit.as_secs(),
            });
        }
        if stdout.metadata().map_err(kept)?.len() > OUTPUT_LIMIT {
            end(child);
            return Err(AskError::NoVersion {
                said: format!("more than {OUTPUT_LIMIT} bytes"),
            });
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Ends the whole group: R and Quarto are scripts that start the real program. Errors mean it is gone already.
fn end(child: &mut Child) {
    if let Ok(Some(group)) = i32::try_from(child.id()).map(rustix::process::Pid::from_raw) {
        let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _reaped = child.wait();
}

fn read(file: &mut File) -> io::Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
