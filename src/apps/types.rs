//! The words in which gateways, the hub and the fleet of processes speak of applications. Plain data.

use core::net::SocketAddr;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Makes a text with a type of its own, cheap to clone.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// An application: the uid of its resource on a cluster, its name on one machine.
    AppId
}
id! {
    /// An account of this machine that processes run as, with a mark of its ids and groups.
    AccountName
}
id! {
    /// A process of an application, never used twice: its job key.
    ProcessId
}
id! {
    /// A gateway: the name of its Pod.
    GatewayId
}
id! {
    /// What a process was started from: it changes with the bundle and with all else that a process is made of (AP2).
    Deployment
}

/// How many processes an application has, how full they get and how long they last (SC2, SC3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// Processes that always run.
    pub min_processes: u32,
    /// Processes of the current deployment there may be.
    pub max_processes: u32,
    /// Seats of one process.
    pub max_connections: u32,
    /// How full processes are, in thousandths, before another is started.
    pub load_factor_thousandths: u32,
    /// How long a process may take until it is ready.
    pub init_timeout: Duration,
    /// How long a process without seats taken is kept; `None` for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a process of an older deployment keeps its sessions.
    pub drain_timeout: Duration,
}

/// What the hub has to know of an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppSpec {
    /// What new processes are started from.
    pub deployment: Deployment,
    /// Its bounds.
    pub bounds: Bounds,
    /// Why nothing may run at present, in one sentence: suspended, or something is wrong or missing.
    pub held: Option<Failure>,
    /// Whether visitors' accounts have processes of their own (CU3).
    #[serde(default)]
    pub has_pools: bool,
}

/// Where a process answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Address {
    /// A Pod.
    Tcp(SocketAddr),
    /// A socket in a directory that only the server can enter.
    Unix(PathBuf),
    /// A socket that the process made in a directory of its own: opened without following a link, and only believed if
    /// the listener's account is this one, as what lies there may have been swapped for another service's socket.
    UnixOf {
        /// The directory.
        directory: PathBuf,
        /// Name of the socket in it.
        name: String,
        /// The account of the process.
        uid: u32,
    },
}

/// A process that did not get ready or ended by itself, or the reason why none may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The reason, a word of the closed list.
    pub reason: String,
    /// What happened and what to do, in one sentence, fit for every visitor: no path, no output.
    pub message: String,
    /// The process, if one ran.
    pub process: Option<ProcessId>,
    /// Exit code, if it exited.
    pub exit_code: Option<i32>,
}
