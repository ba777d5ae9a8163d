//! Resource limits of the process.

use rustix::process::{Resource, Rlimit};

use super::error::{Step, StepError};
use crate::sandbox::{Rlimit as Wanted, RlimitName};

/// Sets each limit, soft and hard alike. A limit above the hard one in force is lowered to that.
///
/// # Errors
/// Those of `setrlimit(2)`.
pub(crate) fn apply(limits: &[Wanted]) -> Result<(), StepError> {
    for wanted in limits {
        let resource = match wanted.resource {
            RlimitName::Core => Resource::Core,
            RlimitName::Fsize => Resource::Fsize,
            RlimitName::Nofile => Resource::Nofile,
            RlimitName::Nproc => Resource::Nproc,
        };
        let hard = rustix::process::getrlimit(resource).maximum;
        let limit = Some(hard.map_or(wanted.limit, |hard| hard.min(wanted.limit)));
        rustix::process::setrlimit(
            resource,
            Rlimit {
                current: limit,
                maximum: limit,
            },
        )
        .step("set a resource limit", format!("{:?}", wanted.resource))?;
    }
    Ok(())
}
