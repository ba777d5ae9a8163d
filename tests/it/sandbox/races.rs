//! A path that is swapped for a link while the sandbox is made: nothing outside may be covered or made.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags};

use super::support::{bind, in_each_mode, mask};

const LAUNCHES: usize = 500;

/// Swaps two names without pause until told to stop.
fn swap(one: &Path, other: &Path, stop: &AtomicBool) -> u64 {
    let mut swaps = 0;
    while !stop.load(Ordering::Relaxed) {
        rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
        swaps += 1;
    }
    swaps
}

/// Proves: SB5 (L), FS3 (L)
#[test]
fn a_racing_link_covers_and_makes_nothing_outside() {
    in_each_mode("a_racing_link_covers_and_makes_nothing_outside", |rig| {
        // The account's own directory, in which it swaps `job` for a link to a place outside.
        let own = rig.own_directory("own");
        let outside = rig.path("outside");
        for path in [
            own.join("job/target"),
            own.join("job/source"),
            outside.join("target"),
            outside.join("source"),
        ] {
            fs::create_dir_all(path).unwrap();
        }
        fs::write(outside.join("target/kept"), "kept").unwrap();
        fs::write(outside.join("source/secret"), &rig.secret).unwrap();
        fs::write(own.join("job/source/mine"), "mine").unwrap();
        std::os::unix::fs::symlink(&outside, own.join("link")).unwrap();
        let script = format!(
            "ls {0}/target {0}/source 2>&1; ls -A {0}; cat {1}/target/* {1}/source/* {1}/fresh/*; exit 0",
            outside.display(),
            own.join("job").display()
        );
        let mut spec = rig.sh(&script);
        spec.masks.push(mask(&own.join("job/target")));
        spec.binds = vec![
            bind(&own.join("job/source"), own.join("job/target"), false),
            bind(&own.join("job/source"), own.join("job/fresh"), false),
        ];
        let stop = AtomicBool::new(false);
        let (job, link) = (own.join("job"), own.join("link"));
        let mut refused = 0;
        let swaps = std::thread::scope(|scope| {
            let swapper = scope.spawn(|| swap(&job, &link, &stop));
            for _ in 0..LAUNCHES {
                let outcome = rig.run(&spec);
                let text = outcome.text();
                if outcome.ended.is_err() {
                    refused += 1;
                    continue;
                }
                // What lies outside is as it was, seen from inside too: nothing was put over it, nothing made in it.
                let view = format!(
                    "{0}/source:\nsecret\n\n{0}/target:\nkept\nsource\ntarget\n",
                    outside.display()
                );
                if !text.starts_with(&view) {
                    stop.store(true, Ordering::Relaxed);
                    panic!("{text}\n{}", outcome.stderr);
                }
            }
            stop.store(true, Ordering::Relaxed);
            swapper.join().unwrap()
        });
        println!("{swaps} swaps, {refused} of {LAUNCHES} launches refused");
        assert!(swaps > 1000 && refused > 0, "the race was not run");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 2);
        assert_eq!(fs::read_to_string(outside.join("target/kept")).unwrap(), "kept");
        assert!(!own.join("job/fresh").exists() && !outside.join("fresh").exists());
    });
}
