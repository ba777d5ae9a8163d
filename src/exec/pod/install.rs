//! The helper and the starters put into a volume, for clusters without image volumes. What an earlier try left there
//! is replaced.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::data::{CopyOptions, Modes, copy_tree, remove_tree};
use crate::exec::StepError;
use crate::names::EXEC_PROGRAM;

/// Steps carry this name in messages.
const STEP: &str = "install";

/// Puts this program and the directory `runtime` below `to`, and makes the directories that the volumes of a content
/// Pod are mounted on.
pub(super) fn install(to: &Path, runtime: &Path) -> Result<(), StepError> {
    for name in ["bin", "inputs", "source", "build", "build/source", "build/output"] {
        make_directory(&to.join(name))?;
    }
    let program = to.join("bin").join(EXEC_PROGRAM);
    copy_program(&program).map_err(|error| fault("write", &program, &error))?;
    let starters = to.join("runtime");
    remove_tree(&starters).map_err(|error| StepError::new(STEP, error.to_string(), ""))?;
    let options = CopyOptions {
        // Another account may be the one that runs them.
        modes: Modes::Normal,
        ..CopyOptions::default()
    };
    copy_tree(runtime, &starters, options)
        .map(drop)
        .map_err(|error| StepError::new(STEP, error.to_string(), ""))
}

fn fault(action: &str, path: &Path, error: &io::Error) -> StepError {
    let message = format!("can not {action} '{}': {error}", path.display());
    StepError::new(STEP, message, "mount a volume there that this account can write")
}

fn make_directory(path: &Path) -> Result<(), StepError> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        answer => answer.map_err(|error| fault("make the directory", path, &error)),
    }
}

/// Under another name first: what is there already may be running.
fn copy_program(program: &Path) -> io::Result<()> {
    let new = program.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o555)
        .open(&new)?;
    io::copy(&mut File::open("/proc/self/exe")?, &mut file)?;
    drop(file);
    fs::rename(&new, program)
}
