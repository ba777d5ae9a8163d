//! `offhost-exec probe FILE`: what `offhost audit` runs in the sandbox in place of content. It looks around, tries what
//! must be refused, and writes what it has found to its standard output. It judges nothing: `crate::audit` does.

mod around;
mod kernel;
mod places;
mod processes;
mod reach;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::audit::{Facts, Orders};
use crate::names::AUDIT_CODE;

/// Exit code where the orders could not be read.
const NO_ORDERS: u8 = 64;

/// Looks at everything that the orders in this file name. Gives the exit code.
#[must_use]
pub(super) fn run(file: Option<&OsString>) -> u8 {
    let orders = file.and_then(|file| std::fs::read(Path::new(file)).ok());
    let orders = orders.and_then(|text| serde_json::from_slice::<Orders>(&text).ok());
    let Some(orders) = orders else {
        let _ = writeln!(std::io::stderr(), "the orders of the probe can not be read");
        return NO_ORDERS;
    };
    let facts = look(&orders);
    if let Some(ready) = &orders.ready_file {
        // Whoever waits for it is told by the end otherwise.
        let _ = std::fs::write(ready, "");
    }
    let text = serde_json::to_string(&facts).unwrap_or_default();
    leave_something_behind();
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => AUDIT_CODE,
        Err(_) => NO_ORDERS,
    }
}

fn look(orders: &Orders) -> Facts {
    // Before anything is written there.
    let places = places::of_process();
    let mounts = kernel::mounts();
    let family = processes::Family::look(&mounts);
    let around = around::walk(&mounts);
    Facts {
        account: kernel::account(),
        status: kernel::status(),
        namespaces: kernel::namespaces(),
        masks: orders
            .masks
            .iter()
            .map(|mask| places::mask(mask, &orders.exposures))
            .collect(),
        exposures: orders.exposures.iter().map(places::exposure).collect(),
        canary_ways: processes::canary_ways(orders, &family),
        looked_into: family.looked_into(),
        signalled: orders.outsider.map(processes::can_signal),
        strangers: family.strangers(),
        attempts: kernel::attempts(),
        descriptors: kernel::descriptors(),
        terminal: reach::terminal(),
        variables: std::env::vars_os()
            .map(|(name, _)| name.to_string_lossy().into_owned())
            .collect(),
        rlimits: kernel::rlimits(),
        cgroups: kernel::lines("/proc/self/cgroup"),
        devices: reach::devices(),
        sockets: reach::answering(&around.sockets),
        abstract_socket: orders.abstract_socket.as_deref().map(reach::abstract_socket),
        loopback: orders.port.map(reach::loopback),
        writable: around.writable,
        readable: reach::readable(&around.homes),
        walk: around.walk,
        places,
        mounts,
    }
}

/// A process in a group of its own that would outlive the probe: it holds the standard error stream open, whose other end
/// tells whether it does.
fn leave_something_behind() {
    use std::os::unix::process::CommandExt;
    let mut left = Command::new("/bin/sleep");
    left.arg("600").process_group(0);
    left.stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    if left.spawn().is_ok() {
        // Tells whoever reads that there is something to wait for.
        let _ = std::io::stderr().write_all(b"left\n");
    }
}
