//! What the filter answers to each system call: everything is allowed but what is listed here (SB6).

use libc::c_long;

/// The last system call that was looked at. A newer one may make mounts or namespaces in a new way, so all
/// after it are answered as if the kernel did not have them.
pub(crate) const LAST_REVIEWED: u32 = 466;

/// What the filter answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The call goes on.
    Allow,
    /// `EPERM`.
    Forbid,
    /// `ENOSYS`: programs fall back to an older call that can be judged.
    Absent,
    /// `EPERM` if the flags, the first argument, ask for a namespace.
    ForbidNamespaces,
    /// `EPERM` for the requests that type into the controlling terminal (CVE-2017-5226).
    ForbidTerminalInjection,
}

/// Calls that make mounts, namespaces or programs of the kernel, that reach other processes, or that change the
/// machine; none is of use to content.
const FORBIDDEN: &[c_long] = &[
    // Mounts: the old calls and all of the new ones (CVE-2021-41133).
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // Namespaces.
    libc::SYS_unshare,
    libc::SYS_setns,
    // Other processes of the same account.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    // Files by handle: reaches what a mask covers.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    // Programs of the kernel, and its usual weak points.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    // The machine.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_nfsservctl,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
];

/// Calls of the same sort that only this architecture has.
#[cfg(target_arch = "x86_64")]
const FORBIDDEN_HERE: &[c_long] = &[
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_kexec_file_load,
    libc::SYS__sysctl,
    libc::SYS_sysfs,
    libc::SYS_uselib,
    libc::SYS_ustat,
];

/// Calls of the same sort that only this architecture has.
#[cfg(not(target_arch = "x86_64"))]
const FORBIDDEN_HERE: &[c_long] = &[];

/// Calls that programs try first and do without. `clone3` keeps its flags in memory, where no filter can read
/// them; `io_uring` performs calls that no filter sees.
const ABSENT: &[c_long] = &[
    libc::SYS_clone3,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// Every call that is refused whatever its arguments are, with the error number.
pub(crate) fn refused() -> impl Iterator<Item = (c_long, i32)> {
    (0..=LAST_REVIEWED).filter_map(|number| match verdict(number) {
        Verdict::Forbid => Some((c_long::from(number), libc::EPERM)),
        Verdict::Absent => Some((c_long::from(number), libc::ENOSYS)),
        Verdict::Allow | Verdict::ForbidNamespaces | Verdict::ForbidTerminalInjection => None,
    })
}

/// What the filter answers to a system call number of this architecture.
#[must_use]
pub(crate) fn verdict(number: u32) -> Verdict {
    let listed = |list: &[c_long]| list.contains(&c_long::from(number));
    if number > LAST_REVIEWED || listed(ABSENT) {
        Verdict::Absent
    } else if listed(FORBIDDEN) || listed(FORBIDDEN_HERE) {
        Verdict::Forbid
    } else if c_long::from(number) == libc::SYS_clone {
        Verdict::ForbidNamespaces
    } else if c_long::from(number) == libc::SYS_ioctl {
        Verdict::ForbidTerminalInjection
    } else {
        Verdict::Allow
    }
}
