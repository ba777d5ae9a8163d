//! PAM on the server's side: checks of passwords and sessions around processes, each made by a program of its own,
//! `offhost-pam`, and the passwords that are kept for sessions.

pub mod check;
pub mod credentials;
pub mod services;
pub mod session;
mod standing;

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::MemfdFlags;
use rustix::pipe::PipeFlags;

use crate::names::PAM_PROGRAM;

pub use check::PamPasswords;
pub use credentials::{Credentials, Password};
pub use session::{Session, Sessions};

/// How long one step of PAM may take, in seconds: longer than the time limits of directories and ticket servers.
const LIMIT_SECONDS: u32 = 30;

/// Why PAM can not be used.
#[derive(Debug, thiserror::Error)]
pub enum PamError {
    /// The program is not where it should be.
    #[error("the program {0} is missing; install it beside offhost")]
    ProgramMissing(PathBuf),
    /// An ordinary user can not open sessions for accounts.
    #[error(
        "PAM.UseSession needs root, which alone can open sessions for accounts; run as root, or set PAM.UseSession = false"
    )]
    NotRoot,
    /// This program can not be found.
    #[error("find the program {PAM_PROGRAM}: {0}")]
    Find(#[source] io::Error),
    /// Memory for passwords.
    #[error(
        "memory for passwords can not be locked: {0}; raise the limit of locked memory (LimitMEMLOCK in systemd)"
    )]
    Memory(#[source] io::Error),
    /// The visitor's password is not kept any more.
    #[error("the password of '{0}' is not kept any more; the visitor must log in again")]
    NoPassword(String),
}

/// The program beside the running one.
fn program() -> Result<PathBuf, PamError> {
    let own = std::env::current_exe().map_err(PamError::Find)?;
    let program = own.with_file_name(PAM_PROGRAM);
    match program.is_file() {
        true => Ok(program),
        false => Err(PamError::ProgramMissing(program)),
    }
}

/// A request in a file without a name, which no other process can open.
fn memory_file(request: &impl serde::Serialize) -> io::Result<OwnedFd> {
    let mut file = std::fs::File::from(rustix::fs::memfd_create("offhost-pam", MemfdFlags::CLOEXEC)?);
    file.write_all(&serde_json::to_vec(request).map_err(io::Error::other)?)?;
    Ok(file.into())
}

/// A pipe that holds a password and has no writer any more.
fn password_pipe(password: &[u8]) -> io::Result<OwnedFd> {
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    // Shorter than any pipe: it never blocks, and is never cut.
    let written = rustix::io::write(&writer, password)?;
    match written == password.len() {
        true => Ok(reader),
        false => Err(io::ErrorKind::WriteZero.into()),
    }
}
