//! Giving up everything: account, capabilities, privileges to come. What was asked for is read back.

use rustix::process::{DumpableBehavior, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::error::{Step, StepError};
use super::{seccomp, sys};
use crate::sandbox::{SandboxMode, SandboxSpec};

/// `LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL`.
const SCOPES: u64 = 0x3;
/// `LANDLOCK_ACCESS_FS_MAKE_BLOCK`: the least a domain without scopes can handle, and of no use to content.
const MAKE_BLOCK: u64 = 1 << 11;

/// Becomes the account, completely (RA6).
///
/// # Errors
/// What the kernel refuses, or an identity that does not read back.
pub(crate) fn become_account(spec: &SandboxSpec) -> Result<(), StepError> {
    const STEP: &str = "become the account";
    drop_bounding_set()?;
    let (uid, gid) = (
        rustix::fs::Uid::from_raw(spec.uid),
        rustix::fs::Gid::from_raw(spec.gid),
    );
    if spec.mode != SandboxMode::Unprivileged {
        // Groups first: after the user id has changed there is no right to set them. The list is complete, so that
        // a file that denies one of them stays denied (CVE-2014-8989, CVE-2022-2989).
        let groups: Vec<_> = spec
            .groups
            .iter()
            .copied()
            .map(rustix::fs::Gid::from_raw)
            .collect();
        rustix::thread::set_thread_groups(&groups).step(STEP, "groups")?;
        rustix::thread::set_thread_res_gid(gid, gid, gid).step(STEP, format!("gid {}", spec.gid))?;
        rustix::thread::set_thread_res_uid(uid, uid, uid).step(STEP, format!("uid {}", spec.uid))?;
    }
    let own = (
        rustix::process::getuid(),
        rustix::process::geteuid(),
        rustix::process::getgid(),
    );
    if own != (uid, uid, gid) {
        return Err(StepError::new(
            STEP,
            format!("uid {} gid {} did not read back", spec.uid, spec.gid),
            "",
        ));
    }
    Ok(())
}

/// Capabilities that no exec can ever give back.
fn drop_bounding_set() -> Result<(), StepError> {
    const STEP: &str = "drop the capability bounding set";
    for number in 0..64 {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        let Err(error) = rustix::thread::remove_capability_from_bounding_set(capability) else {
            continue;
        };
        match rustix::thread::capability_is_in_bounding_set(capability) {
            // Without CAP_SETPCAP: no harm where it is not in the set.
            Ok(false) => {}
            Ok(true) => return Err(error).step(STEP, format!("{number}")),
            // The kernel knows no capability of this number, nor of a higher one.
            Err(_) => break,
        }
    }
    Ok(())
}

/// Steps of the lock-down carry this name in messages.
const LOCK_DOWN: &str = "lock down";

/// Empties the capability sets, shuts the ways to get privileges, and enters the second wall.
/// `landlock` is the version of it that the mounts were made for. Gives the layers that are in force, for people.
///
/// # Errors
/// A mandatory layer that is refused or does not read back.
pub(crate) fn lock_down(landlock: Option<u32>) -> Result<Vec<String>, StepError> {
    give_up_privileges()?;
    let mut layers = vec!["no_new_privs".to_owned(), "no capabilities".to_owned()];
    layers.extend(enter_landlock(landlock)?);
    hide()?;
    // After the change of account, which clears it.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).step(LOCK_DOWN, "death signal")?;
    enter_filter()?;
    layers.push("seccomp filter".to_owned());
    Ok(layers)
}

/// The same in a container, which is the second wall itself, and whose runtime has set the account.
///
/// # Errors
/// A mandatory layer that is refused or does not read back.
pub(crate) fn lock_down_in_container() -> Result<(), StepError> {
    // Without CAP_SETPCAP it stays, and does no harm: no_new_privs keeps all of it out of reach.
    let _ = drop_bounding_set();
    give_up_privileges()?;
    hide()?;
    enter_filter()
}

/// Same-uid processes must not open this one's memory, environment, descriptors or program (CVE-2019-5736).
///
/// # Errors
/// Those of `prctl(2)`.
pub(crate) fn hide() -> Result<(), StepError> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).step(LOCK_DOWN, "dumpable")
}

fn give_up_privileges() -> Result<(), StepError> {
    rustix::thread::clear_ambient_capability_set().step(LOCK_DOWN, "ambient capabilities")?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    rustix::thread::set_capabilities(None, sets).step(LOCK_DOWN, "capabilities")?;
    rustix::thread::set_no_new_privs(true).step(LOCK_DOWN, "no_new_privs")
}

fn enter_filter() -> Result<(), StepError> {
    sys::load_seccomp(&seccomp::filter()).step(LOCK_DOWN, "seccomp filter")?;
    read_back()
}

/// The Landlock version of this kernel, where content can live with it. Asked for once: what is masked depends on it.
pub(crate) fn landlock() -> Option<u32> {
    // Before version 2 a domain also forbids renames between directories, which content needs.
    sys::landlock_abi().filter(|abi| *abi >= 2)
}

/// A Landlock domain keeps this process from reaching any process outside it, through `/proc/PID/root` or by a signal,
/// even of the same account: the second wall of design decision 8.
fn enter_landlock(version: Option<u32>) -> Result<Option<String>, StepError> {
    const STEP: &str = "enter a Landlock domain";
    let (handled, scoped, what) = match version {
        None => return Ok(None),
        Some(..=5) => (MAKE_BLOCK, 0, "landlock domain"),
        Some(_) => (0, SCOPES, "landlock scopes"),
    };
    sys::landlock_restrict(handled, scoped).step(STEP, what)?;
    Ok(Some(what.to_owned()))
}

/// Whether the kernel says that the mandatory layers are in force.
fn read_back() -> Result<(), StepError> {
    const STEP: &str = "read back";
    let sets = rustix::thread::capabilities(None).step(STEP, "capabilities")?;
    if !(sets.effective | sets.permitted | sets.inheritable).is_empty() {
        return Err(StepError::new(STEP, "capabilities are left", ""));
    }
    if !rustix::thread::no_new_privs().step(STEP, "no_new_privs")? {
        return Err(StepError::new(STEP, "no_new_privs is not set", ""));
    }
    if sys::seccomp_mode().step(STEP, "seccomp")? != 2 {
        return Err(StepError::new(STEP, "the seccomp filter is not in force", ""));
    }
    Ok(())
}
