//! One job from request to result: deploy, plan, install, run, finish, activate, clean up.

use std::path::PathBuf;

use jiff::Timestamp;

use super::deploy::{self, Request};
use super::error::LocalError;
use super::install::{self, Installed};
use super::process::Private;
use super::server::Server;
use super::watcher::Watcher;
use super::{task, trust};
use crate::api::job::{ContentJobSpec, TaskKind};
use crate::content::BundleFacts;
use crate::data::{
    self, BundleUse, ContentId, JobDir, JobRecord, JobState, Rendering, Renders, Store, Variant, new_key,
};
use crate::gather::{self, Ids};
use crate::plan::{self, Mode, Plan, ProcessPlan, Purpose};

/// What a job came to.
#[derive(Debug)]
pub struct Outcome {
    /// The content item.
    pub content: ContentId,
    /// The job.
    pub key: String,
    /// The result's main file or directory, or the environment that was installed; none for a command.
    pub path: Option<PathBuf>,
}

/// A job whose bundle is deployed and in use.
pub(super) struct Job<'a> {
    pub(super) server: &'a Server,
    pub(super) watcher: &'a dyn Watcher,
    pub(super) content: ContentId,
    pub(super) bundle: u64,
    pub(super) facts: BundleFacts,
    pub(super) request: Request,
    pub(super) key: String,
    pub(super) variant: Variant,
    pub(super) private: Option<Private>,
    content_image: Option<String>,
    _in_use: BundleUse,
}

/// Runs a job. Whatever fails and whenever, what is served stays what it was.
///
/// # Errors
/// Why it did not succeed, in one sentence.
pub fn run(server: &Server, request: Request, watcher: &dyn Watcher) -> Result<Outcome, LocalError> {
    run_prepared(prepare(server, request, watcher)?)
}

/// As [`run`], for what only one visitor has asked for: nothing of what was answered stays but the result.
///
/// # Errors
/// As for [`run`].
pub fn run_private(
    server: &Server,
    request: Request,
    private: Private,
    watcher: &dyn Watcher,
) -> Result<Outcome, LocalError> {
    let job = prepare(server, request, watcher)?;
    run_prepared(Job {
        private: Some(private),
        ..job
    })
}

fn run_prepared(job: Job<'_>) -> Result<Outcome, LocalError> {
    let answer = run_recorded(&job);
    job.note();
    let (key, path) = (job.key, answer?);
    Ok(Outcome {
        content: job.content,
        key,
        path,
    })
}

/// Gives the path of what it made.
fn run_recorded(job: &Job<'_>) -> Result<Option<PathBuf>, LocalError> {
    let server = job.server;
    // Once before anything is made: what the plan refuses leaves no trace.
    let kind = job.kind()?;
    server.state.make()?;
    job.watcher.begins(job.content.as_str(), &job.key)?;
    let directory = JobDir::make(
        &server.data,
        &job.content,
        &job.key,
        super::process::owner(&server.run_as),
    )?;
    let tag = crate::content::kinds::job_tag(kind, &job.facts);
    let mut record = JobRecord {
        name: job.request.name.clone(),
        tag: tag.to_owned(),
        bundle: job.bundle,
        variant: job.variant.to_string(),
        rendering: None,
        started: Timestamp::now(),
        finished: None,
        state: JobState::Running,
        exit_code: None,
        reason: None,
        message: None,
    };
    directory.write_record(&record)?;
    server.state.put_job(job.content.as_str(), &job.key, &record)?;
    job.note();
    let answer = job.execute(&directory, kind, &mut record);
    record.finished = Some(Timestamp::now());
    match &answer {
        Ok(_) => (record.state, record.exit_code) = (JobState::Succeeded, Some(0)),
        Err(error) => {
            record.state = JobState::Failed;
            record.exit_code = error.process_code();
            record.reason = Some(error.reason().name().to_owned());
            record.message = Some(error.to_string());
        }
    }
    let kept = directory.write_record(&record).map(|()| directory.close());
    if let Err(error) = server.state.put_job(job.content.as_str(), &job.key, &record) {
        // Its record in the data directory is right, and is taken over when it is next looked at.
        job.watcher.done(&format!("note: {error}"));
    }
    // What the job itself failed of comes first. The next sweep closes a record that could not be.
    let path = answer?;
    kept?;
    job.retain()?;
    Ok(path)
}

/// Deploys the bundle if the request names one by path, and marks it as in use.
fn prepare<'a>(
    server: &'a Server,
    mut request: Request,
    watcher: &'a dyn Watcher,
) -> Result<Job<'a>, LocalError> {
    let store = Store::new(&server.data);
    let (content, bundle) = match request.spec.bundle.path.clone() {
        Some(path) => {
            let opened = deploy::open(&request, &path, || Ok(server.data.ensure("apps")?))?;
            // Nothing is deployed that could not be used: what is in force stays in force.
            let facts = deploy::facts(&opened.tree, &request.spec)?;
            let content = deploy::content_id(&request.spec, &opened.source)?;
            let mut spec = request.spec.clone();
            // What was never deployed has no defaults.
            let content_image = deploy::take_defaults(&store, &content, &mut spec).unwrap_or_default();
            trust::check(request.manifest.as_deref(), &spec)?;
            if !only_deploys(&request.spec) {
                refuse_early(server, &content, &spec, facts, content_image)?;
            }
            let bundle = deploy::deploy(&server.data, &content, request.spec.content.is_some(), &opened)?;
            (content, bundle)
        }
        None => existing(&store, &request)?,
    };
    watcher.done(&format!("content {content}, bundle {bundle}"));
    let content_image = deploy::take_defaults(&store, &content, &mut request.spec)?;
    trust::check(request.manifest.as_deref(), &request.spec)?;
    let in_use = store.use_bundle(&content, bundle)?;
    let facts = deploy::facts(in_use.path(), &request.spec)?;
    let variant = Variant::parse(request.spec.variant.as_deref().unwrap_or("default"))?;
    let key = new_key();
    Ok(Job {
        server,
        watcher,
        content,
        bundle,
        facts,
        request,
        key,
        variant,
        private: None,
        content_image,
        _in_use: in_use,
    })
}

/// Plans a job whose bundle is not deployed yet, with stand-ins for what only a deployed one has.
fn refuse_early(
    server: &Server,
    content: &ContentId,
    spec: &ContentJobSpec,
    facts: BundleFacts,
    content_image: Option<String>,
) -> Result<(), LocalError> {
    let ids = Ids {
        content: content.to_string(),
        bundle: "1".to_owned(),
        job_key: "JOB".to_owned(),
        rendering: "1".to_owned(),
        content_image,
    };
    plan_of(server, spec, facts, ids).map(|_| ())
}

/// The bundle that a request names by content item and number.
pub(crate) fn existing(store: &Store<'_>, request: &Request) -> Result<(ContentId, u64), LocalError> {
    if request.spec.bundle.archive.is_some() {
        return Err(LocalError::Upload);
    }
    let name = request.spec.content.clone().unwrap_or_default();
    let content = ContentId::parse(&name)?;
    let bundle = match &request.spec.bundle.id {
        Some(id) => crate::data::layout::parse_number(id).ok_or_else(|| LocalError::Target {
            path: PathBuf::from(id),
            problem: "is not the number of a bundle; see offhost content list".to_owned(),
        })?,
        None => store.active(&content)?.ok_or(LocalError::NoBundle(name))?,
    };
    Ok((content, bundle))
}

/// The plan of a job on this machine.
fn plan_of(server: &Server, spec: &ContentJobSpec, facts: BundleFacts, ids: Ids) -> Result<Plan, LocalError> {
    let settings = &server.settings;
    let accounts = gather::accounts(Mode::Local, settings, spec.run_as.as_deref())?;
    let task = gather::task(Mode::Local, ids, spec.clone(), facts, Some(server.data.root()));
    Ok(plan::plan(
        &task,
        settings,
        &server.discovered.runtimes,
        &accounts,
    )?)
}

/// Whether nothing is run: then nothing has to be there to run it.
fn only_deploys(spec: &ContentJobSpec) -> bool {
    spec.task == Some(TaskKind::Deploy)
}

/// What a plan does beside installing.
fn kind_of(plan: &Plan) -> TaskKind {
    let task = plan.processes.iter().find_map(|process| match process.purpose {
        Purpose::Task(kind) => Some(kind),
        Purpose::Install(_) | Purpose::Serve | Purpose::Build => None,
    });
    task.unwrap_or(TaskKind::Install)
}

impl Job<'_> {
    /// The plan, for a result of this number.
    pub(super) fn plan(&self, rendering: &str) -> Result<Plan, LocalError> {
        let ids = Ids {
            content: self.content.to_string(),
            bundle: self.bundle.to_string(),
            job_key: self.key.clone(),
            rendering: rendering.to_owned(),
            content_image: self.content_image.clone(),
        };
        plan_of(self.server, &self.request.spec, self.facts.clone(), ids)
    }

    /// What is to be done. What the plan refuses is refused here.
    fn kind(&self) -> Result<TaskKind, LocalError> {
        if only_deploys(&self.request.spec) {
            return Ok(TaskKind::Deploy);
        }
        Ok(kind_of(&self.plan("1")?))
    }

    pub(super) fn renders(&self) -> Renders<'_> {
        Renders::new(&self.server.data, self.content.clone(), self.variant.clone())
    }

    /// Installs what is missing, then does the task. Gives the path of what it made.
    fn execute(
        &self,
        directory: &JobDir,
        kind: TaskKind,
        record: &mut JobRecord,
    ) -> Result<Option<PathBuf>, LocalError> {
        if kind == TaskKind::Deploy {
            let bundle = data::layout::bundle(&self.content, self.bundle);
            return Ok(Some(self.server.data.path(bundle)));
        }
        let renders = matches!(kind, TaskKind::Render | TaskKind::RenderSite);
        let rendering = renders.then(|| self.renders().begin(None)).transpose()?;
        let number = rendering
            .as_ref()
            .map_or_else(|| "1".to_owned(), |rendering| rendering.number().to_string());
        record.rendering = renders.then(|| number.clone());
        let (plan, last) = match self.install_missing(directory, &number, record) {
            Ok(installed) => installed,
            Err(error) => {
                self.discard(rendering);
                return Err(error);
            }
        };
        let task = plan.processes.iter().find_map(|process| match process.purpose {
            Purpose::Task(kind) => Some((process, kind)),
            Purpose::Install(_) | Purpose::Serve | Purpose::Build => None,
        });
        match task {
            Some((process, kind)) => task::run(self, directory, process, kind, rendering),
            None => Ok(last),
        }
    }

    /// The plan, once every package that it needs is installed, and the path of what was installed last.
    fn install_missing(
        &self,
        directory: &JobDir,
        number: &str,
        record: &JobRecord,
    ) -> Result<(Plan, Option<PathBuf>), LocalError> {
        directory.write_record(record)?;
        let plan = self.plan(number)?;
        for note in &plan.notes {
            self.watcher.done(&format!("note: {note}"));
        }
        let mut last = None;
        for process in &plan.processes {
            last = self.process(directory, process)?.or(last);
        }
        Ok((plan, last))
    }

    /// Removes a result that is not to be. The failure before is the cause; a sweep removes what this can not.
    pub(super) fn discard(&self, rendering: Option<Rendering>) {
        if let Some(rendering) = rendering {
            drop(self.renders().discard(rendering));
        }
    }

    /// Runs one installation; a task is run by the caller, who holds its result.
    fn process(&self, directory: &JobDir, process: &ProcessPlan) -> Result<Option<PathBuf>, LocalError> {
        if super::signals::stop_asked() {
            return Err(LocalError::Stopped);
        }
        let Purpose::Install(key) = &process.purpose else {
            return Ok(None);
        };
        let what = key.language.label();
        self.watcher.step(&format!("installing {what} packages"));
        self.watcher.pause();
        let on_wait = || {
            self.watcher.step(&format!(
                "waiting for another job that installs the same {what} packages"
            ))
        };
        let done = install::run(self.server, directory, process, key, on_wait)?;
        self.watcher.done(&match done {
            Installed::Now => format!("{what} packages installed in {}", key.path),
            Installed::Meanwhile => format!("{what} packages were installed by another job, in {}", key.path),
        });
        Ok(Some(self.server.data.path(&key.path)))
    }
}
