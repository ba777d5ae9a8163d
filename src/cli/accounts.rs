//! `offhost accounts`: as whom content could run, and why not.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;

use super::args::{Format, OutputArgs};
use super::failure::{Because, Failure};
use super::printer;
use crate::data::{DataDir, Store};
use crate::gather;
use crate::identity::NameService;
use crate::plan::{self, Mode, Standing};
use crate::reason::Reason;
use crate::settings::Settings;

/// Arguments of `accounts`.
#[derive(Debug, Args)]
#[command(
    after_help = "CONTENT says whether content may name the account in runAs; VISITOR whether applications may run as it \
    for the visitor who has it. What is refused is told why."
)]
pub struct AccountsArgs {
    /// Accounts to look at, by name or number; when none is given, those that settings and content items name and the
    /// members of the shared group
    #[arg(value_name = "ACCOUNT")]
    pub names: Vec<String>,
    /// How to print them
    #[command(flatten)]
    pub output: OutputArgs,
}

pub(super) fn run(config: Option<PathBuf>, args: AccountsArgs) -> Result<u8, Failure> {
    let loaded = super::settings::loaded(config)?;
    let settings = &loaded.settings;
    let names = match args.names {
        names if names.is_empty() => known(settings)?,
        names => names,
    };
    let accounts = gather::accounts(Mode::Local, settings, names.iter().map(String::as_str))
        .because(Reason::AccountRefused)?;
    let standing = |name: &String| plan::standing(name, settings, &accounts);
    let all: Vec<Standing> = names.iter().map(standing).collect();
    match args.output.output {
        Format::Json => printer::json(&all),
        Format::Text => table(&all),
    }
    Ok(0)
}

/// The accounts that somebody may want to know of: no name service tells all that there are.
fn known(settings: &Settings) -> Result<Vec<String>, Failure> {
    let applications = &settings.applications;
    let service = NameService::default();
    let group = match &applications.shared_run_as_unix_group {
        Some(name) => service.group(name).because(Reason::AccountRefused)?,
        None => {
            let default = service
                .user(&applications.run_as)
                .because(Reason::AccountRefused)?;
            let group = default.map(|default| service.group_of(default.gid));
            group.transpose().because(Reason::AccountRefused)?.flatten()
        }
    };
    let mut names = BTreeSet::from([applications.run_as.clone()]);
    names.extend(group.into_iter().flat_map(|group| group.members));
    names.extend(of_content(settings));
    Ok(names.into_iter().collect())
}

/// The accounts of content items, as far as they can be read.
fn of_content(settings: &Settings) -> Vec<String> {
    let Ok(data) = DataDir::open(&settings.server.data_dir) else {
        return Vec::new();
    };
    let items = Store::new(&data).list().unwrap_or_default();
    items
        .into_iter()
        .filter_map(|item| item.record.defaults.run_as)
        .collect()
}

fn table(all: &[Standing]) {
    let head = ["ACCOUNT", "UID", "GID", "GROUPS", "CONTENT", "VISITOR"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(all.iter().map(row));
    printer::table(&rows);
    for standing in all {
        let reasons = [("content", &standing.run_as), ("visitor", &standing.current_user)];
        for (what, may) in reasons {
            if let Some(why) = &may.why_not {
                printer::note(format!("note: {} ({what}): {why}", standing.asked));
            }
        }
    }
}

fn row(standing: &Standing) -> Vec<String> {
    let id =
        |of: fn(&plan::Identity) -> String| standing.identity.as_ref().map_or_else(|| "-".to_owned(), of);
    let groups = |identity: &plan::Identity| {
        let groups: Vec<String> = identity.groups.iter().map(ToString::to_string).collect();
        groups.join(",")
    };
    let content = match (standing.is_default, standing.run_as.may) {
        (true, _) => "default",
        (false, true) => "runAs",
        (false, false) => "no",
    };
    let visitor = if standing.current_user.may { "yes" } else { "no" };
    vec![
        standing.asked.clone(),
        id(|identity| identity.uid.to_string()),
        id(|identity| identity.gid.to_string()),
        id(groups),
        content.to_owned(),
        visitor.to_owned(),
    ]
}
