//! What is checked of a supervisor before anything runs under it (SV5).

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::launcher::{LaunchError, Launcher, Streams};
use super::scratch::Scratch;
use super::{output, process};
use crate::data::IoFailure;
use crate::plan::{Identity, Mask};
use crate::sandbox::{Bind, MaskPath, SandboxMode, SandboxSpec};

/// An exit code that no shell or tool gives by itself.
const CODE: i32 = 43;
/// Arguments that a careless script would split, drop or expand.
const ARGUMENTS: [&str; 5] = ["two words", "", "*", "--flag=\"q\"", "$HOME"];
/// Writes its process id and its arguments, one a line, beside itself. A file, as the words of a command line that a
/// supervisor splits would not run at all.
const TARGET: &str = r#"printf '%s\n' "$$" "$@" >"${0%/*}/answer"; exit 43"#;
/// The process id of the content's process in its PID namespace: the first that the first process starts.
const FIRST_PID: &str = "2";

/// A supervisor that does not keep its promises.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// It is not there, or not executable by the accounts that content runs as.
    #[error("Applications.Supervisor {path}: {problem}")]
    NotExecutable {
        /// Its path.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// It lies where content sees nothing.
    #[error(
        "Applications.Supervisor {path} lies in {mask}, which is hidden from content ({setting}); move it, for example to /usr/local/bin"
    )]
    Masked {
        /// Its path.
        path: PathBuf,
        /// The masked directory.
        mask: PathBuf,
        /// The setting behind the mask.
        setting: String,
    },
    /// It prints on standard output.
    #[error(
        "Applications.Supervisor {path} prints on standard output ({printed:?}); let it print on standard error"
    )]
    Prints {
        /// Its path.
        path: PathBuf,
        /// What it printed, shortened.
        printed: String,
    },
    /// It starts its target as a child.
    #[error(
        "Applications.Supervisor {path} starts its target as a child process; let it end with: exec \"$@\""
    )]
    NoExec {
        /// Its path.
        path: PathBuf,
    },
    /// It changes, drops or adds arguments.
    #[error(
        "Applications.Supervisor {path} does not pass on all arguments as they are; let it end with: exec \"$@\", with the quotes"
    )]
    Arguments {
        /// Its path.
        path: PathBuf,
    },
    /// It does not run its target at all, or fails itself.
    #[error(
        "Applications.Supervisor {path} does not run its target (it ended with {ended}); let it end with: exec \"$@\""
    )]
    NoTarget {
        /// Its path.
        path: PathBuf,
        /// How it ended.
        ended: String,
    },
    /// It returns another exit code than its target's.
    #[error(
        "Applications.Supervisor {path} returns exit code {got} where its target gave {CODE}; let it end with: exec \"$@\""
    )]
    ExitCode {
        /// Its path.
        path: PathBuf,
        /// The code it returned.
        got: String,
    },
    /// It could not be tried.
    #[error("try Applications.Supervisor: {0}")]
    Try(#[source] LaunchError),
    /// A directory for the trial could not be made.
    #[error("try Applications.Supervisor: {0}")]
    Place(#[from] IoFailure),
}

/// What a supervisor is tried with.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// Starts the processes.
    pub launcher: &'a Launcher,
    /// The form of the sandbox.
    pub mode: SandboxMode,
    /// The account, usually `Applications.RunAs`.
    pub account: &'a Identity,
    /// What content does not see.
    pub masks: &'a [Mask],
    /// `Server.TempDir`.
    pub temp_dir: &'a Path,
}

/// Checks a supervisor (its words), without and then with running it.
///
/// # Errors
/// The first promise that it breaks.
pub fn check(words: &[String], trial: &Trial<'_>) -> Result<(), SupervisorError> {
    let Some(path) = words.first().map(PathBuf::from) else {
        return Ok(());
    };
    check_file(&path)?;
    check_masks(&path, trial.masks)?;
    try_out(words, &path, trial)
}

/// Others must be able to execute it, and scripts need to be read as well.
fn check_file(path: &Path) -> Result<(), SupervisorError> {
    let fault = |problem: &str| SupervisorError::NotExecutable {
        path: path.to_owned(),
        problem: problem.to_owned(),
    };
    if !path.is_absolute() {
        return Err(fault("is not an absolute path; name it from / on"));
    }
    let metadata = std::fs::metadata(path).map_err(|error| fault(&format!("{error}; correct the path")))?;
    if !metadata.is_file() {
        return Err(fault("is not a file; name the program itself"));
    }
    if metadata.permissions().mode() & 0o005 != 0o005 {
        return Err(fault(
            "can not be read and executed by other accounts; run chmod 0755 on it",
        ));
    }
    for directory in path.ancestors().skip(1) {
        let mode = std::fs::metadata(directory)
            .map(|metadata| metadata.permissions().mode())
            .unwrap_or(0);
        if mode & 0o001 == 0 {
            let problem = format!(
                "{} can not be entered by other accounts; run chmod o+x on it",
                directory.display()
            );
            return Err(fault(&problem));
        }
    }
    Ok(())
}

fn check_masks(path: &Path, masks: &[Mask]) -> Result<(), SupervisorError> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let hit = masks.iter().find(|mask| {
        let target = mask.path.canonicalize().unwrap_or_else(|_| mask.path.clone());
        real.starts_with(&target) || path.starts_with(&mask.path)
    });
    hit.map_or(Ok(()), |mask| {
        Err(SupervisorError::Masked {
            path: path.to_owned(),
            mask: mask.path.clone(),
            setting: mask.setting.clone(),
        })
    })
}

/// Runs it around a target that writes down what reached it.
fn try_out(words: &[String], path: &Path, trial: &Trial<'_>) -> Result<(), SupervisorError> {
    let place = Scratch::make(trial.temp_dir, "trial", process::owner(trial.account))?;
    let directory = place.path();
    let target = directory.join("target");
    std::fs::write(&target, TARGET)
        .and_then(|()| std::fs::set_permissions(&target, PermissionsExt::from_mode(0o444)))
        .map_err(|source| IoFailure::new("write", &target, source))?;
    let (ended, printed) = launch(&trial_spec(words, directory, trial), trial.launcher)?;
    if !printed.is_empty() {
        let printed = String::from_utf8_lossy(&printed).chars().take(60).collect();
        return Err(SupervisorError::Prints {
            path: path.to_owned(),
            printed,
        });
    }
    let Ok(answer) = std::fs::read_to_string(directory.join("answer")) else {
        return Err(SupervisorError::NoTarget {
            path: path.to_owned(),
            ended,
        });
    };
    let mut lines = answer.lines();
    let pid = lines.next().unwrap_or_default();
    if lines.ne(ARGUMENTS) {
        return Err(SupervisorError::Arguments {
            path: path.to_owned(),
        });
    }
    if ended != CODE.to_string() {
        return Err(SupervisorError::ExitCode {
            path: path.to_owned(),
            got: ended,
        });
    }
    if pid != FIRST_PID {
        return Err(SupervisorError::NoExec {
            path: path.to_owned(),
        });
    }
    Ok(())
}

fn trial_spec(words: &[String], directory: &Path, trial: &Trial<'_>) -> SandboxSpec {
    let target = [
        "/bin/sh".to_owned(),
        directory.join("target").display().to_string(),
    ]
    .into_iter()
    .chain(ARGUMENTS.map(str::to_owned));
    let masks = trial.masks.iter().filter_map(|mask| {
        let path = mask.path.canonicalize().ok()?;
        Some(MaskPath {
            path,
            required: mask.required,
        })
    });
    SandboxSpec {
        mode: trial.mode,
        argv: words.iter().cloned().chain(target).collect(),
        env: vec![
            "PATH=/usr/local/bin:/usr/bin:/bin".to_owned(),
            format!("TMPDIR={}", directory.display()),
        ],
        cwd: directory.to_owned(),
        uid: trial.account.uid,
        gid: trial.account.gid,
        groups: trial.account.groups.clone(),
        masks: masks.collect(),
        binds: vec![Bind {
            source: Some(directory.to_owned()),
            target: directory.to_owned(),
            read_only: false,
        }],
        rlimits: Vec::new(),
        cgroup: None,
        timeout_ms: Some(30_000),
        grace_ms: 1_000,
        serve: None,
    }
}

/// How it ended, as text, and what it printed on standard output.
fn launch(spec: &SandboxSpec, launcher: &Launcher) -> Result<(String, Vec<u8>), SupervisorError> {
    use std::process::Stdio;
    let streams = Streams {
        stdin: Stdio::null(),
        stdout: Stdio::piped(),
        stderr: Stdio::null(),
    };
    let mut running = launcher.start(spec, streams).map_err(SupervisorError::Try)?;
    let reader = running
        .take_stdout()
        .map(|stdout| std::thread::spawn(move || output::read_some(stdout, 65_536)));
    let layers = running.wait_started().map_err(SupervisorError::Try)?;
    let ended = running.wait(layers).map_err(SupervisorError::Try)?;
    let printed = reader.and_then(|thread| thread.join().ok()).unwrap_or_default();
    let how = match (ended.code, ended.signal) {
        (Some(code), _) => code.to_string(),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "nothing".to_owned(),
    };
    Ok((how, printed))
}
