//! A path that is swapped for a link while the sandbox is made: nothing outside may be covered, made or shown.
//!
//! `OFFHOST_TEST_RACES` is the number of launches in each mode.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use offhost::sandbox::SandboxSpec;
use rustix::fs::{CWD, RenameFlags};

use super::support::{Rig, bind, in_each_mode, mask};
use super::tools::processes_of;

const LAUNCHES: usize = 400;

/// Swaps two names without pause until told to stop.
fn swap(one: &Path, other: &Path, stop: &AtomicBool) -> u64 {
    let mut swaps = 0;
    while !stop.load(Ordering::Relaxed) {
        rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
        swaps += 1;
    }
    swaps
}

/// Stops the swapper when a launch has gone wrong too.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the account swaps for a link, below its own directory, and where the link leads.
fn places(rig: &Rig) -> [(&'static str, PathBuf); 4] {
    [
        // Above everything.
        ("job", rig.path("outside")),
        // A mount point, what is shown there, and what is masked.
        ("job/target", rig.path("outside/target")),
        ("job/source", rig.path("vault/source")),
        ("job/masked", rig.path("outside/target")),
    ]
}

/// The account's own directory, places outside, and a sandbox that has paths in it masked, shown and made.
fn scene(rig: &Rig) -> (PathBuf, SandboxSpec) {
    let (own, outside) = (rig.own_directory("own"), rig.path("outside"));
    let mut made = ["target", "source", "masked"]
        .map(|name| own.join("job").join(name))
        .to_vec();
    made.extend(
        [
            "outside/target",
            "outside/source",
            "outside/masked",
            "vault/source",
        ]
        .map(|name| rig.path(name)),
    );
    made.iter().for_each(|path| fs::create_dir_all(path).unwrap());
    fs::write(outside.join("target/kept"), "kept").unwrap();
    fs::write(outside.join("source/other"), "other").unwrap();
    fs::write(own.join("job/source/mine"), "mine").unwrap();
    // Who could go through the vault could read what is in it.
    fs::write(rig.path("vault/source/secret"), &rig.secret).unwrap();
    fs::set_permissions(rig.path("vault"), fs::Permissions::from_mode(0o700)).unwrap();
    let job = own.join("job");
    let script = format!(
        "ls {0}/target {0}/source {0}/masked 2>&1; ls -A {0}; cat {1}/*/* {0}/*/*; exit 0",
        outside.display(),
        job.display()
    );
    let mut spec = rig.sh(&script);
    spec.masks.push(mask(&job.join("masked")));
    spec.binds = vec![
        bind(&job.join("source"), job.join("target"), false),
        bind(&job.join("source"), job.join("fresh"), false),
    ];
    (own, spec)
}

/// Launches while a thread swaps; how many of the launches were refused, and how often it swapped.
fn race(rig: &Rig, spec: &SandboxSpec, [one, other]: [&Path; 2], launches: usize) -> (usize, u64) {
    // What lies outside is as it was, seen from inside too: nothing was put over it, nothing made in it.
    let outside = rig.path("outside").display().to_string();
    let view = format!(
        "{outside}/masked:\n\n{outside}/source:\nother\n\n{outside}/target:\nkept\nmasked\nsource\ntarget\n"
    );
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let swapper = scope.spawn(|| swap(one, other, &stop));
        let stops = Stops(&stop);
        let refused = (0..launches).filter(|_| {
            let outcome = rig.run(spec);
            let text = outcome.text();
            let is_refused = outcome.ended.is_err();
            assert!(
                is_refused || text.starts_with(&view),
                "{text}\n{}",
                outcome.stderr
            );
            assert!(!text.contains(&rig.secret), "{text}");
            is_refused
        });
        let refused = refused.count();
        drop(stops);
        (refused, swapper.join().unwrap())
    })
}

/// Proves: SB5 (L), FS3 (L)
#[test]
fn a_racing_link_covers_and_makes_nothing_outside() {
    let launches = std::env::var("OFFHOST_TEST_RACES").map_or(LAUNCHES, |text| text.parse().unwrap());
    in_each_mode("a_racing_link_covers_and_makes_nothing_outside", |rig| {
        let (own, spec) = scene(&rig);
        let outside = rig.path("outside");
        for (name, leads_to) in places(&rig) {
            let (swapped, link) = (own.join(name), own.join("link"));
            std::os::unix::fs::symlink(&leads_to, &link).unwrap();
            let (refused, swaps) = race(&rig, &spec, [&swapped, &link], launches.div_ceil(4));
            println!(
                "{name}: {swaps} swaps, {refused} of {} launches refused",
                launches.div_ceil(4)
            );
            assert!(swaps > 1000, "the race was not run");
            let names = fs::read_dir(&outside)
                .unwrap()
                .map(|entry| entry.unwrap().file_name());
            assert_eq!(names.count(), 3);
            assert_eq!(fs::read_to_string(outside.join("target/kept")).unwrap(), "kept");
            assert_eq!(fs::read_dir(rig.path("vault/source")).unwrap().count(), 1);
            assert_eq!(processes_of(rig.uid), [""; 0]);
            let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
            assert!(!mounts.contains(&*own.to_string_lossy()), "{mounts}");
            // The thread has left either in its place.
            if fs::symlink_metadata(&swapped).unwrap().is_symlink() {
                rustix::fs::renameat_with(CWD, &swapped, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
            fs::remove_file(&link).unwrap();
            assert!(!own.join("job/fresh").exists() && !outside.join("fresh").exists());
        }
    });
}
