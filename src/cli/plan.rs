//! `offhost plan`: everything a job will do, without doing it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::args::{JobArgs, PlanArgs, PlanFormat, PlanMode};
use super::failure::{Because, Failure};
use super::plan_pods::{self, PodJob};
use super::printer;
use crate::api::job::ContentJobSpec;
use crate::content::BundleFacts;
use crate::content::kinds::Served;
use crate::data::{ContentId, DataDir, Store};
use crate::gather::{self, Ids};
use crate::local::deploy;
use crate::local::error::LocalError;
use crate::names::CONTENT_PREFIX;
use crate::plan::{self, EnvValue, Mode, Plan, ServeTask, Task};
use crate::reason::Reason;
use crate::runtimes::{self, Runtimes};
use crate::settings::{Loaded, Settings, without_password};

/// Stands for the key of a job, which only a run has.
const JOB: &str = "JOB";

pub(super) fn run(config: Option<PathBuf>, args: &PlanArgs) -> Result<u8, Failure> {
    let loaded = super::settings::loaded(config)?;
    let mode = match args.mode {
        PlanMode::Local => Mode::Local,
        PlanMode::Pod => Mode::Pod,
    };
    let settings = &loaded.settings;
    if args.output == PlanFormat::Pod && mode == Mode::Local {
        let message = "a job of this machine has no Pods; give --mode pod, or another form with -o";
        return Err(Failure::new(Reason::InvalidInput, message));
    }
    let runtimes = runtimes_of(mode, settings, args.runtimes.as_deref())?;
    let mut task = task(mode, &loaded, &args.job)?;
    if args.output == PlanFormat::Pod {
        task.job_key = plan_pods::key();
    }
    let accounts =
        gather::accounts(Mode::Local, settings, task.spec.run_as.as_deref()).map_err(LocalError::from)?;
    let plan = plan::plan(&task, settings, &runtimes, &accounts).map_err(LocalError::from)?;
    let plan = without_passwords(plan, settings);
    match args.output {
        PlanFormat::Json => printer::json(&plan),
        PlanFormat::Yaml => printer::line(yaml(&plan)?),
        PlanFormat::Pod => {
            let metadata = deploy::metadata(&args.job.target)?;
            let (name, labels) = metadata.map_or_else(
                || (task.content.clone(), BTreeMap::new()),
                |metadata| (metadata.name, metadata.labels),
            );
            let job = PodJob {
                name,
                labels,
                spec: &task.spec,
                settings,
            };
            return plan_pods::print(&plan, &job);
        }
    }
    Ok(0)
}

/// The plan without the passwords in addresses: what is printed may be sent to somebody, or kept in a log.
fn without_passwords(mut plan: Plan, settings: &Settings) -> Plan {
    for process in &mut plan.processes {
        for value in process.env.values_mut() {
            if let EnvValue::Value(text) = value {
                *text = without_password(text);
            }
        }
        for input in &mut process.inputs {
            for repository in &settings.r_repositories {
                input.text = input
                    .text
                    .replace(&repository.url, &without_password(&repository.url));
            }
        }
    }
    plan
}

/// The plan as YAML under a line that says what it is.
fn yaml(plan: &Plan) -> Result<String, Failure> {
    let place = match plan.mode {
        Mode::Local => "in the sandbox of this machine",
        Mode::Pod => "as Pods",
    };
    let count = match plan.processes.len() {
        0 => "no process".to_owned(),
        1 => "1 process".to_owned(),
        count => format!("{count} processes, one after the other"),
    };
    // A writer that quotes what other readers would take for numbers or booleans. A path stays on its line, however long.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let text = serde_saphyr::to_string_with_options(plan, options).because(Reason::InvalidInput)?;
    Ok(format!(
        "# {count} {place}. {JOB} stands for the key that a run gets.\n{}",
        text.trim_end()
    ))
}

/// The candidates of a mode: this machine's interpreters, or the images of a file.
pub(super) fn runtimes_of(mode: Mode, settings: &Settings, file: Option<&Path>) -> Result<Runtimes, Failure> {
    if mode == Mode::Local && file.is_none() {
        return Ok(runtimes::discover(settings).map_err(LocalError::from)?.runtimes);
    }
    let here = Path::new("runtimes.yaml");
    let file = file
        .or(settings.runtimes_file.as_deref())
        .or_else(|| here.is_file().then_some(here));
    let Some(file) = file else {
        let message =
            "no images are known; give a file with --runtimes or set ExecutionEnvironments.ConfigFilePath";
        return Err(Failure::new(Reason::RuntimeNotFound, message));
    };
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{}: {error}; name a file that can be read", file.display()))
        .because(Reason::InvalidInput)?;
    Ok(runtimes::parse(&text, &file.display().to_string()).map_err(LocalError::from)?)
}

/// The task of a job, without deploying anything. Places that only a run gives names to have stand-ins.
pub(super) fn task(mode: Mode, loaded: &Loaded, args: &JobArgs) -> Result<Task, Failure> {
    let mut request = super::run::request(args)?;
    let data_dir = &loaded.settings.server.data_dir;
    // A plan for Pods needs no data directory; a local one looks into it if there is one.
    let data = (mode == Mode::Local)
        .then(|| DataDir::open(data_dir).ok())
        .flatten();
    let (content, bundle, facts) = match &request.spec.bundle.path {
        Some(path) => {
            let opened = deploy::open(&request, path, || Ok(std::env::temp_dir()))?;
            let facts = deploy::facts(&opened.tree, &request.spec)?;
            (
                deploy::content_id(&request.spec, &opened.source)?.to_string(),
                "1".to_owned(),
                facts,
            )
        }
        None => deployed(data.as_ref(), &request)?,
    };
    let content_image = match (&data, ContentId::parse(&content)) {
        // What was never deployed has no defaults.
        (Some(data), Ok(id)) => {
            deploy::take_defaults(&Store::new(data), &id, &mut request.spec).unwrap_or_default()
        }
        _ => None,
    };
    let ids = Ids {
        content,
        bundle,
        job_key: JOB.to_owned(),
        rendering: "1".to_owned(),
        content_image,
    };
    let serve = request
        .serve
        .or_else(|| served(&request.spec, &facts, &ids.content));
    let root = data.as_ref().map(DataDir::root);
    Ok(Task {
        serve,
        ..gather::task(mode, ids, request.spec, facts, root)
    })
}

/// Where an application is served that only its bundle speaks of: a job can do other things with it, but has to say so.
fn served(spec: &ContentJobSpec, facts: &BundleFacts, content: &str) -> Option<ServeTask> {
    let only_bundle = spec.task.is_none() && spec.command.is_empty();
    let serves = facts.app_mode.served() == Some(Served::Process);
    let prefix = format!("{CONTENT_PREFIX}/{content}");
    (only_bundle && serves).then(|| ServeTask::at(prefix))
}

/// A bundle that is deployed already.
fn deployed(
    data: Option<&DataDir>,
    request: &deploy::Request,
) -> Result<(String, String, crate::content::BundleFacts), Failure> {
    let Some(data) = data else {
        let message = "the job names no bundle by path, and there is no data directory to look for it in; set spec.bundle.path";
        return Err(Failure::new(Reason::InvalidInput, message));
    };
    let store = Store::new(data);
    let (content, bundle) = crate::local::job::existing(&store, request)?;
    let in_use = store.use_bundle(&content, bundle).map_err(LocalError::from)?;
    let facts = deploy::facts(in_use.path(), &request.spec)?;
    Ok((content.to_string(), bundle.to_string(), facts))
}
