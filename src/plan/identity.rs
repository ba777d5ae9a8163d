//! Who runs what (RA). Root never runs content; other accounts than the default must be in the shared group;
//! packages are installed as the default account.

use super::{Identity, Mode, PlanError, Task};
use crate::identity::{Account, AccountSpec, Accounts};
use crate::settings::Settings;

const SETTING: &str = "Applications.RunAs";
const FIELD: &str = "spec.runAs";
/// What names the account of a visitor.
const VISITOR: &str = "the account of the visitor";

/// The accounts of a job's processes.
#[derive(Debug)]
pub(super) struct Identities {
    /// Installs packages (RA4).
    pub(super) default: Identity,
    /// Runs the content.
    pub(super) content: Identity,
    /// The group through which the processes of visitors' accounts share the application's directory (AP1).
    pub(super) shared_group: Option<u32>,
    /// What a reader should know.
    pub(super) notes: Vec<String>,
}

pub(super) fn decide(task: &Task, settings: &Settings, accounts: &Accounts) -> Result<Identities, PlanError> {
    let run_as = settings.applications.run_as.as_str();
    let mut notes = Vec::new();
    let default = default_account(task.mode, settings, accounts)?;
    let own = own_account(task.mode, run_as, accounts).is_some();
    if own && run_as != default.name && AccountSpec::parse(run_as) != Ok(AccountSpec::Uid(default.uid)) {
        notes.push(format!(
            "runs as '{}', the account that asked for it, not as {SETTING} '{run_as}': only root can change accounts",
            default.name
        ));
    }
    let mut content = match &task.spec.run_as {
        Some(asked) => other_account(FIELD, asked, default, task.mode, settings, accounts)?,
        None => default,
    };
    let serving = task.serve.as_ref().filter(|serve| serve.current_user);
    let shared_group = serving
        .map(|_| shared_group(settings, default, accounts))
        .transpose()?;
    if let Some(visitor) = serving.and_then(|serve| serve.visitor.as_deref()) {
        content = visitors_account(visitor, default, settings, accounts)?;
    } else if serving.is_some() {
        notes.push(format!(
            "visitors who have logged in get processes of their own account; '{}' is for all others",
            content.name
        ));
    }
    if serving.is_none() && content.uid != default.uid {
        notes.push(format!(
            "runs as '{}' ({FIELD}), not as {SETTING} '{}': only an administrator may ask for that",
            content.name, default.name
        ));
    }
    Ok(Identities {
        default: identity(default),
        content: identity(content),
        shared_group: shared_group.map(|(group, _)| group),
        notes,
    })
}

/// The account of `Applications.RunAs` on this machine.
pub(super) fn default(settings: &Settings, accounts: &Accounts) -> Result<Identity, PlanError> {
    default_account(Mode::Local, settings, accounts).map(identity)
}

/// The account that a job or content item names on this machine.
pub(super) fn content(asked: &str, settings: &Settings, accounts: &Accounts) -> Result<Identity, PlanError> {
    let default = default_account(Mode::Local, settings, accounts)?;
    other_account(FIELD, asked, default, Mode::Local, settings, accounts).map(identity)
}

/// The account of a visitor, by the name by which they have logged in.
pub(super) fn visitor(name: &str, settings: &Settings, accounts: &Accounts) -> Result<Identity, PlanError> {
    let default = default_account(Mode::Local, settings, accounts)?;
    visitors_account(name, default, settings, accounts).map(identity)
}

/// As every other account. A visitor is known by name: a number could be somebody else's.
fn visitors_account<'a>(
    name: &str,
    default: &'a Account,
    settings: &Settings,
    accounts: &'a Accounts,
) -> Result<&'a Account, PlanError> {
    if let Ok(AccountSpec::Uid(_)) = AccountSpec::parse(name) {
        return Err(PlanError::AccountMissing {
            setting: VISITOR,
            value: name.to_owned(),
        });
    }
    other_account(VISITOR, name, default, Mode::Local, settings, accounts)
}

fn default_account<'a>(
    mode: Mode,
    settings: &Settings,
    accounts: &'a Accounts,
) -> Result<&'a Account, PlanError> {
    let run_as = settings.applications.run_as.as_str();
    match own_account(mode, run_as, accounts) {
        Some(own) => not_root(own, "your account", &own.name),
        None => find(accounts, SETTING, run_as),
    }
}

/// The caller's own account, where it is the only one to be had (SB9), or, for a Pod that is only printed,
/// where the configured one is not known here.
fn own_account<'a>(mode: Mode, run_as: &str, accounts: &'a Accounts) -> Option<&'a Account> {
    accounts
        .ordinary_user
        .as_ref()
        .filter(|_| mode == Mode::Local || !accounts.accounts.contains_key(run_as))
}

fn other_account<'a>(
    what: &'static str,
    asked: &str,
    default: &'a Account,
    mode: Mode,
    settings: &Settings,
    accounts: &'a Accounts,
) -> Result<&'a Account, PlanError> {
    let found = find(accounts, what, asked)?;
    if found.uid == default.uid {
        return Ok(default);
    }
    if mode == Mode::Local
        && let Some(own) = &accounts.ordinary_user
    {
        return Err(PlanError::OtherAccount {
            asked: asked.to_owned(),
            own: own.name.clone(),
        });
    }
    let (group, name) = shared_group(settings, default, accounts)?;
    if found.groups.contains(&group) || found.gid == group {
        return Ok(found);
    }
    Err(PlanError::NotInGroup {
        account: found.name.clone(),
        group: name,
    })
}

/// The shared group, or the primary group of the default account in older files (RA3).
fn shared_group(
    settings: &Settings,
    default: &Account,
    accounts: &Accounts,
) -> Result<(u32, String), PlanError> {
    match &settings.applications.shared_run_as_unix_group {
        Some(name) => accounts
            .groups
            .get(name)
            .map(|gid| (*gid, format!("Applications.SharedRunAsUnixGroup '{name}'")))
            .ok_or_else(|| PlanError::GroupMissing { group: name.clone() }),
        None => Ok((
            default.gid,
            format!(
                "group {}, the primary group of {SETTING} '{}'",
                default.gid, default.name
            ),
        )),
    }
}

fn find<'a>(accounts: &'a Accounts, setting: &'static str, value: &str) -> Result<&'a Account, PlanError> {
    let root = |why| PlanError::Root {
        setting,
        value: value.to_owned(),
        why,
    };
    match AccountSpec::parse(value) {
        Err(source) => {
            return Err(PlanError::AccountSpec {
                setting,
                value: value.to_owned(),
                source,
            });
        }
        Ok(AccountSpec::Uid(0)) => return Err(root("user id 0")),
        Ok(AccountSpec::Name(name)) if name == "root" => return Err(root("by name")),
        Ok(_) => {}
    }
    let account = accounts
        .accounts
        .get(value)
        .ok_or_else(|| PlanError::AccountMissing {
            setting,
            value: value.to_owned(),
        })?;
    not_root(account, setting, value)
}

/// Refuses user id 0 and group id 0, also where another name hides them (RA1), and the kernel's "no id".
fn not_root<'a>(account: &'a Account, setting: &'static str, value: &str) -> Result<&'a Account, PlanError> {
    let why = if account.uid == 0 {
        "user id 0"
    } else if account.gid == 0 {
        "primary group id 0"
    } else if account.groups.contains(&0) {
        "group id 0 among its groups"
    } else if account.uid == u32::MAX || account.gid == u32::MAX {
        "an id that the kernel reads as none"
    } else {
        return Ok(account);
    };
    Err(PlanError::Root {
        setting,
        value: value.to_owned(),
        why,
    })
}

fn identity(account: &Account) -> Identity {
    // The primary group is among the groups whatever the table says: a file may deny access to it (RA6).
    let mut groups = account.groups.clone();
    groups.push(account.gid);
    groups.sort_unstable();
    groups.dedup();
    Identity {
        user: account.name.clone(),
        uid: account.uid,
        gid: account.gid,
        groups,
        home: account.home.clone(),
    }
}
