//! `offhost plan`: everything a job will do, without doing it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{JobArgs, PlanArgs, PlanFormat, PlanMode};
use super::failure::{Because, Failure};
use super::printer;
use crate::data::{ContentId, DataDir, Store};
use crate::local::deploy;
use crate::local::error::LocalError;
use crate::local::gather::{self, Ids};
use crate::local::server::gather_accounts;
use crate::plan::{self, Mode, Plan, Task};
use crate::reason::Reason;
use crate::runtimes::{self, Runtimes};
use crate::settings::{Loaded, Settings};

/// What a plan prints: the decisions, and in local mode what the sandbox is told.
#[derive(Serialize)]
struct Printed<'a> {
    plan: &'a Plan,
}

pub(super) fn run(config: Option<PathBuf>, args: &PlanArgs) -> Result<u8, Failure> {
    let loaded = super::settings::loaded(config)?;
    let mode = match args.mode {
        PlanMode::Local => Mode::Local,
        PlanMode::Pod => Mode::Pod,
    };
    let settings = &loaded.settings;
    let runtimes = runtimes_of(mode, settings, args.runtimes.as_deref())?;
    let task = task(mode, &loaded, &args.job)?;
    let accounts = gather_accounts(settings, task.spec.run_as.as_deref())?;
    let plan = plan::plan(&task, settings, &runtimes, &accounts).map_err(LocalError::from)?;
    let printed = Printed { plan: &plan };
    match args.output {
        PlanFormat::Json => printer::json(&printed.plan),
        PlanFormat::Yaml => {
            // A writer that quotes what other readers would take for numbers or booleans.
            let text = serde_saphyr::to_string(&printed.plan).because(Reason::InvalidInput)?;
            printer::line(text.trim_end());
        }
    }
    Ok(0)
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
    let unpack_in = std::env::temp_dir();
    let (content, bundle, facts) = match &request.spec.bundle.path {
        Some(path) => {
            let opened = deploy::open(&request, path, &unpack_in)?;
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
        job_key: "JOB".to_owned(),
        rendering: "1".to_owned(),
        content_image,
    };
    Ok(gather::task(
        mode,
        ids,
        request.spec,
        facts,
        data.as_ref().map(DataDir::root),
    ))
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
