//! Every promise is broken by some facts, and those facts are told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::*;
use crate::plan::{Identity, Limits};
use crate::sandbox::SandboxMode;

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn namespaces(number: u32) -> BTreeMap<String, String> {
    let all = ["user", "mnt", "pid", "ipc", "uts", "net"];
    all.map(|name| (name.to_owned(), format!("{name}:[{number}]")))
        .into()
}

fn exposed(path: &str, read_only: bool) -> Exposed {
    Exposed {
        path: path.into(),
        read_only,
    }
}

/// A process of an application with every limit, of which everything is as it should be.
fn sound() -> Subject {
    let limits = Limits {
        memory_bytes: Some(64 << 20),
        cpu_millis: Some(500),
        pids: Some(20),
        file_size_bytes: Some(1 << 20),
        open_files: Some(64),
    };
    let expected = Expected {
        mode: SandboxMode::RootUserns,
        identity: Identity {
            user: "ada".into(),
            uid: 7,
            gid: 8,
            groups: vec![8, 9],
            home: None,
        },
        variables: names(&["HOME", "PATH", "TMPDIR"]),
        tmp: "/tmp/w/k".into(),
        home: "/home".into(),
        home_covered: true,
        exposures: vec![exposed("/mnt/app", false), exposed("/mnt/r", true)],
        limits,
        listens: true,
        supervisor: vec!["/bin/nice".into()],
    };
    Subject {
        role: Role::Application,
        expected,
        facts: facts(),
        seen: Seen {
            layers: vec!["no_new_privs".into()],
            namespaces: namespaces(1),
            exit: [Some(43), Some(43)],
            nothing_left: Some(true),
            tmp_removed: true,
        },
    }
}

fn facts() -> Facts {
    let limit = |name: &str, value| (name.to_owned(), [Some(value), Some(value)]);
    let empty = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    Facts {
        account: AccountFacts {
            uids: vec![7; 4],
            gids: vec![8; 4],
            groups: vec![9, 8],
        },
        status: StatusFacts {
            capabilities: empty.map(|name| (name.to_owned(), 0)).into(),
            no_new_privs: true,
            seccomp: 2,
            filters: Some(1),
        },
        namespaces: namespaces(2),
        mounts: vec![MountFact {
            at: "/home".into(),
            kind: "ext4".into(),
            root: "/".into(),
            device: "8:1".into(),
        }],
        masks: vec![MaskFact {
            path: "/var/lib/data".into(),
            bare: false,
            entries: Vec::new(),
            found_at: Vec::new(),
        }],
        exposures: ["/mnt/app", "/mnt/r"]
            .map(|path| ExposureFact {
                path: path.into(),
                readable: true,
                writable: path == "/mnt/app",
            })
            .into(),
        signalled: Some(false),
        attempts: vec![Attempt {
            what: "mount".into(),
            instead: None,
        }],
        descriptors: (0..4).map(|number| (number, "pipe".to_owned())).collect(),
        variables: names(&["HOME", "PATH", "TMPDIR"]),
        places: PlaceFacts {
            tmp: Some("/tmp/w/k".into()),
            home: Some("/home".into()),
            home_exists: true,
            ..PlaceFacts::default()
        },
        rlimits: [limit("core", 0), limit("fsize", 1 << 20), limit("nofile", 64)].into(),
        cgroups: vec![
            "4:memory:/offhost/k".into(),
            "3:cpu,cpuacct:/offhost/k".into(),
            "2:pids:/offhost/k".into(),
        ],
        walk: WalkFacts {
            directories: 100,
            complete: true,
        },
        ..Facts::default()
    }
}

/// Promises that some finding says are broken.
fn broken(subject: &Subject) -> Vec<&'static str> {
    let all = findings(std::slice::from_ref(subject));
    let of = |finding: &Finding| (finding.verdict == Verdict::NotKept).then_some(finding.promise);
    all.iter().filter_map(of).collect()
}

/// What is wrong, and the promise that it breaks.
type Fault = (&'static str, &'static str, fn(&mut Subject));

const FAULTS: &[Fault] = &[
    ("account", "root", |s| s.facts.account.uids = vec![0; 4]),
    ("account", "one id of four", |s| s.facts.account.gids[2] = 0),
    ("account", "a group too many", |s| s.facts.account.groups.push(0)),
    ("account", "a group too few", |s| {
        s.facts.account.groups.truncate(1)
    }),
    ("namespaces", "the machine's mounts", |s| {
        let own = s.seen.namespaces["mnt"].clone();
        s.facts.namespaces.insert("mnt".into(), own);
    }),
    ("namespaces", "no user namespace", |s| {
        let own = s.seen.namespaces["user"].clone();
        s.facts.namespaces.insert("user".into(), own);
    }),
    ("namespaces", "nothing is known", |s| s.facts.namespaces.clear()),
    ("masks", "the directory itself", |s| s.facts.masks[0].bare = true),
    ("masks", "something in it", |s| {
        s.facts.masks[0].entries.push("db".into())
    }),
    ("no-way-round", "an alias", |s| {
        s.facts.masks[0].found_at.push("/mnt/alias".into())
    }),
    ("no-way-round", "the canary", |s| {
        s.facts.canary_ways.push("/proc/1/root/x".into())
    }),
    ("strangers", "another's environment", |s| {
        s.facts.looked_into.push("/proc/1/environ".into())
    }),
    ("strangers", "a signal", |s| s.facts.signalled = Some(true)),
    ("capabilities", "a bounding set", |s| {
        s.facts.status.capabilities.insert("CapBnd".into(), 1 << 21);
    }),
    ("no-new-privs", "it is not set", |s| {
        s.facts.status.no_new_privs = false
    }),
    ("system-calls", "no filter", |s| s.facts.status.seccomp = 0),
    ("system-calls", "one that is let through", |s| {
        s.facts.attempts[0].instead = Some("allowed".into())
    }),
    ("system-calls", "none was tried", |s| s.facts.attempts.clear()),
    ("descriptors", "one too many", |s| {
        s.facts.descriptors.insert(7, "/var/lib/data".into());
    }),
    ("descriptors", "the socket is missing", |s| {
        s.facts.descriptors.remove(&3);
    }),
    ("descriptors", "a socket for who does not serve", |s| {
        s.expected.listens = false
    }),
    ("terminal", "there is one", |s| s.facts.terminal = true),
    ("core-dumps", "they are possible", |s| {
        s.facts.rlimits.insert("core".into(), [Some(0), None]);
    }),
    ("variables", "a setting of the server", |s| {
        s.facts.variables.insert("OFFHOST_DATABASE_PASSWORD".into());
    }),
    ("variables", "one that nobody planned", |s| {
        s.expected.supervisor.clear();
        s.facts.variables.insert("SSH_AUTH_SOCK".into());
    }),
    ("exposures", "what is read-only is written", |s| {
        s.facts.exposures[1].writable = true
    }),
    ("exposures", "what is writable is not", |s| {
        s.facts.exposures[0].writable = false
    }),
    ("exposures", "what is shown is not", |s| {
        s.facts.exposures.truncate(1)
    }),
    ("temporary-files", "another directory", |s| {
        s.facts.places.tmp = Some("/tmp".into())
    }),
    ("temporary-files", "noexec", |s| {
        s.facts.places.tmp_problem = Some("noexec".into())
    }),
    ("temporary-files", "used before", |s| {
        s.expected.supervisor.clear();
        s.facts.places.tmp_holds.push("x".into());
    }),
    ("temporary-files", "it stays", |s| s.seen.tmp_removed = false),
    ("home", "no directory", |s| s.facts.places.home_exists = false),
    ("home", "not set", |s| s.facts.places.home = None),
    ("home", "not covered", |s| s.facts.mounts.clear()),
    ("exit-code", "another", |s| s.seen.exit[1] = Some(0)),
    ("exit-code", "a signal", |s| s.seen.exit[1] = None),
    ("survivors", "one is left", |s| s.seen.nothing_left = Some(false)),
    ("memory-limit", "said not to be in force", |s| {
        s.seen
            .layers
            .push("memory limit not in force: no such controller".into());
    }),
    ("memory-limit", "in no group", |s| {
        s.facts.cgroups[0] = "4:memory:/".into()
    }),
    ("cpu-limit", "in no group", |s| {
        s.facts.cgroups[1] = "3:cpu,cpuacct:/".into()
    }),
    ("process-limit", "in no group", |s| s.facts.cgroups.truncate(2)),
    ("file-size-limit", "none", |s| {
        s.facts.rlimits.insert("fsize".into(), [None, None]);
    }),
    ("open-files-limit", "it can be raised", |s| {
        s.facts.rlimits.insert("nofile".into(), [Some(64), Some(1024)]);
    }),
];

/// Proves: SB5 (L), SB6 (L), FS1 (L)
#[test]
fn every_fault_breaks_its_promise_and_no_other() {
    assert_eq!(broken(&sound()), [""; 0]);
    for (promise, what, fault) in FAULTS {
        let mut subject = sound();
        fault(&mut subject);
        assert_eq!(broken(&subject), [*promise], "{promise}: {what}");
    }
}

/// Proves: SB5 (L), SB6 (L)
#[test]
fn every_promise_that_is_tried_can_be_broken() {
    let all = findings(&[sound()]);
    for promise in PROMISES {
        let tried = all
            .iter()
            .any(|one| one.promise == promise.id && one.verdict == Verdict::Kept);
        let can_break = FAULTS.iter().any(|(id, ..)| *id == promise.id);
        // That the probe ran at all says that the supervisor ran it.
        assert_eq!(tried, can_break || promise.id == "supervisor", "{}", promise.id);
    }
    let mut ids: Vec<&str> = PROMISES.iter().map(|promise| promise.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), PROMISES.len(), "a promise is listed twice");
}

/// Proves: SB6 (L)
#[test]
fn a_fault_names_what_was_found_and_what_to_do() {
    for (promise, what, fault) in FAULTS {
        let mut subject = sound();
        fault(&mut subject);
        let all = findings(&[subject]);
        let found = all.iter().find(|one| one.verdict == Verdict::NotKept).unwrap();
        assert!(
            !found.found.is_empty() && !found.found.contains('\n'),
            "{promise}: {what}"
        );
        assert!(found.remedy.is_some(), "{promise}: {what}");
    }
}

#[test]
fn what_can_not_be_tried_is_neither_kept_nor_broken() {
    let mut subject = sound();
    subject.expected.limits = Limits::default();
    subject.expected.supervisor.clear();
    subject.seen.nothing_left = None;
    subject.facts.signalled = None;
    let all = findings(&[subject]);
    let score = Score::of(&all);
    assert_eq!(score.not_kept, 0);
    // Five limits, the supervisor, what was left, processes outside, and what no audit tries.
    assert_eq!(score.not_tried, 10);
    assert_eq!(score.kept + score.not_tried, PROMISES.len());
}

/// Proves: SB9 (L)
#[test]
fn an_ordinary_users_groups_are_the_kernels_affair() {
    let mut subject = sound();
    subject.expected.mode = SandboxMode::Unprivileged;
    subject.facts.account.groups = vec![8, 65_534];
    assert_eq!(broken(&subject), [""; 0]);
    subject.expected.mode = SandboxMode::Root;
    subject.facts.account.groups = vec![8, 9];
    let own = subject.seen.namespaces["user"].clone();
    subject.facts.namespaces.insert("user".into(), own);
    assert_eq!(
        broken(&subject),
        [""; 0],
        "without a user namespace the machine's is shared"
    );
}

#[test]
fn processes_share_a_finding_and_the_worst_counts() {
    let mut other = sound();
    other.role = Role::Job;
    other.facts.terminal = true;
    let all = findings(&[sound(), other]);
    let of = |id: &str| all.iter().filter(|one| one.promise == id).collect::<Vec<_>>();
    assert_eq!(of("account")[0].roles, [Role::Application, Role::Job]);
    assert_eq!(of("terminal").len(), 2);
    let score = Score::of(&all);
    assert_eq!((score.not_kept, score.kept), (1, PROMISES.len() - 3));
}

#[test]
fn what_no_promise_is_about_is_told_with_what_would_change_it() {
    let mut subject = sound();
    let directory = |path: &str, mode| DirectoryFact {
        path: PathBuf::from(path),
        mode,
        uid: 0,
    };
    subject.facts.writable = vec![
        directory("/tmp", 0o1777),
        directory("/srv/open", 0o777),
        directory("/mnt/app/x", 0o700),
        directory("/tmp/w/k/y", 0o700),
    ];
    subject.facts.variables.insert("DB_PASSWORD".into());
    subject.facts.loopback = Some(true);
    subject.facts.sockets = vec!["/run/docker.sock".into()];
    subject.facts.readable = vec!["/root".into()];
    subject.facts.devices = vec!["/dev/sda".into()];
    subject.facts.walk.complete = false;
    let all = remarks(&[subject.clone(), subject]);
    let of = |about: &str| {
        let found = all.iter().filter(|one| one.about == about).map(|one| &one.found);
        found.cloned().collect::<Vec<_>>().join("; ")
    };
    assert!(
        of("writes").contains("/tmp;") && of("writes").contains("/srv/open"),
        "{}",
        of("writes")
    );
    assert!(
        !of("writes").contains("/mnt/app") && !of("writes").contains("/tmp/w/k"),
        "{}",
        of("writes")
    );
    assert!(of("secrets").contains("DB_PASSWORD"));
    for about in ["limits", "network", "sockets", "devices", "reads", "sees", "walk"] {
        assert!(!of(about).is_empty(), "{about}");
    }
    assert!(all.iter().all(|one| one.roles.len() == 2), "said once");
}
