//! Mounts through the new mount API: made detached, given their attributes, then moved onto a descriptor.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
};

use super::sys;

/// Keeps what this process mounts from reaching the machine, while mounts made there later (automounted homes)
/// still arrive.
///
/// # Errors
/// Those of `mount(2)`.
pub(crate) fn detach_from_machine() -> Result<(), Errno> {
    rustix::mount::mount_change(
        "/",
        MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC,
    )
}

/// A detached copy of the mounts at `directory/name`; `name` is empty for the descriptor itself.
/// Always recursive: a copy that leaves out mounts below it is refused by the kernel where those are locked.
///
/// # Errors
/// Those of `open_tree(2)`.
pub(crate) fn copy(directory: impl AsFd, name: &Path) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    rustix::mount::open_tree(directory, name, flags)
}

/// A detached copy for content: no set-user-id programs and no devices in it, read-only throughout if asked for.
///
/// # Errors
/// Those of `open_tree(2)` and `mount_setattr(2)`.
pub(crate) fn copy_for_content(source: impl AsFd, read_only: bool) -> Result<OwnedFd, std::io::Error> {
    let mount = copy(source, Path::new(""))?;
    let mut attributes = sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV;
    if read_only {
        attributes |= sys::MOUNT_ATTR_RDONLY;
    }
    sys::mount_setattr(&mount, attributes, true)?;
    Ok(mount)
}

/// Puts a detached mount onto what `target` stands for.
///
/// # Errors
/// Those of `move_mount(2)`.
pub(crate) fn attach(mount: impl AsFd, target: impl AsFd) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", target, "", flags)
}

/// A new, detached tmpfs with these options.
///
/// # Errors
/// Those of `fsopen(2)`, `fsconfig(2)` and `fsmount(2)`.
pub(crate) fn tmpfs(options: &[(&str, &str)], read_only: bool) -> Result<OwnedFd, Errno> {
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    attributes.set(MountAttrFlags::MOUNT_ATTR_RDONLY, read_only);
    new_filesystem("tmpfs", options, attributes)
}

/// A new, detached procfs of this PID namespace.
///
/// # Errors
/// As [`tmpfs`]; `EPERM` where parts of the machine's own /proc are covered, as in most containers.
pub(crate) fn procfs() -> Result<OwnedFd, Errno> {
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    new_filesystem("proc", &[], attributes)
}

fn new_filesystem(
    kind: &str,
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        rustix::mount::fsconfig_set_string(context.as_fd(), *key, *value)?;
    }
    rustix::mount::fsconfig_create(context.as_fd())?;
    rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}
