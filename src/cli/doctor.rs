//! `offhost doctor`: whether this machine or a cluster is ready, check by check, each with what to do.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::args::{DoctorArgs, Format};
use super::failure::{Because, Failure};
use super::{cluster, plan, printer};
use crate::check::{Check, Status};
use crate::cluster::client::{Connect, connect};
use crate::cluster::doctor::{Subject, examine, examine_publisher};
use crate::cluster::doctor_config::{Installed, installed};
use crate::cluster::error::ClusterError;
use crate::local::doctor;
use crate::plan::Mode;
use crate::reason::Reason;
use crate::runtimes::{self, Runtimes};
use crate::settings::{LoadOptions, Loaded, Settings, load};

const NO_RUNTIMES: &str = "ExecutionEnvironments.ConfigFilePath is not set, so that no image is known; name the file with the images";

pub(super) fn run(config: Option<PathBuf>, args: &DoctorArgs) -> Result<u8, Failure> {
    let (what, checks) = if args.cluster {
        ("This cluster", of_cluster(config, args)?)
    } else if args.builder {
        let checks = super::build::checks(config, args.builders.as_deref())?;
        ("This builder", checks)
    } else {
        let loaded = super::settings::loaded(config)?;
        ("This machine", doctor::examine(&loaded))
    };
    Ok(print(what, &checks, args.output.output))
}

fn of_cluster(config: Option<PathBuf>, args: &DoctorArgs) -> Result<Vec<Check>, Failure> {
    let connect_to = Connect {
        context: args.context.clone(),
        namespace: args.namespace.clone(),
    };
    let loaded = super::settings::loaded(config)?;
    cluster::block_on(async {
        let connection = connect(&connect_to).await.map_err(ClusterError::from)?;
        if args.as_user {
            return Ok(examine_publisher(&connection).await);
        }
        let installed = match &loaded.config_file {
            Some(_) => None,
            // From elsewhere: what the chart has installed.
            None => installed(&connection).await,
        };
        let (loaded, place, runtimes) = match installed {
            Some(installed) => of_chart(&installed)?,
            None => {
                let place = loaded.config_file.as_ref().map(|file| file.display().to_string());
                let runtimes = of_file(&loaded.settings);
                (loaded, place, runtimes)
            }
        };
        let subject = Subject {
            settings: &loaded.settings,
            place,
            service_account: args.service_account.clone(),
            runtimes,
        };
        Ok(examine(&connection, &subject).await)
    })
}

/// Settings, where they were read, and the images.
type Read = (Loaded, Option<String>, Result<Runtimes, String>);

/// The configuration of the chart, read as the controller reads it.
fn of_chart(installed: &Installed) -> Result<Read, Failure> {
    let directory = tempfile::tempdir().because(Reason::DataUnavailable)?;
    let file = directory.path().join("rstudio-connect.gcfg");
    std::fs::write(&file, &installed.gcfg).because(Reason::DataUnavailable)?;
    let options = LoadOptions {
        config: Some(file),
        env: BTreeMap::new(),
        ordinary_user: None,
    };
    let loaded = load(options).map_err(|error| format!("{}: {error}", installed.place));
    let runtimes = match &installed.runtimes {
        Some(text) => runtimes::parse(text, "runtimes.yaml").map_err(|error| error.to_string()),
        None => Err(NO_RUNTIMES.to_owned()),
    };
    Ok((
        loaded.because(Reason::InvalidInput)?,
        Some(installed.place.clone()),
        runtimes,
    ))
}

/// The images of the settings' own file, and of no other that happens to lie here.
fn of_file(settings: &Settings) -> Result<Runtimes, String> {
    let file = settings.runtimes_file.as_deref().ok_or(NO_RUNTIMES)?;
    plan::runtimes_of(Mode::Pod, settings, Some(file)).map_err(|failure| failure.message)
}

fn print(what: &str, checks: &[Check], format: Format) -> u8 {
    let failed = checks.iter().filter(|check| check.status == Status::Fail).count();
    if format == Format::Json {
        #[derive(Serialize)]
        struct Report<'a> {
            ready: bool,
            checks: &'a [Check],
        }
        printer::json(&Report {
            ready: failed == 0,
            checks,
        });
    } else {
        for check in checks {
            printer::line(format!(
                "{:<5} {:<18} {}",
                check.status.word(),
                check.name,
                check.found
            ));
            if let Some(remedy) = &check.remedy {
                printer::line(format!("{:<24} → {remedy}", ""));
            }
        }
        printer::line(match failed {
            0 => format!("{what} is ready."),
            1 => "1 check failed.".to_owned(),
            count => format!("{count} checks failed."),
        });
    }
    u8::from(failed > 0)
}
