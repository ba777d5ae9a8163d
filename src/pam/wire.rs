//! What `offhost-pam` is told and what it answers. Plain data; passwords come by a pipe of their own.

use core::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::sandbox::SandboxSpec;

/// A password is to be checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// The PAM service.
    pub service: String,
    /// The user's name, as it was typed.
    pub user: String,
    /// Where the user is.
    pub from: IpAddr,
    /// How long one step of PAM may take, in seconds.
    pub limit_seconds: u32,
}

/// What the check of a password comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum CheckAnswer {
    /// It is the user's.
    Checked {
        /// The user's name, as the machine spells it; a module may have changed it.
        user: String,
        /// The names of the user's groups.
        groups: Vec<String>,
        /// The number of the user's account, where the machine knows one.
        uid: Option<u32>,
        /// What the modules said.
        said: Vec<String>,
    },
    /// The user may not log in.
    Refused {
        /// Whether the machine knows the user.
        is_known: bool,
        /// Why, for the log.
        why: String,
        /// What the modules said.
        said: Vec<String>,
    },
    /// The password is right and has to be changed first.
    Expired,
    /// The service can not check it.
    Unavailable {
        /// Why, for the log.
        why: String,
        /// What the modules said.
        said: Vec<String>,
    },
}

/// A session is to be opened around a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// The PAM service.
    pub service: String,
    /// The account, which no module may change.
    pub user: String,
    /// How long one step of PAM may take, in seconds.
    pub limit_seconds: u32,
    /// Whether every step, and what modules say, is told.
    pub logging: bool,
    /// The program that starts the process: `offhost-exec`.
    pub helper: PathBuf,
    /// Variables of the specification that come from the server's own environment: the session's win over them.
    pub inherited: Vec<String>,
    /// The process. The session's variables are added to its environment; nothing else of it is changed.
    pub spec: SandboxSpec,
}

/// What `offhost-pam` says of a session, between the reports of the process; one JSON object a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "session")]
pub enum Word {
    /// No session could be opened, and nothing of the content ran.
    Refused {
        /// Why, and what to do.
        message: String,
    },
    /// Something for the log.
    Note {
        /// One sentence.
        text: String,
    },
    /// Something that should not be.
    Warning {
        /// One sentence.
        text: String,
    },
}
