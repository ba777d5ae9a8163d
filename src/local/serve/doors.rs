//! Where a process answers: at a socket that it inherits, or at one that it makes in its temporary directory.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::sockets::{AppSocket, Sockets};
use crate::apps::Address;
use crate::data::{IoFailure, Workspace};
use crate::names::{APP_SOCKET, SERVE_DIR};
use crate::plan::{Listen, ProcessPlan};

/// The address of a process, and what it needs for it.
#[derive(Debug)]
pub enum Doors {
    /// It inherits a socket.
    Given(AppSocket),
    /// It makes one itself.
    Own {
        /// The directory, which content can write.
        directory: PathBuf,
        /// Its account.
        uid: u32,
    },
}

impl Doors {
    /// What the plan of a process wants.
    ///
    /// # Errors
    /// The socket can not be made.
    pub fn make(
        sockets: &Sockets,
        key: &str,
        plan: &ProcessPlan,
        workspace: &Workspace,
    ) -> Result<Self, IoFailure> {
        let listen = plan.serve.as_ref().map(|serve| &serve.listen);
        match listen {
            Some(Listen::Unix(_)) => Ok(Self::Own {
                directory: workspace.path().join(SERVE_DIR),
                uid: plan.identity.uid,
            }),
            _ => Ok(Self::Given(sockets.make(key)?)),
        }
    }

    /// What the process inherits. Nobody else must hold it then: what listens nowhere is to refuse connections.
    pub fn take_listener(&mut self) -> Option<OwnedFd> {
        match self {
            Self::Given(socket) => socket.listener.take().map(OwnedFd::from),
            Self::Own { .. } => None,
        }
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> Address {
        match self {
            Self::Given(socket) => Address::Unix(socket.address.clone()),
            Self::Own { directory, uid } => Address::UnixOf {
                directory: directory.clone(),
                name: APP_SOCKET.to_owned(),
                uid: *uid,
            },
        }
    }
}
