//! One process of an application, from its record to its end. Runs on a thread of its own: everything here may block.

use std::os::fd::AsFd;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::doors::Doors;
use super::elsewhere;
use super::ended::{self, Course, Late, Verdict};
use super::fleet::Tools;
use super::output::BoundedLog;
use super::source::Source;
use super::stop::Stop;
use crate::apps::{AccountName, AppId, EndCause, Failure, ProcessId};
use crate::data::{self, JobDir, JobRecord, JobState, Workspace, layout};
use crate::hub::FleetEvent;
use crate::local::error::LocalError;
use crate::local::launcher::{LaunchError, Streams};
use crate::local::{met, process, secrets};
use crate::plan::ProcessPlan;
use crate::reason::Reason;
use crate::sandbox::{self, Place, SandboxSpec};
use crate::telemetry::starts::Start;

/// Where the time of a start goes.
#[derive(Debug)]
struct Stages {
    began: Instant,
    last: Instant,
    /// Planned, made, launched, ready: each after the one before.
    spent: Vec<(&'static str, Duration)>,
}

impl Stages {
    fn begin() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            last: now,
            spent: Vec::new(),
        }
    }

    fn done(&mut self, stage: &'static str) {
        let now = Instant::now();
        self.spent.push((stage, now - self.last));
        self.last = now;
    }
}

/// Runs a process. What failed is given back for the hub, and none where it was told to end and did.
pub(super) fn run(
    tools: &Tools,
    source: &Source,
    (pool, process): (&AppId, &ProcessId),
    stop: &Arc<Stop>,
) -> Option<Failure> {
    let mut life = Life {
        tools,
        source,
        pool,
        process,
        stop,
        stages: Stages::begin(),
    };
    tools.tally.starts.inc();
    let begun = life.begin();
    let (record, course) = match begun {
        Ok(begun) => life.see_through(begun),
        Err(error) => (None, Course::NotStarted(error)),
    };
    if let Course::NotStarted(error) = &course {
        tracing::error!(app = %pool, %process, %error, "a process could not be started");
    }
    let late = stop.late();
    let verdict = ended::judge(process, &course, stop.cause(), late.as_ref());
    life.close(record, &verdict);
    life.tell(&verdict);
    verdict.failure
}

/// Ends a process. Where one that was not ready in time listens instead is found out first.
pub(super) fn end(stop: &Arc<Stop>, cause: EndCause, waited: Duration) {
    if cause != EndCause::NotReady {
        return stop.ask(cause);
    }
    let late = move |listens| Late {
        after: waited,
        listens,
    };
    stop.was_late(late(Vec::new()));
    let Some(helper) = stop.helper() else {
        return stop.ask(cause);
    };
    let own = stop.clone();
    let look = move || {
        own.was_late(late(elsewhere::listens(helper)));
        own.ask(cause);
    };
    if std::thread::Builder::new()
        .name("listens".to_owned())
        .spawn(look)
        .is_err()
    {
        stop.ask(cause);
    }
}

/// What is told where the system has no room for another thread.
pub(super) fn no_thread(process: &ProcessId) -> Failure {
    Failure {
        reason: Reason::SandboxUnavailable.name().to_owned(),
        message: "the server has no room for another process; end others, or raise its limit of threads"
            .to_owned(),
        process: Some(process.clone()),
        exit_code: None,
    }
}

struct Life<'a> {
    tools: &'a Tools,
    source: &'a Source,
    /// The application, or the pool of a visitor's account.
    pool: &'a AppId,
    process: &'a ProcessId,
    stop: &'a Arc<Stop>,
    stages: Stages,
}

/// A process that is about to be launched.
struct Begun {
    job: JobDir,
    record: JobRecord,
    plan: ProcessPlan,
}

impl Life<'_> {
    fn key(&self) -> &str {
        self.process.as_str()
    }

    /// Plans the process and begins its record.
    fn begin(&mut self) -> Result<Begun, LocalError> {
        let server = &self.tools.server;
        let account = self.pool.account();
        let visitor = account.as_ref().map(AccountName::user);
        let listings = &self.tools.listings;
        let plan = self.source.plan(server, self.key(), visitor, listings)?;
        self.stages.done("plan");
        let job = JobDir::make(
            &server.data,
            &self.source.base.content,
            self.key(),
            process::owner(&plan.identity),
        )?;
        let record = JobRecord {
            name: self.source.app.to_string(),
            tag: self.source.base.facts.app_mode.kind().tag.to_owned(),
            bundle: self.source.base.bundle,
            variant: "default".to_owned(),
            rendering: None,
            started: Timestamp::now(),
            finished: None,
            state: JobState::Running,
            exit_code: None,
            reason: None,
            message: None,
        };
        // Not waited for: a record that a crash of the machine takes away is one of a process that went with it.
        job.note(layout::JOB_RECORD, &record)?;
        Ok(Begun { job, record, plan })
    }

    /// Launches the process and waits for its end.
    fn see_through(&mut self, begun: Begun) -> (Option<(JobDir, JobRecord)>, Course) {
        let Begun { job, record, plan } = begun;
        let course = self.live(&job, &plan);
        let course = course.unwrap_or_else(Course::NotStarted);
        (Some((job, record)), course)
    }

    fn live(&mut self, job: &JobDir, plan: &ProcessPlan) -> Result<Course, LocalError> {
        let server = &self.tools.server;
        let secrets = secrets::resolve(&plan.env, server.settings.config_dir.as_deref())?;
        let inputs_dir = process::write_inputs(job, plan.purpose.process_name(), plan)?;
        let log = BoundedLog::make(job.path(), server.settings.applications.max_log_size)?;
        let place = Place {
            data_dir: server.data.root().to_owned(),
            runtime_dir: server.runtime_dir.clone(),
            inputs_dir,
            mode: server.form.mode,
            secrets,
        };
        let temp_dir = &server.settings.server.temp_dir;
        let workspace = Workspace::make(temp_dir, self.key(), process::owner(&plan.identity))?;
        let course = process::on_this_machine(sandbox::build(plan, &place))
            .map_err(LocalError::from)
            .and_then(|spec| self.launch(&spec, plan, &workspace, log));
        if let Err(error) = workspace.remove() {
            // The next server removes it.
            tracing::warn!(process = %self.process, %error, "the temporary directory of a process stays");
        }
        course
    }

    fn launch(
        &mut self,
        spec: &SandboxSpec,
        plan: &ProcessPlan,
        workspace: &Workspace,
        log: BoundedLog,
    ) -> Result<Course, LocalError> {
        let mut doors = Doors::make(&self.tools.sockets, self.key(), plan, workspace)?;
        self.stages.done("prepare");
        let (output, input) = std::io::pipe().map_err(LaunchError::Pass)?;
        let streams = Streams {
            stdin: Stdio::null(),
            stdout: Stdio::from(input.try_clone().map_err(LaunchError::Pass)?),
            stderr: Stdio::from(input),
        };
        let listener = doors.take_listener();
        let server = &self.tools.server;
        let launcher = match self.pool.account() {
            // With the visitor's own credentials, where they are kept (PM3).
            Some(_) => server.launcher_for_visitor(&plan.identity)?,
            None => server.launcher_for(&plan.identity),
        };
        let mut running = launcher.start_serving(spec, streams, listener.as_ref().map(AsFd::as_fd))?;
        drop(listener);
        self.stop.helper_is(running.helper_pid());
        let reader = std::thread::spawn(move || log.follow(output));
        let layers = running.wait_started()?;
        self.stages.done("launch");
        let was_ready = running.wait_ready()?;
        if was_ready {
            self.ready(&doors);
        }
        let ended = running.wait(layers)?;
        // All of the process is gone, and so its output has ended.
        let _ = reader.join();
        for told in met::all(&ended, &plan.limits) {
            tracing::warn!(process = %self.process, "{told}");
        }
        Ok(Course::Ran {
            ended,
            was_ready,
            limits: plan.limits.clone(),
        })
    }

    fn ready(&mut self, doors: &Doors) {
        self.stages.done("ready");
        let start = Start::of(&self.source.app, self.process);
        for (stage, spent) in &self.stages.spent {
            self.tools.tally.stage(stage, *spent);
            start.stage(stage, *spent);
        }
        let spent = |stage| {
            let of = self.stages.spent.iter().find(|(name, _)| *name == stage);
            of.map_or(0, |(_, spent)| spent.as_millis())
        };
        tracing::info!(
            app = %self.pool,
            process = %self.process,
            bundle = self.source.base.bundle,
            plan_ms = spent("plan"),
            prepare_ms = spent("prepare"),
            launch_ms = spent("launch"),
            ready_ms = spent("ready"),
            total_ms = self.stages.began.elapsed().as_millis(),
            "a process is ready"
        );
        self.tools.hub.tell(FleetEvent::Ready {
            app: self.pool.clone(),
            process: self.process.clone(),
            address: doors.address(),
        });
    }

    /// Ends the record, and removes records that are too many.
    fn close(&self, record: Option<(JobDir, JobRecord)>, verdict: &Verdict) {
        let Some((job, mut record)) = record else {
            return;
        };
        record.finished = Some(Timestamp::now());
        record.state = verdict.state;
        record.exit_code = verdict.exit_code;
        if let Some((reason, message)) = &verdict.because {
            record.reason = Some(reason.name().to_owned());
            record.message = Some(message.clone());
        }
        let server = &self.tools.server;
        let kept = job.write_record(&record);
        job.close();
        let jobs = &server.settings.jobs;
        let retained = data::retain_jobs(
            &server.data,
            &self.source.base.content,
            jobs.max_completed,
            jobs.oldest_completed_seconds,
            Timestamp::now(),
        );
        if let Err(error) = kept.and_then(|()| retained.map(drop)) {
            tracing::warn!(process = %self.process, %error, "records of processes can not be kept in order");
        }
    }

    fn tell(&self, verdict: &Verdict) {
        let (app, process) = (self.pool, self.process);
        let lasted = self.stages.began.elapsed().as_secs();
        match &verdict.because {
            Some((reason, message)) => {
                self.tools.tally.failed(*reason);
                tracing::warn!(%app, %process, reason = reason.name(), lasted, "{message}");
            }
            None => tracing::info!(%app, %process, cause = ?self.stop.cause(), lasted, "a process was ended"),
        }
    }
}
