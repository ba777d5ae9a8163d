//! The sandbox's namespaces, and what happens where they are not to be had.

use std::fs;

use offhost::sandbox::SandboxMode;

use super::support::{PYTHON, Rig, in_each_mode, in_modes};

/// Proves: SB1 (L)
#[test]
fn the_namespaces_are_the_sandboxes_own() {
    in_each_mode("the_namespaces_are_the_sandboxes_own", |rig| {
        let kinds = ["mnt", "pid", "ipc", "uts", "user", "net", "cgroup"];
        let script = kinds
            .map(|kind| format!("readlink /proc/self/ns/{kind}"))
            .join("; ");
        let text = rig.run(&rig.sh(&script)).good();
        for (kind, inside) in kinds.iter().zip(text.lines()) {
            let outside = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
            let differs = outside.to_str() != Some(inside);
            let wanted = match *kind {
                "user" => rig.mode != SandboxMode::Root,
                // Content needs the network, and sees its control group.
                "net" | "cgroup" => false,
                _ => true,
            };
            assert_eq!(differs, wanted, "{kind}: {inside}");
        }
    });
}

/// Proves: SB1 (L), SB6 (L)
#[test]
fn only_the_sandboxes_processes_are_seen() {
    in_each_mode("only_the_sandboxes_processes_are_seen", |rig| {
        let text = rig
            .run(&rig.sh("echo /proc/[0-9]*; hostname; ipcs -m | grep -c 0x; true"))
            .good();
        assert!(text.starts_with("/proc/1 /proc/2\n"), "{text}");
    });
}

/// Proves: SB1 (L)
#[test]
fn files_keep_their_owners() {
    in_modes(
        "files_keep_their_owners",
        &[SandboxMode::RootUserns, SandboxMode::Root],
        |rig| {
            let own = rig.own_directory("own");
            let text = rig
                .run(&rig.sh(&format!(
                    "touch {0}/new; stat -c %u:%g /etc/passwd {0}/new",
                    own.display()
                )))
                .good();
            assert_eq!(text, format!("0:0\n{0}:{0}\n", rig.uid));
            let new = fs::metadata(own.join("new")).unwrap();
            assert_eq!(std::os::unix::fs::MetadataExt::uid(&new), rig.uid);
        },
    );
}

/// A machine whose `user.max_user_namespaces` is 0, without touching this one's.
fn without_user_namespaces(rig: Rig) -> Rig {
    let script = rig.path("limited.py");
    fs::write(&script, include_str!("attacks/limited.py")).unwrap();
    rig.around(&format!("{PYTHON} {}", script.display()))
}

/// Proves: SB2 (L), SB5 (L)
#[test]
fn where_there_are_no_user_namespaces_root_works_without() {
    let test = "where_there_are_no_user_namespaces_root_works_without";
    in_modes(test, &[SandboxMode::Root], |rig| {
        let rig = without_user_namespaces(rig);
        let outcome = rig.run(&rig.sh(&format!(
            "id -u; cat {}/secret 2>&1; unshare -U true 2>&1 || echo none",
            rig.data().display()
        )));
        let text = outcome.good();
        assert!(text.starts_with(&format!("{}\n", rig.uid)), "{text}");
        assert!(
            text.contains("No such file") && text.ends_with("none\n"),
            "{text}"
        );
        assert!(!text.contains(&rig.secret));
    });
}

/// Proves: SB2 (L), SB3 (L)
#[test]
fn where_there_are_no_user_namespaces_the_limit_is_named() {
    let test = "where_there_are_no_user_namespaces_the_limit_is_named";
    in_modes(
        test,
        &[SandboxMode::RootUserns, SandboxMode::Unprivileged],
        |rig| {
            let rig = without_user_namespaces(rig);
            let canary = rig.own_directory("canary");
            let outcome = rig.run(&rig.sh(&format!("touch {}/ran", canary.display())));
            let message = outcome.refusal();
            assert!(message.contains("user.max_user_namespaces"), "{message}");
            assert!(!canary.join("ran").exists(), "content ran");
        },
    );
}

/// Proves: SB3 (L)
#[test]
fn without_the_capability_it_is_named_and_nothing_runs() {
    let test = "without_the_capability_it_is_named_and_nothing_runs";
    in_modes(test, &[SandboxMode::Root], |rig| {
        let rig = rig.with("setpriv --bounding-set -sys_admin --inh-caps -sys_admin");
        let canary = rig.own_directory("canary");
        let outcome = rig.run(&rig.sh(&format!("touch {}/ran", canary.display())));
        let message = outcome.refusal();
        assert!(message.contains("CAP_SYS_ADMIN"), "{message}");
        assert!(!message.contains('\n'), "{message}");
        assert!(!canary.join("ran").exists(), "content ran");
    });
}

/// Proves: SB3 (L)
#[test]
fn without_the_capability_and_user_namespaces_the_limit_is_named() {
    let test = "without_the_capability_and_user_namespaces_the_limit_is_named";
    in_modes(test, &[SandboxMode::RootUserns], |rig| {
        let rig =
            without_user_namespaces(rig).with("setpriv --bounding-set -sys_admin --inh-caps -sys_admin");
        let canary = rig.own_directory("canary");
        let outcome = rig.run(&rig.sh(&format!("touch {}/ran", canary.display())));
        let message = outcome.refusal();
        assert!(message.contains("user.max_user_namespaces"), "{message}");
        assert!(!canary.join("ran").exists(), "content ran");
    });
}

/// Proves: RA1 (L), SB6 (L)
#[test]
fn root_is_refused_by_the_helper_itself() {
    in_each_mode("root_is_refused_by_the_helper_itself", |rig| {
        for (uid, gid) in [
            (0, rig.uid),
            (rig.uid, 0),
            (u32::MAX, rig.uid),
            (rig.uid, u32::MAX),
        ] {
            let mut spec = rig.sh("id");
            (spec.uid, spec.gid) = (uid, gid);
            let message = rig.run(&spec).refusal();
            assert!(message.contains("root never runs content"), "{message}");
        }
    });
}

/// Proves: SB9 (L)
#[test]
fn an_ordinary_user_can_only_be_themselves() {
    let test = "an_ordinary_user_can_only_be_themselves";
    in_modes(test, &[SandboxMode::Unprivileged], |rig| {
        let canary = rig.own_directory("canary");
        let mut spec = rig.sh(&format!("touch {}/ran", canary.display()));
        spec.uid += 50;
        rig.run(&spec).refusal();
        let mut spec = rig.sh(&format!("touch {}/ran", canary.display()));
        spec.mode = SandboxMode::Root;
        rig.run(&spec).refusal();
        assert!(!canary.join("ran").exists(), "content ran");
    });
}
