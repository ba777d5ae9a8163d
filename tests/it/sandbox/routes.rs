//! Every route to a masked file, in every mode, and the control that the routes lead there without the sandbox.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use offhost::sandbox::{SandboxMode, SandboxSpec};

use super::outsider::Outsider;
use super::support::{PYTHON, Rig, asked_for, bind, in_each_mode, in_modes};
use super::tools::holding_open;

const ROUTES: &str = include_str!("attacks/routes.py");

/// Routes that must be refused by the kernel, not merely lead nowhere.
const REFUSED: &[&str] = &[
    "unshare",
    "clone",
    "clone3",
    "umount",
    "umount lazily",
    "mount move",
    "mount remount",
    "mount bind",
    "mount tmpfs",
    "mount private",
    "open_tree clone",
    "open_tree",
    "open_tree_attr",
    "move_mount",
    "fsopen",
    "fspick",
    "fsmount",
    "fsconfig",
    "mount_setattr",
    "chroot",
    "pivot_root",
    "open_by_handle_at",
    "mknod",
    "io_uring_setup",
    "bpf",
    "abstract socket",
    "direct",
    "direct, at last",
    "ptrace attach 1",
    "ptrace seize 1",
    "process_vm_readv 1",
    "pidfd_getfd 1",
    "mem 1",
    "exe 1",
    "/proc/1/root",
    "/proc/1/cwd",
    "/proc/1/fd",
    "/proc/1/environ",
];

/// What the script is told: where to look besides.
struct Hints<'a> {
    outsider: &'a Outsider,
    elsewhere: Vec<String>,
    procs: Vec<String>,
}

impl<'a> Hints<'a> {
    fn of(outsider: &'a Outsider) -> Self {
        Self {
            outsider,
            elsewhere: Vec::new(),
            procs: Vec::new(),
        }
    }

    fn text(&self, rig: &Rig) -> String {
        serde_json::json!({
            "masked": rig.data(), "pids": [self.outsider.pid()], "elsewhere": self.elsewhere, "procs": self.procs,
            "handle": handle(rig), "abstract": self.outsider.socket,
        })
        .to_string()
    }
}

/// The file handle of the secret, which needs no path to be opened with.
fn handle(rig: &Rig) -> (i32, String) {
    let code = "import ctypes,struct,sys\n\
        b=ctypes.create_string_buffer(struct.pack('Ii',128,0)+bytes(128))\n\
        m=ctypes.c_int()\n\
        r=ctypes.CDLL(None).name_to_handle_at(-100,sys.argv[1].encode(),b,ctypes.byref(m),0)\n\
        n,k=struct.unpack('Ii',b.raw[:8])\n\
        print(k,b.raw[8:8+n].hex() if r==0 else '00')";
    let said = Command::new(PYTHON)
        .args(["-I", "-S", "-c", code])
        .arg(rig.data().join("secret"))
        .output()
        .unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    let (kind, data) = text.trim().split_once(' ').unwrap();
    (kind.parse().unwrap(), data.to_owned())
}

fn results(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('\t'));
    pairs
        .map(|(name, result)| (name.to_owned(), result.to_owned()))
        .collect()
}

/// Tries all routes in a sandbox: none leads to the secret.
fn try_all(rig: &Rig, change: impl FnOnce(&mut SandboxSpec), hints: &Hints<'_>) -> BTreeMap<String, String> {
    let mut spec = rig.python(ROUTES, &[&hints.text(rig)]);
    change(&mut spec);
    let outcome = rig.run(&spec);
    let stderr = outcome.stderr.clone();
    let text = outcome.good();
    assert!(!text.contains(&rig.secret), "the secret is out:\n{text}");
    let results = results(&text);
    assert!(results.len() >= 60, "not all routes were tried:\n{text}{stderr}");
    assert!(results.contains_key("direct, at last"), "{text}{stderr}");
    results
}

fn assert_refused(results: &BTreeMap<String, String>, names: &[&str]) {
    for name in names {
        let result = results.get(*name).map_or("not tried", String::as_str);
        assert!(result.starts_with("refused"), "{name}: {result}");
    }
}

/// Proves: SB5 (L)
#[test]
fn without_a_sandbox_the_routes_lead_to_the_secret() {
    if !asked_for("without_a_sandbox_the_routes_lead_to_the_secret") {
        return;
    }
    let rig = Rig::new(SandboxMode::Root);
    let mut outsider = Outsider::start(&rig);
    let config = Hints::of(&outsider).text(&rig);
    let said = Command::new(PYTHON)
        .args(["-I", "-S", "-c", ROUTES, &config])
        .uid(rig.uid)
        .gid(rig.uid)
        .current_dir(rig.data())
        .output()
        .unwrap();
    let results = results(&String::from_utf8_lossy(&said.stdout));
    let pid = outsider.pid();
    let mut open = vec![
        "direct".to_owned(),
        "up from the working directory".to_owned(),
        "unshare program".to_owned(),
    ];
    open.extend(["root", "cwd", "fd", "environ", "task root"].map(|what| format!("/proc/{pid}/{what}")));
    open.push(format!("mem {pid}"));
    for name in open {
        let result = results.get(&name).map_or("not tried", String::as_str);
        assert!(result.starts_with("LEAK"), "{name}: {result}");
    }
    // The script's own kill is no idle threat.
    assert!(!outsider.is_alive());
}

/// Proves: SB5 (L), SB6 (L), FS1 (L)
#[test]
fn no_route_leads_to_a_masked_file() {
    in_each_mode("no_route_leads_to_a_masked_file", |rig| {
        let mut outsider = Outsider::start(&rig);
        let results = try_all(&rig, |_| (), &Hints::of(&outsider));
        assert_refused(&results, REFUSED);
        assert!(outsider.is_alive(), "content reached a process outside");
    });
}

/// In most containers parts of /proc are covered, and a user namespace may not mount a whole one.
///
/// Proves: SB5 (L)
#[test]
fn no_route_leads_there_where_the_machines_own_proc_must_stay() {
    let modes = [SandboxMode::RootUserns, SandboxMode::Unprivileged];
    let test = "no_route_leads_there_where_the_machines_own_proc_must_stay";
    in_modes(test, &modes, |rig| {
        let rig = rig
            .around("unshare -m")
            .before("mount --bind /dev/null /proc/kcore; mount --bind /proc/sys /proc/sys");
        let mut outsider = Outsider::start(&rig);
        let (running, layers) = rig.start(&rig.sh("true"));
        running.wait(Vec::new()).unwrap();
        assert!(
            !layers.contains(&"its own /proc".to_owned()),
            "the condition was not met: {layers:?}"
        );
        let results = try_all(&rig, |_| (), &Hints::of(&outsider));
        let pid = outsider.pid();
        assert_refused(
            &results,
            &[
                &format!("/proc/{pid}/root"),
                &format!("/proc/{pid}/cwd"),
                &format!("/proc/{pid}/environ"),
                &format!("mem {pid}"),
            ],
        );
        assert!(outsider.is_alive());
    });
}

/// Proves: SB5 (L), FS1 (L)
#[test]
fn other_mounts_of_a_masked_directory_are_masked_too() {
    in_each_mode("other_mounts_of_a_masked_directory_are_masked_too", |rig| {
        for name in ["same", "inside", "whole", "with blank"] {
            fs::create_dir(rig.path(name)).unwrap();
        }
        fs::create_dir(rig.data().join("db")).unwrap();
        fs::write(rig.data().join("db/file"), &rig.secret).unwrap();
        let [data, same, inside, whole, blank] = ["data", "same", "inside", "whole", "with blank"]
            .map(|name| rig.path(name).display().to_string());
        let rig = rig.around("unshare -m").before(&format!(
            "mount --bind {data} {same}; mount --bind {data}/db {inside}; mount --bind / {whole}\n\
             mount --bind {data} '{blank}'; mount --bind {data}/secret {data}/db/file"
        ));
        let outsider = Outsider::start(&rig);
        let mut hints = Hints::of(&outsider);
        hints.elsewhere = vec![
            format!("{same}/secret"),
            format!("{inside}/file"),
            format!("{whole}{data}/secret"),
            format!("{whole}{data}/db/file"),
            format!("{blank}/secret"),
        ];
        try_all(&rig, |_| (), &hints);
    });
}

/// Proves: SB5 (L)
#[test]
fn inherited_descriptors_and_working_directory_lead_nowhere() {
    in_each_mode(
        "inherited_descriptors_and_working_directory_lead_nowhere",
        |rig| {
            let data = rig.data().display().to_string();
            let rig = rig
                .with(&holding_open(&data, 3))
                .with(&holding_open(&format!("{data}/secret"), 2))
                .before(&format!("cd {data}"));
            let outsider = Outsider::start(&rig);
            let results = try_all(&rig, |_| (), &Hints::of(&outsider));
            let inherited: Vec<_> = results
                .keys()
                .filter(|name| name.starts_with("inherited"))
                .collect();
            assert!(inherited.is_empty(), "{inherited:?}");
        },
    );
}

/// Proves: SB5 (L)
#[test]
fn a_working_directory_below_a_mask_is_the_masks() {
    in_each_mode("a_working_directory_below_a_mask_is_the_masks", |rig| {
        let data = rig.data();
        let mut spec = rig.sh("cat secret; ls -la .");
        spec.cwd = data;
        let outcome = rig.run(&spec);
        assert!(!outcome.text().contains(&rig.secret));
        let mut through = rig.sh("cat secret");
        through.cwd = "/proc/self/fd/7".into();
        let outcome = rig.run(&through);
        assert!(outcome.refusal().contains("working directory"), "{outcome:?}");
    });
}

/// Another instance of the machine's /proc, as a chroot directory has one, shows the processes outside.
///
/// Proves: SB5 (L)
#[test]
fn another_proc_of_the_machine_leads_nowhere() {
    in_each_mode("another_proc_of_the_machine_leads_nowhere", |rig| {
        fs::create_dir(rig.path("proc")).unwrap();
        fs::create_dir(rig.path("proc2")).unwrap();
        let [one, two] = ["proc", "proc2"].map(|name| rig.path(name).display().to_string());
        let rig = rig
            .around("unshare -m")
            .before(&format!("mount --bind /proc {one}; mount -t proc proc {two}"));
        let mut outsider = Outsider::start(&rig);
        let mut hints = Hints::of(&outsider);
        hints.procs = vec![one, two];
        try_all(&rig, |_| (), &hints);
        assert!(outsider.is_alive());
    });
}

/// Proves: SB5 (L), FS4 (L)
#[test]
fn two_jobs_of_one_account_see_nothing_of_each_other() {
    in_each_mode("two_jobs_of_one_account_see_nothing_of_each_other", |rig| {
        let target = rig.path("data/apps/app");
        let (mine, other) = (rig.own_directory("mine"), rig.own_directory("other"));
        fs::write(mine.join("file"), "mine").unwrap();
        fs::write(other.join("file"), &rig.secret).unwrap();
        let mut spec = rig.sh("cat file >/dev/null; exec sleep 60");
        spec.env.push(format!("SECRET={}", rig.secret));
        spec.binds = vec![bind(&other, &target, false)];
        spec.cwd.clone_from(&target);
        let (sibling, _) = rig.start(&spec);
        let seen = rig.run(&{
            let mut spec = rig.sh(
                "cat file; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/[0-9]*/root/*/*/file 2>&1",
            );
            spec.binds = vec![bind(&mine, &target, false)];
            spec.cwd.clone_from(&target);
            // What it is bound from lies outside every mask here, as another account's directory might.
            spec.masks.push(super::support::mask(&other));
            spec
        });
        let seen = seen.text();
        assert!(seen.starts_with("mine"), "{seen}");
        assert!(!seen.contains(&rig.secret), "{seen}");
        assert!(!seen.contains("sleep"), "{seen}");
        let outsider = Outsider::start(&rig);
        let mut hints = Hints::of(&outsider);
        hints.elsewhere = vec![target.join("file").display().to_string()];
        try_all(&rig, |spec| spec.binds = vec![bind(&mine, &target, true)], &hints);
        drop(sibling);
    });
}
