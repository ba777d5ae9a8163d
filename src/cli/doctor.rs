//! `offhost doctor`: whether this machine is ready, check by check, each with what to do.

use std::path::PathBuf;

use serde::Serialize;

use super::args::{DoctorArgs, Format};
use super::failure::Failure;
use super::printer;
use crate::local::doctor::{self, Check, Status};

pub(super) fn run(config: Option<PathBuf>, args: &DoctorArgs) -> Result<u8, Failure> {
    let format = args.output.output;
    let loaded = super::settings::loaded(config)?;
    let checks = doctor::examine(&loaded);
    let failed = checks.iter().filter(|check| check.status == Status::Fail).count();
    if format == Format::Json {
        #[derive(Serialize)]
        struct Report<'a> {
            ready: bool,
            checks: &'a [Check],
        }
        printer::json(&Report {
            ready: failed == 0,
            checks: &checks,
        });
    } else {
        for check in &checks {
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
            0 => "This machine is ready.".to_owned(),
            1 => "1 check failed.".to_owned(),
            count => format!("{count} checks failed."),
        });
    }
    Ok(u8::from(failed > 0))
}
