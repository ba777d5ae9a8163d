//! Resource limits of the process.

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};

use super::error::{Step, StepError};
use crate::names::LIMIT_MISSING;
use crate::sandbox::{Rlimit as Wanted, RlimitName};

/// Steps carry this name in messages.
const STEP: &str = "set a resource limit";

/// Sets each limit, soft and hard alike. What can not be raised above the hard limit in force is set to that, and told.
///
/// # Errors
/// Those of `setrlimit(2)`.
pub(crate) fn apply(limits: &[Wanted]) -> Result<Vec<String>, StepError> {
    let mut lowered = Vec::new();
    for wanted in limits {
        let resource = match wanted.resource {
            RlimitName::Core => Resource::Core,
            RlimitName::Fsize => Resource::Fsize,
            RlimitName::Nofile => Resource::Nofile,
            RlimitName::Nproc => Resource::Nproc,
        };
        let hard = rustix::process::getrlimit(resource).maximum;
        let name = format!("{:?}", wanted.resource).to_lowercase();
        match (set(resource, wanted.limit), hard) {
            // Without CAP_SYS_RESOURCE, which no user namespace gives.
            (Err(Errno::PERM), Some(hard)) if hard < wanted.limit => {
                set(resource, hard).step(STEP, &name)?;
                lowered.push(format!(
                    "{name} {LIMIT_MISSING}: this machine allows {hard} at most"
                ));
            }
            (answer, _) => answer.step(STEP, &name)?,
        }
    }
    Ok(lowered)
}

fn set(resource: Resource, limit: u64) -> Result<(), Errno> {
    let limit = Some(limit);
    let both = Rlimit {
        current: limit,
        maximum: limit,
    };
    rustix::process::setrlimit(resource, both)
}
