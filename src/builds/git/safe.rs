//! How git is called: with nothing of anybody's configuration, within limits, and with no secret in its arguments.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Remote;
use crate::builds::error::BuildError;
use crate::builds::source::PROTOCOLS;

/// No file that git writes is larger, in bytes: a whole pack is one.
const MOST_FILE: u64 = 4 << 30;
/// Variables of this program that git needs to reach repositories.
const PASSED: [&str; 13] = [
    "PATH",
    "SSH_AUTH_SOCK",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
];
/// Settings of every call.
const SETTINGS: [&str; 16] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "credential.helper=",
    "credential.interactive=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "protocol.allow=never",
    "protocol.version=2",
];
/// Answers only the question for a password, from a file whose name is in the environment: no secret is ever in arguments.
const HELPER: &str = "!f() { test \"$1\" = get && cat \"$OFFHOST_GIT_CREDENTIALS\"; }; f";

impl Remote<'_> {
    /// Git with nothing of anybody's configuration, under a limit of the size of files. The shell is there for that limit
    /// alone: it sees no word of the user's as code.
    pub(super) fn git(&self) -> Result<Command, BuildError> {
        let mut command = Command::new("/bin/sh");
        let blocks = (MOST_FILE / 512).to_string();
        command.args(["-c", "ulimit -c 0; ulimit -f \"$0\"; exec \"$@\"", &blocks, "git"]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        for protocol in PROTOCOLS {
            command.args(["-c", &format!("protocol.{protocol}.allow=always")]);
        }
        command.env_clear().current_dir("/");
        for name in PASSED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs([
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", "/bin/false"),
            ("SSH_ASKPASS", "/bin/false"),
            ("GIT_PROTOCOL_FROM_USER", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_LFS_SKIP_SMUDGE", "1"),
            ("LC_ALL", "C"),
        ]);
        command.env("HOME", self.home.unwrap_or_else(|| Path::new("/nonexistent")));
        self.give_access(&mut command)?;
        command.stdin(Stdio::null());
        Ok(command)
    }

    fn give_access(&self, command: &mut Command) -> Result<(), BuildError> {
        // No question is ever asked, and a host that is not known is refused.
        let mut ssh = "ssh -oBatchMode=yes -oConnectTimeout=30 -oStrictHostKeyChecking=yes".to_owned();
        if let Some(key) = &self.access.ssh_key {
            require_private(key)?;
            command.env("OFFHOST_GIT_KEY", key);
            ssh.push_str(" -oIdentitiesOnly=yes -i \"$OFFHOST_GIT_KEY\"");
        }
        command.env("GIT_SSH_COMMAND", ssh);
        if let Some(file) = &self.access.credentials {
            require_private(file)?;
            command.env("OFFHOST_GIT_CREDENTIALS", file);
            // For this host alone: a redirect elsewhere gets nothing.
            command.args(["-c", &format!("credential.{}.helper={HELPER}", self.url.place())]);
        }
        Ok(())
    }
}

/// What others can read is no secret.
fn require_private(path: &Path) -> Result<(), BuildError> {
    let fault = |problem: String| BuildError::Secret {
        path: PathBuf::from(path),
        problem,
    };
    let metadata = std::fs::metadata(path).map_err(|error| {
        fault(format!(
            "can not be read: {error}; correct the name or its permissions"
        ))
    })?;
    if !metadata.is_file() {
        return Err(fault(
            "is no file; name the file with the credentials or the key".to_owned(),
        ));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(fault(format!(
            "has mode {:04o}, so that other accounts can read it; run chmod 600 on it",
            metadata.mode() & 0o7777
        )));
    }
    Ok(())
}
