//! Limits: of space, of what is kept, and of whom a controller can serve.

use std::ffi::CStr;
use std::path::PathBuf;

use offhost::api::job::ContentJobSpec;
use offhost::controller::volume::{UploadError, Volume, VolumeError};
use offhost::data::{DataDir, jobs};
use offhost::names::{MOUNT_APP, MOUNT_REPORT};
use offhost::reason::Reason;
use offhost::status::Planned;
use rustix::mount::{MountFlags, UnmountFlags};

use super::uploads::archive;
use super::{Job, Place, REPORT, at, content, failure, in_progress, listing, problem, result, unusable};
use crate::support::needs;

/// Proves: RD4 (P), PK10 (P)
#[test]
fn what_is_beyond_the_limits_goes_and_what_runs_stays() {
    let place = Place::with(|settings| {
        settings.applications.rendering_sweep_limit = 2;
        settings.applications.bundle_retention_limit = 1;
        settings.jobs.max_completed = 1;
    });
    let volume = place.open();
    place.incoming("sales", REPORT);
    // Its key is the first of all, so that it would be the first to go.
    let running = Job::of_path(0, "sales");
    let runs = place.begin(&volume, &running, 1).unwrap();
    runs.writes(MOUNT_REPORT, &[("index.html", "runs")]);
    for uid in 1..=5 {
        place.incoming("sales", &[("report.Rmd", &format!("---\ntitle: {uid}\n---\n"))]);
        let job = Job::of_path(uid, "sales");
        let begun = place.begin(&volume, &job, 1).unwrap();
        begun.writes(MOUNT_REPORT, &[("index.html", &uid.to_string())]);
        let now = at(i64::from(uid) * 100);
        let first = result(volume.finish(&begun.attempt, now).unwrap());
        // Its own record is not what goes while the job is not released: the answer stays the same.
        assert_eq!(result(volume.finish(&begun.attempt, now).unwrap()), first);
        volume.release(&job.uid);
    }
    assert!(place.data("apps/sales/1").exists(), "it is in use");
    let directories = |path: &str| {
        let names = std::fs::read_dir(place.data(path)).unwrap();
        let mut names: Vec<String> = names
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
            .filter(|name| name.bytes().all(|b| b.is_ascii_digit()))
            .collect();
        names.sort_by_key(|name| name.parse::<u64>().unwrap());
        names
    };
    assert_eq!(directories("reports/v2/sales/default"), ["1", "5", "6"]);
    assert_eq!(directories("apps/sales"), ["1", "6"]);
    let listed = jobs(volume.data(), &content()).unwrap();
    assert!(listed.iter().any(|job| job.key == runs.attempt.key()));
    assert!(listed.len() <= 3, "{listed:?}");
    let finished = result(volume.finish(&runs.attempt, at(9000)).unwrap());
    assert!(finished.activated);
    // Its own record stays, so that the next controller gives the same answer where this one could not write it down.
    drop(volume);
    let volume = place.open();
    assert_eq!(result(volume.finish(&runs.attempt, at(9100)).unwrap()), finished);
    assert_eq!(place.served("index.html").as_deref(), Some("runs"));
}

/// Proves: RA2 (P)
#[test]
fn a_controller_that_can_give_nothing_away_says_so() {
    if rustix::process::geteuid().is_root() {
        return as_somebody_else();
    }
    if let Some(root) = std::env::var_os(ANOTHERS) {
        let place = Place::with(|settings| settings.server.data_dir = root.into());
        let said = Volume::open(&place.world.settings).unwrap_err().to_string();
        assert!(said.contains("data/apps' belongs to account 4245"), "{said}");
        assert!(said.contains("controller.giveAwayDirectories"), "{said}");
    }
    let place = Place::new();
    let volume = place.open();
    place.incoming("sales", REPORT);
    let mut job = Job::of_path(1, "sales");
    job.spec = ContentJobSpec {
        run_as: Some("hadley".to_owned()),
        ..job.spec
    };
    let Err(error) = place.begin(&volume, &job, 1) else {
        panic!("it is another account's");
    };
    assert!(matches!(error, VolumeError::Owner { .. }) && !error.heals());
    assert_eq!(error.reason(), Reason::AccountRefused);
    let said = error.to_string();
    assert!(
        said.contains("'hadley'") && said.contains("controller.giveAwayDirectories"),
        "{said}"
    );
}

/// A data directory of the account whose controller could once give directories away.
const ANOTHERS: &str = "OFFHOST_TEST_ANOTHERS_DATA";

/// The same test again in a process that is not root.
fn as_somebody_else() {
    use std::os::unix::process::CommandExt;
    if !needs("OFFHOST_TEST_ROOT", "it becomes another account") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(directory.path(), Some(4242), Some(4242)).unwrap();
    let anothers = directory.path().join("data");
    for (path, uid) in [(anothers.clone(), 4242), (anothers.join("apps"), 4245)] {
        std::fs::create_dir(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(uid), Some(uid)).unwrap();
    }
    // The program itself may lie where only root can go.
    let program = directory.path().join("it");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let done = std::process::Command::new(program)
        .args([
            "--exact",
            "volume::limits::a_controller_that_can_give_nothing_away_says_so",
        ])
        .env("TMPDIR", directory.path())
        .env(ANOTHERS, anothers)
        .current_dir(directory.path())
        .gid(4242)
        .uid(4242)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && text.contains("1 passed"), "{text}");
}

/// Proves: OH1 (P)
#[test]
fn a_volume_that_everybody_can_write_in_is_one_as_provisioners_make_it() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    std::fs::create_dir(place.data("")).unwrap();
    std::fs::set_permissions(place.data(""), PermissionsExt::from_mode(0o777)).unwrap();
    assert!(DataDir::open(&place.data("")).is_err(), "local mode refuses it");
    place.open();
    let missing = Place::with(|settings| settings.server.data_dir = "/no/such/place/data".into());
    let said = Volume::open(&missing.world.settings).unwrap_err().to_string();
    assert!(said.contains("'/no/such/place/data' does not exist"), "{said}");
}

/// Content on a node that was lost goes on writing, while its attempt is taken away.
///
/// Proves: OH2 (P), RD3 (P)
#[test]
fn content_that_still_writes_hinders_nobody() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let place = Place::new();
    let volume = place.open();
    place.incoming("sales", REPORT);
    let job = Job::of_path(1, "sales");
    let lost = place.begin(&volume, &job, 1).unwrap();
    let (copy, made) = (lost.source(MOUNT_APP), lost.source(MOUNT_REPORT));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            // As a process does that holds its working directory open.
            let mut n = 0u32;
            while !stop.load(Ordering::Relaxed) {
                for dir in [&copy, &made] {
                    let _ = std::fs::create_dir(dir.join(format!("d{}", n % 7)));
                    let _ = std::fs::write(dir.join(format!("d{}/f{n}", n % 7)), "x");
                }
                n += 1;
            }
        });
        std::thread::sleep(std::time::Duration::from_millis(20));
        volume
            .discard(&lost.attempt, &failure(&problem()), at(2))
            .unwrap();
        let next = place.begin(&volume, &job, 2).unwrap();
        next.writes(MOUNT_REPORT, &[("index.html", "two")]);
        assert!(result(volume.finish(&next.attempt, at(3)).unwrap()).activated);
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap();
    });
    assert_eq!(
        listing(&place.data("reports/v2/sales/default/active/")),
        ["index.html"]
    );
    let swept = volume.sweep(at(4));
    assert!(swept.failed.is_empty(), "{swept:?}");
    assert_eq!(in_progress(&place), [""; 0]);
    assert!(!place.data("reports/v2/sales/default/1").exists());
}

/// A file system of its own, unmounted at the end.
struct Small {
    dir: Option<tempfile::TempDir>,
}

impl Small {
    fn mount(options: &CStr) -> Self {
        let dir = tempfile::tempdir().unwrap();
        rustix::mount::mount("tmpfs", dir.path(), "tmpfs", MountFlags::empty(), options).unwrap();
        Self { dir: Some(dir) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.as_ref().unwrap().path().join(name)
    }

    /// Leaves no block free.
    fn fill(&self) -> PathBuf {
        let ballast = self.path("ballast");
        let size = rustix::fs::statvfs(ballast.parent().unwrap()).unwrap();
        let room = usize::try_from(size.f_bavail * size.f_frsize).unwrap();
        std::fs::write(&ballast, vec![1; room]).unwrap();
        ballast
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        if let Some(dir) = self.dir.take() {
            rustix::mount::unmount(dir.path(), UnmountFlags::DETACH).unwrap();
        }
    }
}

/// Proves: RD3 (P)
#[test]
fn a_full_disk_changes_nothing_that_is_served_and_heals() {
    if !needs("OFFHOST_TEST_ROOT", "it mounts a small file system") {
        return;
    }
    let small = Small::mount(c"size=8m,mode=755");
    let place = Place::with(|settings| settings.server.data_dir = small.path("data"));
    let volume = place.open();
    place.incoming("sales", REPORT);
    let good = place.begin(&volume, &Job::of_path(1, "sales"), 1).unwrap();
    good.writes(MOUNT_REPORT, &[("index.html", "good")]);
    volume.finish(&good.attempt, at(1)).unwrap();
    let next = place.begin(&volume, &Job::of_path(2, "sales"), 1).unwrap();
    next.writes(MOUNT_REPORT, &[("index.html", "next")]);

    // Nothing can be begun; as soon as there is space it can.
    let waiting = Job::of_path(3, "sales");
    let bundle = place.bundle(&volume, &waiting).unwrap();
    let waiting = waiting.pinned(&bundle.content, bundle.bundle);
    let ballast = small.fill();
    let Err(error) = place.begin(&volume, &waiting, 1) else {
        panic!("there is no space");
    };
    assert!(
        error.heals() && error.to_string().contains("no space is left"),
        "{error}"
    );
    assert_eq!(error.reason(), Reason::DataUnavailable);
    std::fs::remove_file(&ballast).unwrap();
    let begun = place.begin(&volume, &waiting, 1).unwrap();
    begun.writes(MOUNT_REPORT, &[("index.html", "begun")]);

    // What a process has written on a full disk may be cut off.
    let ballast = small.fill();
    let cut_off = volume.finish(&next.attempt, at(2));
    std::fs::remove_file(&ballast).unwrap();
    // The record of it may not have found room either; then the answer comes later.
    let refused = unusable(match cut_off {
        Ok(finished) => finished,
        Err(error) => {
            assert!(error.heals(), "{error}");
            volume.finish(&next.attempt, at(3)).unwrap()
        }
    });
    assert_eq!(refused.reason, Reason::DataUnavailable);
    assert_eq!(place.served("index.html").as_deref(), Some("good"));

    // Failure can be recorded, because what failed goes first.
    begun.writes(MOUNT_APP, &[("large", &"x".repeat(100_000))]);
    small.fill();
    volume
        .discard(&begun.attempt, &failure(&problem()), at(4))
        .unwrap();
    let error = volume
        .upload_begin(&"0".repeat(64), 1_000_000)
        .map(|_| ())
        .unwrap_err();
    assert!(
        matches!(error, UploadError::Full { .. }) && error.status() == 507,
        "{error}"
    );
    assert!(error.to_string().contains("1000000 bytes"), "{error}");
    assert_eq!(in_progress(&place), [""; 0]);
}

/// A small archive of much that is large when it is unpacked.
///
/// Proves: AP2 (P)
#[test]
fn an_archive_that_would_fill_the_volume_waits_for_space_and_leaves_some() {
    if !needs("OFFHOST_TEST_ROOT", "it mounts a small file system") {
        return;
    }
    let small = Small::mount(c"size=8m,mode=755");
    let place = Place::with(|settings| settings.server.data_dir = small.path("data"));
    let volume = place.open();
    let large = "x".repeat(16 << 20);
    let bytes = archive(&[("report.Rmd", "---\ntitle: x\n---\n"), ("large", &large)]);
    assert!(bytes.len() < 1 << 20);
    std::fs::write(place.data("incoming/bomb.tar.gz"), &bytes).unwrap();
    let job = Job::of_path(1, "bomb.tar.gz");
    let Planned::Waiting(problem) = place.bundle(&volume, &job).unwrap_err().planned() else {
        panic!("there may be space later");
    };
    assert_eq!(problem.reason, Reason::DataUnavailable);
    assert!(
        problem.message.contains("can be spared on the data volume"),
        "{}",
        problem.message
    );
    assert_eq!(in_progress(&place), [""; 0]);
    std::fs::write(place.data("incoming/other"), vec![1; 4 << 20]).unwrap();
}
