//! The reason that a job fails for when it can not be planned.

use super::{CurrentUserError, PlanError};
use crate::reason::Reason;

impl PlanError {
    /// The reason a job fails for with this error.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Runtime(_) | Self::NoInterpreter { .. } => Reason::RuntimeNotFound,
            Self::AccountSpec { .. }
            | Self::AccountMissing { .. }
            | Self::Root { .. }
            | Self::GroupMissing { .. }
            | Self::NotInGroup { .. }
            | Self::OtherAccount { .. }
            | Self::CurrentUser(CurrentUserError::Ordinary { .. })
            | Self::PodIdentity { .. } => Reason::AccountRefused,
            Self::Supervisor { .. } => Reason::SupervisorRefused,
            _ => Reason::InvalidInput,
        }
    }
}
