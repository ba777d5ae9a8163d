//! Which form of the sandbox this machine gives, found by making each one whole around a program that does nothing
//! (SB1–SB3, SB9). No setting of the kernel is read: what they promise and what works differ.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::launcher::{Ended, LaunchError, Launcher, Streams};
use super::scratch::Scratch;
use crate::names::MOUNT_APP;
use crate::plan::Identity;
use crate::sandbox::{Bind, MaskPath, Rlimit, RlimitName, SandboxMode, SandboxSpec};

/// A probe that takes longer hangs, on a dead network file system for instance.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The form that will be used, and why no better one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxForm {
    /// The form.
    pub mode: SandboxMode,
    /// Layers in force.
    pub layers: Vec<String>,
    /// Better forms that were tried or left out, with the reason.
    pub declined: Vec<(SandboxMode, String)>,
}

/// No form works: nothing is started (SB3).
#[derive(Debug, thiserror::Error)]
#[error("no sandbox can be made on this machine, so nothing is started: {}", .reasons.join("; "))]
pub struct NoSandbox {
    /// One sentence a form.
    pub reasons: Vec<String>,
}

/// Tries the forms from the strongest on.
///
/// # Errors
/// [`NoSandbox`] with the cause of each form.
pub fn choose(
    launcher: &Launcher,
    account: &Identity,
    temp_dir: &Path,
    allow_user_namespace: bool,
) -> Result<SandboxForm, NoSandbox> {
    let mut declined = Vec::new();
    let root = rustix::process::geteuid().is_root();
    let forms: &[SandboxMode] = if root {
        &[SandboxMode::RootUserns, SandboxMode::Root]
    } else {
        &[SandboxMode::Unprivileged]
    };
    for &mode in forms {
        if mode == SandboxMode::RootUserns && !allow_user_namespace {
            declined.push((mode, "Sandbox.UserNamespace = never".to_owned()));
            continue;
        }
        match try_form(launcher, account, temp_dir, mode) {
            Ok(layers) => {
                return Ok(SandboxForm {
                    mode,
                    layers,
                    declined,
                });
            }
            Err(reason) => declined.push((mode, reason)),
        }
    }
    Err(NoSandbox {
        reasons: declined
            .into_iter()
            .map(|(mode, reason)| format!("{}: {reason}", describe(mode)))
            .collect(),
    })
}

/// What a form is called in messages.
#[must_use]
pub fn describe(mode: SandboxMode) -> &'static str {
    match mode {
        SandboxMode::RootUserns => "with a user namespace",
        SandboxMode::Root => "without a user namespace",
        SandboxMode::Unprivileged => "unprivileged, as your own account",
    }
}

fn try_form(
    launcher: &Launcher,
    account: &Identity,
    temp_dir: &Path,
    mode: SandboxMode,
) -> Result<Vec<String>, String> {
    let place = Scratch::make(temp_dir, "probe", None).map_err(|failure| failure.to_string())?;
    let (shown, hidden) = (place.path().join("shown"), place.path().join("hidden"));
    for directory in [&shown, &hidden] {
        std::fs::create_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    }
    let spec = probe_spec(account, mode, &shown, &hidden);
    match run_with_limit(launcher, &spec) {
        Ok(ended) if ended.succeeded() => Ok(ended.layers),
        Ok(ended) => Err(format!("the probe ended with {:?}", ended.code.or(ended.signal))),
        Err(error) => Err(error.to_string()),
    }
}

fn probe_spec(account: &Identity, mode: SandboxMode, shown: &Path, hidden: &Path) -> SandboxSpec {
    SandboxSpec {
        mode,
        argv: vec!["/bin/true".to_owned()],
        env: Vec::new(),
        cwd: "/".into(),
        uid: account.uid,
        gid: account.gid,
        groups: account.groups.clone(),
        masks: vec![MaskPath {
            path: hidden.to_owned(),
            required: true,
        }],
        binds: vec![Bind {
            source: Some(shown.to_owned()),
            target: MOUNT_APP.into(),
            read_only: true,
        }],
        rlimits: vec![Rlimit {
            resource: RlimitName::Core,
            limit: 0,
        }],
        cgroup: None,
        timeout_ms: None,
        grace_ms: 0,
        serve: None,
    }
}

fn run_with_limit(launcher: &Launcher, spec: &SandboxSpec) -> Result<Ended, LaunchError> {
    let quiet = std::process::Stdio::null;
    let mut running = launcher.start(
        spec,
        Streams {
            stdin: quiet(),
            stdout: quiet(),
            stderr: quiet(),
        },
    )?;
    let helper = running.helper_pid();
    let (done, waiting) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if waiting.recv_timeout(TIME_LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
            // Its whole sandbox goes with it.
            let _ = crate::exec::kill(helper, libc::SIGKILL);
        }
    });
    let answer = running.wait_started().and_then(|layers| running.wait(layers));
    drop(done);
    let _ = watch.join();
    answer
}
