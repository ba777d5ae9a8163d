//! Keeps what is served equal to what the manifests ask for. All changes are made here, one after the other; what takes
//! time is done elsewhere and comes back as news.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::accounts::Lookup;
use super::book::Book;
use super::directory::{self, Watch};
use super::entry::Entry;
use super::fleet::LocalFleet;
use super::form::Forms;
use super::jobs::Jobs;
use super::prepare::{Prepared, Wish};
use super::repeat::Looks;
use super::report::ServerReport;
use super::schedules::{Looked, Schedules};
use super::stamp::Stamp;
use super::tally::Tally;
use super::telling::Telling;
use crate::api::Manifest;
use crate::gateway::{FileServer, Routes, RunsAs};
use crate::hub::HubHandle;
use crate::local::error::LocalError;
use crate::local::server::Server;
use crate::state::{Outcome, StateError};

/// The directory is read again after so long, whether the system tells of a change or not: file systems of other
/// machines tell nothing.
const AGAIN: Duration = Duration::from_secs(60);
/// How often sources of bundles are looked at, at most and at least.
const SOURCES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// Bundles that are deployed at a time.
const DEPLOYMENTS: usize = 4;

/// What keeps the manifests in force.
#[derive(Debug)]
pub struct Keeper {
    pub(super) server: Arc<Server>,
    pub(super) fleet: Arc<LocalFleet>,
    pub(super) routes: Arc<Routes>,
    pub(super) files: Arc<FileServer>,
    pub(super) forms: Arc<Forms>,
    /// The accounts of visitors.
    pub(super) runs_as: RunsAs,
    pub(super) hub: HubHandle,
    pub(super) tally: Arc<Tally>,
    pub(super) directory: Option<PathBuf>,
    pub(super) book: Book,
    pub(super) apps: BTreeMap<String, Entry>,
    pub(super) jobs: Jobs,
    pub(super) schedules: Schedules,
    pub(super) looks: Looks,
    pub(super) telling: Arc<Telling>,
    /// Bundles are deployed and plans made in some number at a time, jobs and installations in another.
    pub(super) quick: Arc<Semaphore>,
    pub(super) slow: Arc<Semaphore>,
    pub(super) news: mpsc::UnboundedSender<News>,
    pub(super) started: jiff::Timestamp,
    /// By which its addresses begin.
    pub(super) address: String,
    directory_fault: Option<String>,
    sources_at: Instant,
    is_looking: bool,
}

/// What has come of what was begun, and what is asked.
#[derive(Debug)]
pub enum News {
    /// An application was prepared, or not; with its source as it was before.
    Prepared {
        /// Which.
        name: String,
        /// What came of it; none where packages have to be installed first.
        result: Result<Option<Box<Prepared>>, LocalError>,
        /// The source.
        stamp: Option<Stamp>,
    },
    /// A job is over; none where the server ended it.
    Job {
        /// Which.
        name: String,
        /// What came of it.
        done: Option<Outcome>,
        /// Whether that was known before: from an earlier server, or another one.
        was_known: bool,
    },
    /// A job has got its turn.
    JobBegun(String),
    /// A run of a schedule is over; none where the server ended it.
    Run {
        /// The job with the schedule.
        job: String,
        /// The time of the run.
        time: jiff::Timestamp,
        /// What came of it.
        done: Option<Outcome>,
        /// As with a job.
        was_known: bool,
    },
    /// Schedules were looked at.
    Schedules(Vec<(String, Result<Looked, StateError>)>),
    /// A run has got its turn.
    RunBegun(String, jiff::Timestamp),
    /// The sources were looked at, in so long.
    Sources(Vec<(String, Option<Stamp>)>, Duration),
    /// Everything is to be read again.
    Reload,
    /// Somebody wants to know how things are.
    Report(oneshot::Sender<ServerReport>),
}

/// What a [`Keeper`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// The server.
    pub server: Arc<Server>,
    /// Its processes.
    pub fleet: Arc<LocalFleet>,
    /// The gateway's table.
    pub routes: Arc<Routes>,
    /// The hub.
    pub hub: HubHandle,
    /// What is measured.
    pub tally: Arc<Tally>,
    /// The directory of manifests.
    pub directory: Option<PathBuf>,
    /// By which addresses of applications begin, for people.
    pub address: String,
}

impl Keeper {
    /// A keeper, and where it hears news.
    #[must_use]
    pub fn new(parts: Parts) -> (Self, mpsc::UnboundedSender<News>, mpsc::UnboundedReceiver<News>) {
        let (news, heard) = mpsc::unbounded_channel();
        let runs_as = RunsAs(Arc::new(Lookup::new(parts.server.settings.clone())));
        let slow = usize::try_from(parts.server.settings.jobs.max_running).unwrap_or(1);
        let slow = Arc::new(Semaphore::new(slow.max(1)));
        let files: Arc<FileServer> = Arc::default();
        let keeper = Self {
            forms: Forms::open(parts.server.clone(), files.clone(), slow.clone()),
            server: parts.server,
            fleet: parts.fleet,
            routes: parts.routes,
            files,
            runs_as,
            hub: parts.hub,
            tally: parts.tally,
            directory: parts.directory,
            book: Book::default(),
            apps: BTreeMap::new(),
            jobs: Jobs::default(),
            schedules: Schedules::default(),
            looks: Looks::default(),
            telling: Arc::default(),
            quick: Arc::new(Semaphore::new(DEPLOYMENTS)),
            slow,
            news: news.clone(),
            started: jiff::Timestamp::now(),
            address: parts.address,
            directory_fault: None,
            sources_at: Instant::now() + SOURCES.0,
            is_looking: false,
        };
        (keeper, news, heard)
    }

    /// What jobs and installations hold while they run, and how many there may be.
    #[must_use]
    pub fn jobs(&self) -> (Arc<Semaphore>, u32) {
        (self.slow.clone(), self.server.settings.jobs.max_running.max(1))
    }

    /// Works until `end`. Calls `ready` once everything that lies in the directory at the beginning is known.
    pub async fn run(
        mut self,
        mut heard: mpsc::UnboundedReceiver<News>,
        end: CancellationToken,
        ready: impl FnOnce(),
    ) {
        tokio::spawn(self.forms.clone().follow(end.clone()));
        let watch = self.directory.as_deref().map(Watch::of);
        self.read(watch.as_ref()).await;
        ready();
        let mut again = Instant::now() + AGAIN;
        loop {
            let due = self.schedules_at();
            let wake = due.unwrap_or(again).min(again).min(self.sources_at);
            tokio::select! {
                () = end.cancelled() => return,
                Some(news) = heard.recv() => match news {
                    News::Reload => {
                        self.read(watch.as_ref()).await;
                        self.try_all();
                    }
                    news => self.hear(news),
                },
                is_changed = changed(watch.as_ref(), wake) => {
                    let now = Instant::now();
                    self.turn_schedules();
                    if now >= self.sources_at {
                        self.look_at_sources();
                        self.try_failed();
                    }
                    if is_changed || now >= again {
                        again = now + AGAIN;
                        // The clock may have been set.
                        self.look_at_schedules();
                        self.read(watch.as_ref()).await;
                        self.tell_served();
                    }
                }
            }
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Prepared { name, result, stamp } => self.prepared(&name, result, stamp),
            News::Job {
                name,
                done,
                was_known,
            } => self.job_over(&name, done, was_known),
            News::Schedules(looks) => self.schedules_looked(looks),
            News::JobBegun(name) => self.jobs.begun(&name),
            News::Run {
                job,
                time,
                done,
                was_known,
            } => self.run_over(&job, time, done, was_known),
            News::RunBegun(job, time) => self.schedules.running(&job, time),
            News::Sources(stamps, took) => self.sources(stamps, took),
            News::Report(asker) => drop(asker.send(self.report())),
            News::Reload => {}
        }
    }

    /// Reads the manifests, and begins what follows from them.
    async fn read(&mut self, watch: Option<&Watch>) {
        let Some(path) = self.directory.clone() else {
            return;
        };
        if let Some(watch) = watch {
            watch.begin();
        }
        let place = path.clone();
        let found = match tokio::task::spawn_blocking(move || directory::read(&place)).await {
            Ok(Ok(found)) => found,
            Ok(Err(failure)) => return self.unreadable(failure.to_string()),
            // The server ends.
            Err(_) => return,
        };
        if self.directory_fault.take().is_some() {
            tracing::info!(directory = %path.display(), "the manifests can be read again");
        }
        let turned = self
            .book
            .turn(found, |name| path.join(name).display().to_string());
        for fault in &turned.faults {
            tracing::warn!("{fault}; what was in force of that file stays");
        }
        for file in &turned.mended {
            tracing::info!(%file, "a manifest can be used again");
        }
        let faults = self.book.faults().count();
        self.tally
            .manifest_faults
            .set(i64::try_from(faults).unwrap_or(i64::MAX));
        if turned.changed {
            self.follow(&path);
        }
    }

    fn unreadable(&mut self, fault: String) {
        if self.directory_fault.as_ref() != Some(&fault) {
            tracing::warn!("{fault}; what is in force stays");
        }
        self.directory_fault = Some(fault);
    }

    /// Follows the manifests that are in force.
    fn follow(&mut self, directory: &std::path::Path) {
        let mut wishes = BTreeMap::new();
        let mut jobs = BTreeMap::new();
        let mut schedules = BTreeMap::new();
        for (file, manifest) in self.book.manifests() {
            let base = directory.to_owned();
            match manifest {
                Manifest::App(app) => {
                    let app = (**app).clone();
                    let manifest = base.join(file);
                    let wish = Wish { app, base, manifest };
                    wishes.insert(wish.app.metadata.name.clone(), (file.to_owned(), wish));
                }
                Manifest::Job(job) => {
                    let which = match job.spec.schedule {
                        Some(_) => &mut schedules,
                        None => &mut jobs,
                    };
                    let job = (file.to_owned(), (**job).clone(), base);
                    which.insert(job.1.metadata.name.clone(), job);
                }
            }
        }
        self.follow_apps(wishes);
        self.follow_jobs(jobs);
        self.follow_schedules(schedules);
    }

    /// What is wrong with the manifests, one sentence each.
    pub(super) fn faults(&self) -> Vec<String> {
        let files = self.book.faults().map(|(_, fault)| fault.to_owned());
        self.directory_fault.iter().cloned().chain(files).collect()
    }

    fn look_at_sources(&mut self) {
        if self.is_looking {
            self.sources_at = Instant::now() + SOURCES.0;
            return;
        }
        self.is_looking = true;
        // Set again when it is known how long it took.
        self.sources_at = Instant::now() + SOURCES.1 * 60;
        let looks = self.looks();
        let (news, server) = (self.news.clone(), self.server.clone());
        tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let stamps = looks.into_iter().map(|(name, look)| (name, look.stamp(&server)));
            let stamps = stamps.collect();
            drop(news.send(News::Sources(stamps, began.elapsed())));
        });
    }

    fn sources(&mut self, stamps: Vec<(String, Option<Stamp>)>, took: Duration) {
        self.is_looking = false;
        // At most a hundredth of a processor goes there.
        self.sources_at = Instant::now() + (took * 100).clamp(SOURCES.0, SOURCES.1);
        for (name, stamp) in stamps {
            self.source_seen(&name, stamp);
        }
    }
}

async fn changed(watch: Option<&Watch>, at_last: Instant) -> bool {
    match watch {
        Some(watch) => watch.changed(at_last).await,
        None => {
            tokio::time::sleep_until(at_last).await;
            false
        }
    }
}
