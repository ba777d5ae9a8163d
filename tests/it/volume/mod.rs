//! What the controller does on the data volume, without any cluster: the tests are the Pods.

mod adopting;
mod attempts;
mod bundles;
mod finishing;
mod killed;
mod limits;
mod serving;
mod uploads;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use offhost::api::job::{ArchiveRef, BundleRef, ContentJobSpec, TaskKind};
use offhost::api::status::ResultStatus;
use offhost::controller::volume::{
    Asked, Attempt, Beginning, Bundle, BundleError, Failure, OpenJob, Volume, VolumeError,
};
use offhost::data::{ContentId, Renders, Variant};
use offhost::plan::{Plan, ProcessPlan, Purpose, Source, Task, plan};
use offhost::reason::Reason;
use offhost::settings::Settings;
use offhost::status::{Finished, Planned, Problem};

use crate::plan_fixture::{World, account, facts};
use crate::support::wait_until_unlocked;

/// A time `seconds` after the first of 2026.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + seconds).unwrap()
}

/// A data volume and what a cluster knows beside it.
pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) world: World,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap(), |_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::at(tempfile::tempdir().unwrap(), change)
    }

    fn at(dir: tempfile::TempDir, change: impl FnOnce(&mut Settings)) -> Self {
        let mut world = World::of(facts(offhost::content::AppMode::Script, "")).in_pod();
        world.settings.server.data_dir = dir.path().join("data");
        change(&mut world.settings);
        // Content runs as another account where this process may give directories away, else as its own.
        let own = rustix::process::geteuid();
        let uid = if own.is_root() { 4242 } else { own.as_raw() };
        for (name, uid) in [("rstudio-connect", uid), ("hadley", 4244)] {
            world
                .accounts
                .accounts
                .insert(name.to_owned(), account(name, uid, 4343, &[4343], None));
        }
        Self { dir, world }
    }

    pub(crate) fn data(&self, path: impl AsRef<Path>) -> PathBuf {
        self.world.settings.server.data_dir.join(path)
    }

    /// Opened by a controller, after the one before has ended.
    pub(crate) fn open(&self) -> Volume {
        wait_until_unlocked(&self.data(""));
        self.open_beside()
    }

    /// Opened by a controller while another one lives.
    pub(crate) fn open_beside(&self) -> Volume {
        Volume::open(&self.world.settings).unwrap()
    }

    /// Copies a bundle to where jobs find it by path.
    pub(crate) fn incoming(&self, name: &str, content: &[(&str, &str)]) {
        files(&self.data("incoming").join(name), content);
    }

    pub(crate) fn renders(&self, volume: &Volume) -> Option<u64> {
        Renders::new(volume.data(), content(), Variant::default())
            .active()
            .unwrap()
    }

    /// What is served.
    pub(crate) fn served(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.data("reports/v2/sales/default/active").join(file)).ok()
    }

    fn check(&self) -> impl Fn(&Task) -> Result<(), Box<Planned>> + '_ {
        |task| match self.plan(task) {
            Ok(_) => Ok(()),
            Err(problem) => Err(Box::new(Planned::Refused(problem))),
        }
    }

    pub(crate) fn plan(&self, task: &Task) -> Result<Plan, Problem> {
        let World {
            settings,
            runtimes,
            accounts,
            ..
        } = &self.world;
        plan(task, settings, runtimes, accounts).map_err(|error| Problem {
            reason: error.reason(),
            message: error.to_string(),
        })
    }

    pub(crate) fn bundle(&self, volume: &Volume, job: &Job) -> Result<Bundle, BundleError> {
        let asked = Asked {
            job_uid: &job.uid,
            namespace: "reports",
            name: &job.name,
            spec: &job.spec,
            pinned: job.pinned.clone(),
            now: at(0),
        };
        volume.bundle(&asked, &self.check())
    }

    /// Begins an attempt, as the controller does.
    pub(crate) fn begin(&self, volume: &Volume, job: &Job, number: u32) -> Result<Begun, VolumeError> {
        let bundle = self.bundle(volume, job).unwrap();
        let attempt = job.attempt(&bundle.content, number);
        let process = |plan: &Plan| {
            let wanted = plan
                .processes
                .iter()
                .find(|process| matches!(process.purpose, Purpose::Task(_)))
                .or_else(|| plan.processes.first());
            wanted.unwrap().clone()
        };
        let first = self.plan(&volume.task(&bundle, attempt.key(), 1)).unwrap();
        volume.serves(&first)?;
        let rendering = volume.rendering(&attempt, &process(&first))?;
        let plan = self
            .plan(&volume.task(&bundle, attempt.key(), rendering))
            .unwrap();
        let process = process(&plan);
        volume.begin(
            &attempt,
            &Beginning {
                files: &[],
                name: &job.name,
                bundle: &bundle,
                plan: &plan,
                process: &process,
                now: at(1),
            },
        )?;
        Ok(Begun {
            attempt,
            process,
            data_dir: self.data(""),
        })
    }
}

/// A ContentJob.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) uid: String,
    pub(crate) name: String,
    pub(crate) spec: ContentJobSpec,
    pub(crate) pinned: Option<(ContentId, u64)>,
}

impl Job {
    pub(crate) fn new(uid: u32, bundle: BundleRef) -> Self {
        let spec = ContentJobSpec {
            content: Some("sales".to_owned()),
            bundle,
            ..ContentJobSpec::default()
        };
        Self {
            uid: format!("{uid:08x}-0000-4000-8000-000000000000"),
            name: format!("job-{uid}"),
            spec,
            pinned: None,
        }
    }

    /// One that brings a directory below `incoming`.
    pub(crate) fn of_path(uid: u32, path: &str) -> Self {
        Self::new(
            uid,
            BundleRef {
                path: Some(path.to_owned()),
                ..BundleRef::default()
            },
        )
    }

    /// One that brings an archive.
    pub(crate) fn of_archive(uid: u32, sha256: &str, bytes: usize) -> Self {
        let archive = ArchiveRef {
            sha256: sha256.to_owned(),
            bytes: i64::try_from(bytes).unwrap(),
        };
        Self::new(
            uid,
            BundleRef {
                archive: Some(archive),
                ..BundleRef::default()
            },
        )
    }

    pub(crate) fn task(mut self, task: TaskKind) -> Self {
        self.spec.task = Some(task);
        self
    }

    pub(crate) fn pinned(mut self, content: &ContentId, bundle: u64) -> Self {
        self.pinned = Some((content.clone(), bundle));
        self
    }

    pub(crate) fn attempt(&self, content: &ContentId, number: u32) -> Attempt {
        let hex: String = self.uid.chars().filter(|c| *c != '-').take(16).collect();
        Attempt::new(&self.uid, content.as_str(), &format!("{hex}-{number}")).unwrap()
    }

    /// As it is found after a restart.
    pub(crate) fn open(&self, attempt: Option<&Attempt>) -> OpenJob {
        OpenJob {
            uid: self.uid.clone(),
            attempt: attempt.cloned(),
            pinned: self.pinned.clone(),
            awaits: self
                .spec
                .bundle
                .archive
                .as_ref()
                .map(|archive| archive.sha256.clone()),
        }
    }
}

/// An attempt whose Pod could run now.
pub(crate) struct Begun {
    pub(crate) attempt: Attempt,
    pub(crate) process: ProcessPlan,
    data_dir: PathBuf,
}

impl Begun {
    /// Where a mount of the Pod comes from.
    pub(crate) fn source(&self, target: &str) -> PathBuf {
        let mount = self
            .process
            .mounts
            .iter()
            .find(|mount| mount.target == target)
            .unwrap_or_else(|| panic!("{target} is not mounted"));
        match &mount.source {
            Source::Data(path) => self.data_dir.join(path),
            other => panic!("{target} comes from {other:?}"),
        }
    }

    /// What the Pod writes below a mount.
    pub(crate) fn writes(&self, target: &str, content: &[(&str, &str)]) {
        files(&self.source(target), content);
    }
}

pub(crate) fn content() -> ContentId {
    ContentId::parse("sales").unwrap()
}

/// Writes files, each with its parents.
pub(crate) fn files(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// A script that needs no interpreter, so that a `Run` task can be planned.
pub(crate) const REPORT: &[(&str, &str)] = &[("report.Rmd", "---\ntitle: x\n---\n")];
pub(crate) const SITE: &[(&str, &str)] = &[
    ("index.Rmd", "---\ntitle: x\n---\n"),
    ("_site.yml", "name: site\n"),
];

/// A result that was finished, or why it was not.
pub(crate) fn result(finished: Finished) -> ResultStatus {
    match finished {
        Finished::Done(Some(result)) => result,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn unusable(finished: Finished) -> Problem {
    match finished {
        Finished::Unusable(problem) => problem,
        other => panic!("{other:?}"),
    }
}

/// Every path below `root`, sorted, with a `/` behind directories; locks and counters left out.
pub(crate) fn listing(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let shown = entry.path().strip_prefix(root).unwrap().display().to_string();
            if entry.file_type().unwrap().is_dir() {
                waiting.push(entry.path());
                found.push(format!("{shown}/"));
            } else if !name.ends_with(".lock") && name != ".last" {
                found.push(shown);
            }
        }
    }
    found.sort();
    found
}

/// A failure of the content itself.
pub(crate) fn problem() -> Problem {
    Problem {
        reason: Reason::ProcessFailed,
        message: "the process ended with exit code 3".to_owned(),
    }
}

pub(crate) fn failure(problem: &Problem) -> Failure<'_> {
    Failure {
        problem,
        exit_code: Some(3),
        signal: None,
    }
}

/// The names of what a killed controller has left in progress below the data directory.
pub(crate) fn in_progress(place: &Place) -> Vec<String> {
    let odd = |path: &String| {
        path.contains("temp.render.") || path.contains(".staging-") || path.contains("/staging.")
    };
    listing(&place.data("")).into_iter().filter(odd).collect()
}
