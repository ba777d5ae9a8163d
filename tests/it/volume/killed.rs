//! A controller that is killed -9 at any time, again and again, while jobs run: each ends once, with its result.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use offhost::api::job::TaskKind;
use offhost::controller::volume::OpenJob;
use offhost::data::{JobState, jobs};
use offhost::names::MOUNT_REPORT;
use offhost::status::Finished;

use super::{Begun, Job, Place, at, content, failure, files, in_progress, problem};

const CHILD: &str = "OFFHOST_TEST_VOLUME_CHILD";
const FILES: u32 = 6;
/// Jobs that are open at once.
const OPEN: u32 = 4;
const JOBS: u32 = 120;

/// What the API server would know, each a file below `api`: `N.begun` before a Pod is made, `N.pod` once it has ended
/// well, `N.done` with the answer.
struct Api<'a>(&'a Path);

impl Api<'_> {
    fn has(&self, n: u32, what: &str) -> bool {
        self.0.join(format!("{n}.{what}")).exists()
    }

    fn write(&self, n: u32, what: &str, text: &str) {
        let staging = self.0.join(format!("{n}.{what}.new"));
        std::fs::write(&staging, text).unwrap();
        std::fs::rename(&staging, self.0.join(format!("{n}.{what}"))).unwrap();
    }
}

fn place(dir: &Path) -> Place {
    // The directory is the parent's: nothing of it may go with this value.
    let mut place = Place::with(|settings| {
        settings.server.data_dir = dir.join("data");
        settings.applications.rendering_sweep_limit = 3;
        settings.applications.bundle_retention_limit = 2;
        settings.jobs.max_completed = 5;
    });
    place.world.task.content = "sales".to_owned();
    place
}

fn job(n: u32) -> Job {
    let task = if n.is_multiple_of(2) {
        TaskKind::Render
    } else {
        TaskKind::RenderSite
    };
    let mut job = Job::of_path(n + 1, &format!("source-{}", n % 3)).task(task);
    job.spec.entrypoint = Some("index.Rmd".to_owned());
    job
}

/// Every fifth job fails.
fn fails(n: u32) -> bool {
    n % 5 == 4
}

fn run_pod(n: u32, begun: &Begun) {
    let below = if n.is_multiple_of(2) { "" } else { "_site/" };
    for file in 0..FILES {
        let name = if file == 0 {
            "index.html".to_owned()
        } else {
            format!("f{file}")
        };
        begun.writes(MOUNT_REPORT, &[(&format!("{below}{name}"), &n.to_string())]);
    }
    if !n.is_multiple_of(2) {
        begun.writes(MOUNT_REPORT, &[("index.Rmd", "source")]);
    }
}

/// Not a test of its own: the controller that is killed.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let dir = Path::new(&dir);
    let place = place(dir);
    let (volume, api) = (place.open(), Api(&dir.join("api")));
    let open: Vec<OpenJob> = (0..JOBS)
        .filter(|n| api.has(*n, "begun") && !api.has(*n, "done"))
        .map(|n| {
            let job = job(n);
            job.open(Some(&job.attempt(&content(), 1)))
        })
        .collect();
    let swept = volume.adopt(&open, at(1)).unwrap();
    assert!(swept.failed.is_empty(), "{swept:?}");
    let mut first = 0;
    while first < JOBS {
        for n in first..(first + OPEN).min(JOBS) {
            if api.has(n, "done") {
                continue;
            }
            let job = job(n);
            let attempt = job.attempt(&content(), 1);
            api.write(n, "begun", "");
            if !api.has(n, "pod") {
                let begun = place.begin(&volume, &job, 1).unwrap();
                run_pod(n, &begun);
                api.write(n, "pod", "");
            }
            let answer = if fails(n) {
                volume.discard(&attempt, &failure(&problem()), at(2)).unwrap();
                "failed".to_owned()
            } else {
                match volume.finish(&attempt, at(2)).unwrap() {
                    Finished::Done(Some(result)) => format!("{}", result.number),
                    other => panic!("{n}: {other:?}"),
                }
            };
            api.write(n, "done", &answer);
            volume.release(&job.uid);
        }
        first += OPEN;
    }
}

fn assert_served_whole(dir: &Path) {
    let active = dir.join("data/reports/v2/sales/default/active");
    let Ok(target) = std::fs::read_link(&active) else {
        return;
    };
    let result = active.with_file_name(target);
    let read = |name: &str| std::fs::read_to_string(result.join(name));
    let Ok(first) = read("index.html") else {
        // It was replaced and removed between the two looks.
        return;
    };
    for file in 1..FILES {
        if let Ok(text) = read(&format!("f{file}")) {
            assert_eq!(text, first);
        }
    }
    assert!(read("index.Rmd").is_err(), "the source of a site is served");
}

/// Proves: OH2 (P), RD3 (P), RD4 (P), ST2 (P), AP2 (P)
#[test]
fn whenever_the_controller_is_killed_each_job_ends_once() {
    let dir = tempfile::tempdir().unwrap();
    let api = dir.path().join("api");
    std::fs::create_dir(&api).unwrap();
    std::fs::create_dir_all(dir.path().join("data/incoming")).unwrap();
    for n in 0..3 {
        files(
            &dir.path().join(format!("data/incoming/source-{n}")),
            &[
                ("index.Rmd", &format!("---\ntitle: {n}\n---\n")),
                ("_site.yml", "name: x\n"),
            ],
        );
    }
    let start = Instant::now();
    let mut kills = 0u32;
    loop {
        let mut controller = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "volume::killed::child", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // From before it has started to some jobs later.
        let wait = Duration::from_millis(5 + u64::from(kills * 37 % 120));
        let until = Instant::now() + wait;
        let ended = loop {
            if let Some(status) = controller.try_wait().unwrap() {
                assert!(
                    status.success(),
                    "the controller fails by itself after {kills} kills"
                );
                break true;
            }
            if Instant::now() >= until && kills < 60 {
                break false;
            }
            assert!(start.elapsed() < Duration::from_secs(300), "it never ends");
            std::thread::sleep(Duration::from_millis(1));
        };
        assert_served_whole(dir.path());
        if ended {
            break;
        }
        controller.kill().unwrap();
        controller.wait().unwrap();
        kills += 1;
    }
    // Each has one answer, and no number was given to two.
    let api = Api(&api);
    let mut numbers = Vec::new();
    for n in 0..JOBS {
        let answer = std::fs::read_to_string(api.0.join(format!("{n}.done"))).unwrap();
        assert_eq!(answer == "failed", fails(n), "{n}: {answer}");
        numbers.extend(answer.parse::<u64>());
    }
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), count);
    let place = place(dir.path());
    let volume = place.open();
    volume.adopt(&[], at(3)).unwrap();
    assert_eq!(in_progress(&place), [""; 0]);
    assert_eq!(
        place.renders(&volume),
        numbers.last().copied(),
        "the last one is served"
    );
    let running = jobs(volume.data(), &content())
        .unwrap()
        .into_iter()
        .filter(|job| job.record.state == JobState::Running)
        .count();
    assert_eq!(running, 0);
    assert!(kills > 5, "it was killed {kills} times only");
}
