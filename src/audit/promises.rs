//! Every promise that an audit tries, or says that it does not. `PROMISES.md` lists them with the tests that keep them.

use super::Subject;
use super::judge::{Answer, kernel, limits, places, walls};

/// A promise.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// Its name.
    pub id: &'static str,
    /// The behaviours it belongs to, of `docs/behaviours.md`.
    pub spec: &'static str,
    /// What is promised, in one sentence.
    pub text: &'static str,
    /// Whether it is kept.
    pub(super) judge: fn(&Subject) -> Answer,
}

const fn promise(
    id: &'static str,
    spec: &'static str,
    text: &'static str,
    judge: fn(&Subject) -> Answer,
) -> Promise {
    Promise {
        id,
        spec,
        text,
        judge,
    }
}

/// All promises, in the order in which they are printed.
#[rustfmt::skip]
pub const PROMISES: &[Promise] = &[
    promise("account", "RA1, RA6", "A process runs as the planned account with exactly its groups, never as root.", kernel::account),
    promise("namespaces", "SB1, SB2", "A process has mount, PID, IPC and UTS namespaces of its own, and a user namespace where the form has one.", walls::namespaces),
    promise("masks", "FS1, FS4, SB5", "What belongs to the server is empty to a process: data, database, configuration, temporary files of others.", walls::masks),
    promise("no-way-round", "SB5", "What is masked is reached by no other mount, no descriptor, no working directory and no process.", walls::no_way_round),
    promise("strangers", "SB2, SB5", "No process outside can be looked into or signalled.", walls::strangers),
    promise("capabilities", "SB6", "Every capability set is empty, the bounding set included.", kernel::capabilities),
    promise("no-new-privs", "SB6", "No program that is executed can give privileges.", kernel::no_new_privs),
    promise("system-calls", "SB6", "The seccomp filter is in force and refuses what its table says.", kernel::system_calls),
    promise("descriptors", "SB6", "Nothing is inherited but the standard streams, and the listening socket of an application.", kernel::descriptors),
    promise("terminal", "SB6", "There is no controlling terminal that could be typed into.", kernel::terminal),
    promise("core-dumps", "SB6", "A crash leaves no core dump, which would hold the environment.", kernel::core_dumps),
    promise("variables", "EN2, EN3", "A process has the planned variables and no other; no setting of the server is among them.", places::variables),
    promise("exposures", "FS3", "A process can write where it is meant to, and what it is shown read-only stays as it is.", places::exposures),
    promise("temporary-files", "TD1, TD2, TD3", "A process has a temporary directory of its own: new, writable, executable, named by TMPDIR, removed afterwards.", places::temporary_files),
    promise("home", "FS5", "HOME names a directory, and Applications.HomeMounting covers the homes of others.", places::home),
    promise("supervisor", "SV1, SV3", "The supervisor runs in the sandbox, as the process's account, in front of everything.", places::supervisor),
    promise("exit-code", "SB8, SV4", "Output comes through whole, and the exit code is reported as it was.", places::exit_code),
    promise("survivors", "SB7", "Nothing that a process has started outlives it.", walls::survivors),
    promise("memory-limit", "PK10", "Sandbox.MemoryLimit holds for a process and all that it starts.", limits::memory),
    promise("cpu-limit", "PK10", "Sandbox.CPULimit holds for a process and all that it starts.", limits::cpu),
    promise("process-limit", "PK10", "Sandbox.ProcessLimit holds for a process and all that it starts.", limits::processes),
    promise("file-size-limit", "PK10", "Sandbox.FileSizeLimit holds for every file that is written.", limits::file_size),
    promise("open-files-limit", "PK10", "Sandbox.OpenFilesLimit holds for every process.", limits::open_files),
    promise("killed-launcher", "SB7", "A process ends with its launcher, however that ends.", not_tried),
    promise("races", "SB5", "Paths that are swapped while a sandbox is made lead nowhere.", not_tried),
];

/// What would disturb a machine in use, and is tried by the tests alone.
fn not_tried(_: &Subject) -> Answer {
    Answer::untried("an audit attacks nothing of a machine in use; the tests that PROMISES.md names do")
}
