//! Machines on which ordinary paths are links: what is hidden stays hidden, and everything runs.

use std::fs;
use std::os::unix::fs::symlink;

use super::place::Place;
use crate::support::needs;

/// A place in which the server's own directories are reached through links, as `/var/run` is on most machines.
fn linked() -> Place {
    let place = Place::new();
    for name in ["data", "tmp", "etc"] {
        let real = format!("real-{name}");
        fs::rename(place.path(name), place.path(&real)).unwrap();
        symlink(&real, place.path(name)).unwrap();
    }
    place
}

/// Proves: FS1 (L), FS3 (L), FS5 (L), SB5 (L)
#[test]
fn links_in_the_paths_of_a_machine_are_no_obstacle_and_no_way_in() {
    if !needs("OFFHOST_TEST_ROOT", "it runs jobs as another account") {
        return;
    }
    for home_mounting in ["false", "true"] {
        let mut place = linked();
        place.file("real-data/secret", "s3cr3t");
        place.configure(&format!("[Applications]\nHomeMounting = {home_mounting}"));
        let line = format!(
            "cat {0}/data/secret {0}/real-data/secret {0}/etc/offhost.gcfg {0}/real-etc/offhost.gcfg 2>/dev/null; \
             touch ~/new $TMPDIR/new && cat data.txt && test -e /var/run/. && head -qc 20 /etc/ssl/certs/*.pem \
             >/dev/null && echo all is there",
            place.root().display()
        );
        let job = place.shell_job(&line, "");
        // The account's home is a link too.
        let outcome = place
            .offhost(["run".as_ref(), job.as_os_str()])
            .after(
                "mount -t tmpfs -o mode=755 none /home; mkdir /home/.real; chown rstudio-connect: /home/.real\n\
                 ln -s .real /home/rstudio-connect",
            )
            .go();
        outcome.succeeded();
        assert!(!outcome.stdout.contains("s3cr3t"), "{outcome:?}");
        assert!(!outcome.stdout.contains("DataDir"), "{outcome:?}");
        assert!(outcome.stdout.ends_with("data\nall is there\n"), "{outcome:?}");
    }
}
