//! One process of the content, from the checks before it to its last words.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::{Duration, Instant};

use super::args::PodOrder;
use super::memory::Memory;
use super::message::Message;
use super::serving::{ServeOrder, Serving};
use super::watch::{self, Watched};
use super::{checks, code_of, copying, output, remains};
use crate::exec::ending::{Ending, ended};
use crate::exec::error::{Step, StepError};
use crate::exec::payload::{self, Program, Surroundings};
use crate::exec::privileges;
use crate::sandbox::{EndCause, Report, Rlimit, RlimitName};

/// Runs the process to its end. Gives the exit code.
pub(super) fn run(order: &PodOrder, signals: &OwnedFd, message: &Message) -> Result<u8, StepError> {
    checks::account()?;
    if order.supervisor_words > 0 {
        checks::supervisor(&order.argv[0])?;
    }
    // Before the copy: the working directory may lie in what the copy replaces, and has no name then.
    let cwd = std::env::current_dir().step("find the working directory", "the container's workingDir")?;
    if let Some((from, to)) = &order.copy
        && let Some(report) = copying::copy(from, to, signals)?
    {
        message.write(&report);
        return Ok(code_of(&report));
    }
    remains::adopt()?;
    privileges::lock_down_in_container()?;
    let memory = Memory::watch();
    let (mut relay, writers) = output::connect(order.log.as_deref())?;
    let serve = order.serve.as_ref();
    let mut serving = serve.map(Serving::begin).transpose()?;
    let listener = serve.map(ServeOrder::listener).transpose()?.flatten();
    let payload = start(order, &cwd, &writers, listener.as_ref().map(AsFd::as_fd));
    let payload = payload.map_err(|error| explained(error, order))?;
    // Where the process closes it, it is closed.
    drop(listener);
    // From now on only the process and what it starts can write there, and their end is the end of the pipes.
    drop(writers);
    let timeout = order.timeout_seconds.map(Duration::from_secs);
    let grace = Duration::from_secs(order.grace_seconds);
    let ending = Ending::new(timeout, grace, Instant::now());
    let mut ending = ending.interrupting(serve.and_then(ServeOrder::interrupt));
    let watched = watch::watch(payload, signals, &mut relay, &mut ending, serving.as_mut())?;
    // Content can write its own last words: nobody must be left who does, so ours come after that.
    remains::end(signals);
    let report = report(watched, &ending, &memory);
    message.write(&report);
    if let Some(serving) = &mut serving {
        serving.end(&report);
    }
    relay.drain();
    Ok(code_of(&report))
}

fn start(
    order: &PodOrder,
    cwd: &Path,
    writers: &output::Writers,
    listener: Option<BorrowedFd<'_>>,
) -> Result<i32, StepError> {
    let inherited = std::env::vars_os();
    let told = inherited.filter(|(name, _)| order.tell_api_server || !names_api_server(name));
    let env = told.map(|(name, value)| {
        let parts = [name.as_bytes(), value.as_bytes()];
        parts.join(&b'=')
    });
    let argv = order.argv.iter().map(|word| word.clone().into_vec());
    let program = Program::new(argv, env)?;
    let surroundings = Surroundings {
        cwd,
        rlimits: &limits(order),
        streams: Some([writers[0].as_fd(), writers[1].as_fd()]),
        listener,
    };
    payload::start(&program, &surroundings)
}

/// The kubelet tells every container where the API server is, and can not be asked not to. Content without an account
/// there has no business knowing, and would see what it does not see on a machine (EN3).
fn names_api_server(variable: &OsStr) -> bool {
    let name = variable.as_bytes();
    name.starts_with(b"KUBERNETES_SERVICE_") || name.starts_with(b"KUBERNETES_PORT")
}

/// Those of the process alone: the log of all output may become larger than any file of the process.
fn limits(order: &PodOrder) -> Vec<Rlimit> {
    let limit = |resource| move |limit| Rlimit { resource, limit };
    [
        Some(0).map(limit(RlimitName::Core)),
        order.open_files.map(limit(RlimitName::Nofile)),
        order.file_size.map(limit(RlimitName::Fsize)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What can be done about a program that the image does not have, or not for this machine.
fn explained(mut error: StepError, order: &PodOrder) -> StepError {
    let program = order.argv[0].to_string_lossy();
    let cause = match &error.source {
        Some(cause) if error.message.starts_with(&*program) => cause,
        _ => return error,
    };
    let advice = match cause.kind() {
        io::ErrorKind::NotFound => {
            "put it into the image; if it is there, the interpreter of its first line or its loader is not"
        }
        io::ErrorKind::PermissionDenied => "make it executable for the account of the content",
        _ if cause.raw_os_error() == Some(libc::ENOEXEC) => {
            "it is made for another processor, or is a script whose first line names no interpreter"
        }
        _ => "",
    };
    error.hint = advice.to_owned();
    if order.supervisor_words > 0 {
        error.step = "supervisor";
        error.message = format!("the supervisor can not be executed: {}", error.message);
    }
    error
}

/// How the process ended, and why.
fn report(watched: Watched, ending: &Ending, memory: &Memory) -> Report {
    let report = ended(watched.status, ending.cause());
    match report {
        // A shell that waits for the process says 137 in its place.
        Report::Ended {
            code: None,
            signal: Some(libc::SIGKILL),
            ..
        }
        | Report::Ended { code: Some(137), .. }
            if !watched.killed && memory.ran_out() =>
        {
            ended(watched.status, Some(EndCause::Memory))
        }
        report => report,
    }
}
