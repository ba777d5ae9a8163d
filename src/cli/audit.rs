//! `offhost audit`: what a job can see, reach and write here, and which promises are kept.

use std::path::PathBuf;

use super::args::Format;
use super::failure::Failure;
use super::printer;
use crate::audit::{Finding, Remark, Report, Role, Verdict};
use crate::local::audit;

pub(super) fn run(config: Option<PathBuf>, format: Format) -> Result<u8, Failure> {
    let loaded = super::settings::loaded(config)?;
    let report = audit::examine(loaded).map_err(|error| Failure::new(error.reason(), error))?;
    if format == Format::Json {
        printer::json(&report);
    } else {
        print(&report);
    }
    Ok(u8::from(report.score.not_kept > 0))
}

fn print(report: &Report) {
    printer::line(format!("sandbox {}: {}", report.form, report.layers.join(", ")));
    for reason in &report.declined {
        printer::line(format!("not used, {reason}"));
    }
    printer::line("");
    for finding in &report.findings {
        print_finding(finding);
    }
    printer::line("");
    for remark in &report.remarks {
        print_remark(remark);
    }
    let score = report.score;
    printer::line("");
    printer::line(format!(
        "{} promises kept, {} not kept, {} not tried.",
        score.kept, score.not_kept, score.not_tried
    ));
}

fn print_finding(finding: &Finding) {
    let word = match finding.verdict {
        Verdict::Kept => "kept",
        Verdict::NotKept => "NOT KEPT",
        Verdict::NotTried => "not tried",
    };
    let of = of_roles(&finding.roles);
    printer::line(format!("{word:<9} {:<17} {}{of}", finding.promise, finding.found));
    if finding.verdict == Verdict::NotKept {
        remedy(finding.setting, finding.remedy.as_deref());
    }
}

fn print_remark(remark: &Remark) {
    let of = of_roles(&remark.roles);
    printer::line(format!("{:<9} {:<17} {}{of}", "note", remark.about, remark.found));
    remedy(remark.setting, remark.remedy.as_deref());
}

/// Which processes it holds for, where not for all of them.
fn of_roles(roles: &[Role]) -> String {
    match roles.len() {
        3 => String::new(),
        _ => {
            let words: Vec<&str> = roles.iter().map(|role| role.word()).collect();
            format!(" ({})", words.join(", "))
        }
    }
}

fn remedy(setting: Option<&str>, remedy: Option<&str>) {
    let Some(remedy) = remedy else { return };
    let setting = setting.map_or_else(String::new, |setting| format!("{setting}: "));
    printer::line(format!("{:<27} → {setting}{remedy}", ""));
}
