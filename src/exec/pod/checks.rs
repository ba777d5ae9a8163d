//! What is checked before anything of the content runs.

use std::ffi::OsStr;
use std::path::Path;

use rustix::fs::Access;

use crate::exec::StepError;

/// The account that the container's runtime has set: root never runs content.
pub(super) fn account() -> Result<(), StepError> {
    let uids = [rustix::process::getuid(), rustix::process::geteuid()];
    let gids = [rustix::process::getgid(), rustix::process::getegid()];
    if !uids.iter().any(|uid| uid.is_root()) && !gids.iter().any(|gid| gid.is_root()) {
        return Ok(());
    }
    let message = format!(
        "the container runs with uid {} and gid {}, and root never runs content (RA1)",
        uids[1].as_raw(),
        gids[1].as_raw()
    );
    let hint = "give the Pod the job's account with runAsUser and runAsGroup";
    Err(StepError::new("check the account", message, hint))
}

/// The supervisor, the first word of the command line, as the image has it (SV2).
pub(super) fn supervisor(program: &OsStr) -> Result<(), StepError> {
    let path = Path::new(program);
    let fault = |what: &str| {
        let message = format!("the supervisor '{}' {what}", path.display());
        let hint = "put it into the image, or change the supervisor of this image in runtimes.yaml";
        Err(StepError::new("supervisor", message, hint))
    };
    if !path.is_absolute() {
        return fault("is no absolute path");
    }
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return fault("is not in the image");
        }
        Err(error) => return fault(&format!("can not be read in the image: {error}")),
        Ok(meta) if !meta.is_file() => return fault("is no file in the image"),
        Ok(_) => {}
    }
    match rustix::fs::access(path, Access::EXEC_OK) {
        Ok(()) => Ok(()),
        Err(_) => fault("can not be executed by the account of the content"),
    }
}
