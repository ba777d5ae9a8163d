//! A step that the kernel refuses: content never runs in a sandbox that lacks a wall.

use std::fs;

use offhost::sandbox::SandboxMode;

use super::support::{PYTHON, Rig, bind, in_each_mode, in_modes, mask};

const REFUSE: &str = include_str!("attacks/refuse.py");

/// Answers a system call of the helper with an error.
fn refusing(rig: Rig, number: i64, first: Option<u32>, errno: i32) -> Rig {
    let script = rig.path("refuse.py");
    fs::write(&script, REFUSE).unwrap();
    let first = first.map_or_else(|| "-".to_owned(), |value| value.to_string());
    // Innermost: the tools that set the scene need the very same calls.
    let words = format!("{PYTHON} {} {number} {errno} {first}", script.display());
    rig.innermost(&words)
}

/// Proves: SB3 (L), SB6 (L), FS1 (L)
#[test]
#[cfg(target_arch = "x86_64")]
fn content_never_runs_where_a_step_is_refused() {
    const PR_CAPBSET_DROP: u32 = 24;
    const PR_SET_NO_NEW_PRIVS: u32 = 38;
    const PR_SET_DUMPABLE: u32 = 4;
    const PR_SET_PDEATHSIG: u32 = 1;
    let steps: &[(i64, Option<u32>)] = &[
        (libc::SYS_clone3, None),
        (libc::SYS_clone, None),
        (libc::SYS_mount, None),
        (libc::SYS_fsopen, None),
        (libc::SYS_fsconfig, None),
        (libc::SYS_fsmount, None),
        (libc::SYS_open_tree, None),
        (libc::SYS_move_mount, None),
        (libc::SYS_mount_setattr, None),
        (libc::SYS_capset, None),
        (libc::SYS_seccomp, None),
        (libc::SYS_setresuid, None),
        (libc::SYS_setresgid, None),
        (libc::SYS_setgroups, None),
        (libc::SYS_setsid, None),
        (libc::SYS_chdir, None),
        (libc::SYS_close_range, None),
        (libc::SYS_prctl, Some(PR_CAPBSET_DROP)),
        (libc::SYS_prctl, Some(PR_SET_NO_NEW_PRIVS)),
        (libc::SYS_prctl, Some(PR_SET_DUMPABLE)),
        (libc::SYS_prctl, Some(PR_SET_PDEATHSIG)),
        (libc::SYS_landlock_restrict_self, None),
    ];
    in_each_mode("content_never_runs_where_a_step_is_refused", |rig| {
        for (number, first) in steps {
            let ids = [libc::SYS_setresuid, libc::SYS_setresgid, libc::SYS_setgroups];
            if rig.mode == SandboxMode::Unprivileged && ids.contains(number) {
                continue;
            }
            for errno in [libc::EPERM, libc::ENOSYS, libc::EINVAL] {
                // Then clone(2) makes the same namespaces: see the next test.
                if (*number, errno) == (libc::SYS_clone3, libc::ENOSYS) {
                    continue;
                }
                let rig = refusing(Rig::new(rig.mode), *number, *first, errno);
                let canary = rig.own_directory("canary");
                let source = rig.own_directory("source");
                let mut spec = rig.sh(&format!("touch {}/ran", canary.display()));
                spec.masks.push(mask(&rig.path("source")));
                spec.binds = vec![bind(&source, rig.data().join("app"), true)];
                let outcome = rig.run(&spec);
                assert!(
                    outcome.ended.is_err() && !canary.join("ran").exists(),
                    "content ran though system call {number} {first:?} was refused with {errno}: {outcome:?}"
                );
                let message = outcome.refusal();
                assert!(
                    !message.contains('\n') && !message.contains("without a word"),
                    "{number}: {outcome:?}"
                );
            }
        }
    });
}

/// Proves: SB5 (L)
#[test]
#[cfg(target_arch = "x86_64")]
fn an_old_kernel_or_a_strict_profile_changes_nothing() {
    let steps: &[(i64, i32)] = &[
        (libc::SYS_clone3, libc::ENOSYS),
        (libc::SYS_openat2, libc::ENOSYS),
        (libc::SYS_openat2, libc::EPERM),
        (libc::SYS_landlock_create_ruleset, libc::ENOSYS),
        (libc::SYS_landlock_create_ruleset, libc::EOPNOTSUPP),
    ];
    in_each_mode("an_old_kernel_or_a_strict_profile_changes_nothing", |rig| {
        for (number, errno) in steps {
            let rig = refusing(Rig::new(rig.mode), *number, None, *errno);
            let source = rig.own_directory("source");
            fs::write(source.join("file"), "shown").unwrap();
            let mut spec = rig.sh(&format!(
                "cat {0}/app/file; cat {0}/secret; exit 0",
                rig.data().display()
            ));
            spec.binds = vec![bind(&source, rig.data().join("app"), true)];
            assert_eq!(rig.run(&spec).good(), "shown", "{number} {errno}");
        }
    });
}

/// Design decision 8: without Landlock, and with parts of the machine's /proc in sight, root has no second wall.
///
/// Proves: SB2 (L), SB5 (L)
#[test]
#[cfg(target_arch = "x86_64")]
fn without_landlock_every_proc_of_the_machine_is_covered() {
    let test = "without_landlock_every_proc_of_the_machine_is_covered";
    in_modes(test, &[SandboxMode::Root], |rig| {
        fs::create_dir(rig.path("proc")).unwrap();
        let proc = rig.path("proc").display().to_string();
        let outsider = super::outsider::Outsider::start(&rig);
        let rig = refusing(rig, libc::SYS_landlock_create_ruleset, None, libc::ENOSYS)
            .around("unshare -m")
            .before(&format!("mount -t proc proc {proc}"));
        let script = format!(
            "cat {proc}/{0}/root{1}/secret {proc}/{0}/cwd/secret {proc}/{0}/environ /proc/{0}/root{1}/secret; exit 0",
            outsider.pid(),
            rig.data().display()
        );
        let outcome = rig.run(&rig.sh(&script));
        assert!(!outcome.text().contains(&rig.secret), "the secret is out");
    });
}
