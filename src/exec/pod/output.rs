//! Where the output of the process goes: pipes to this process, and the log file.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::pipe::PipeFlags;

use super::relay::Relay;
use crate::exec::error::{Step, StepError};

/// The ends of the pipes that the process writes into: standard output and error.
pub(super) type Writers = [OwnedFd; 2];

/// Pipes to the container's own output, and to the log where there is one.
pub(super) fn connect(log: Option<&Path>) -> Result<(Relay<'static>, Writers), StepError> {
    let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC).step("make a pipe", "output");
    let [(out, write_out), (err, write_err)] = [pipe()?, pipe()?];
    let mut relay = Relay::new([out, err], [rustix::stdio::stdout(), rustix::stdio::stderr()]);
    if let Some(path) = log {
        relay.keep(path, open(path));
    }
    Ok((relay, [write_out, write_err]))
}

/// Opens the log to go on with it. Content can write in its directory, so no link is followed and nobody is waited for.
fn open(path: &Path) -> std::io::Result<File> {
    File::options()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
}
