//! `offhost doctor`: whether this machine or a cluster is ready, check by check, each with what to do.

use std::path::PathBuf;

use serde::Serialize;

use super::args::{DoctorArgs, Format};
use super::failure::Failure;
use super::{cluster, plan, printer};
use crate::check::{Check, Status};
use crate::cluster::client::{Connect, connect};
use crate::cluster::doctor::{Subject, examine, examine_publisher};
use crate::cluster::error::ClusterError;
use crate::local::doctor;
use crate::plan::Mode;

pub(super) fn run(config: Option<PathBuf>, args: &DoctorArgs) -> Result<u8, Failure> {
    let (what, checks) = if args.cluster {
        ("This cluster", of_cluster(config, args)?)
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
    let runtimes = plan::runtimes_of(Mode::Pod, &loaded.settings, None).map_err(|failure| failure.message);
    cluster::block_on(async {
        let connection = connect(&connect_to).await.map_err(ClusterError::from)?;
        if args.as_user {
            return Ok(examine_publisher(&connection).await);
        }
        let subject = Subject {
            loaded: &loaded,
            runtimes,
        };
        Ok(examine(&connection, &subject).await)
    })
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
