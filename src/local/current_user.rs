//! Whether content can run as its visitors here (CU1, CU4), for `offhost doctor`.

use crate::check::Check;
use crate::content::kinds::KINDS;
use crate::identity::{GroupEntry, NameService};
use crate::settings::{Provider, Settings};

const NAME: &str = "current user";

/// What the machine says.
#[derive(Debug)]
struct Facts {
    is_root: bool,
    /// The entry of the shared group, where it is set, exists and can be asked for.
    group: Option<GroupEntry>,
}

/// What stands in the way of `Applications.RunAsCurrentUser`, one check for each; nothing where it is not set.
#[must_use]
pub(super) fn examine(settings: &Settings) -> Vec<Check> {
    if !settings.applications.run_as_current_user {
        return Vec::new();
    }
    let group = settings.applications.shared_run_as_unix_group.as_deref();
    judge(
        settings,
        &Facts {
            is_root: rustix::process::geteuid().is_root(),
            // That it does not exist, or can not be asked for, is told by the check of the group itself.
            group: group.and_then(|name| NameService::default().group(name).ok().flatten()),
        },
    )
}

fn judge(settings: &Settings, facts: &Facts) -> Vec<Check> {
    let checks = [
        log_in(settings),
        (!facts.is_root).then(|| {
            Check::fail(
                NAME,
                "Applications.RunAsCurrentUser needs root, which alone can change accounts; run as root, or set it to false",
            )
        }),
        shared_group(settings, facts.group.as_ref()),
        passwords(settings),
    ];
    let checks: Vec<Check> = checks.into_iter().flatten().collect();
    match checks.is_empty() {
        true => vec![Check::pass(
            NAME,
            format!("content of the kinds {} may ask for it", kinds()),
        )],
        false => checks,
    }
}

/// The kinds of content that may run as their visitors.
fn kinds() -> String {
    let kinds = KINDS.iter().filter(|kind| kind.mode.may_run_as_visitor());
    let kinds: Vec<&str> = kinds.map(|kind| kind.name).collect();
    kinds.join(", ")
}

fn log_in(settings: &Settings) -> Option<Check> {
    let provider = match settings.authentication.provider {
        Provider::Pam => return None,
        Provider::None => "none",
        Provider::Proxy => "proxy",
        Provider::Other(name) => name,
    };
    Some(Check::fail(
        NAME,
        format!(
            "Applications.RunAsCurrentUser needs visitors who log in with accounts of this machine, and \
             Authentication.Provider is '{provider}'; set that to pam, or RunAsCurrentUser to false"
        ),
    ))
}

fn shared_group(settings: &Settings, group: Option<&GroupEntry>) -> Option<Check> {
    let run_as = &settings.applications.run_as;
    let Some(name) = &settings.applications.shared_run_as_unix_group else {
        return Some(Check::warn(
            NAME,
            format!(
                "Applications.SharedRunAsUnixGroup is not set, so that visitors have to be in the primary group of '{run_as}'"
            ),
            "set it to a group that has the accounts of those who may run content as themselves, and no others",
        ));
    };
    let is_empty = group.is_some_and(|group| group.members.iter().all(|member| member == run_as));
    is_empty.then(|| {
        Check::warn(
            NAME,
            format!("Applications.SharedRunAsUnixGroup '{name}' lists no account of a visitor"),
            format!(
                "add those who may run content as themselves: gpasswd --add NAME {name}; offhost accounts shows who may"
            ),
        )
    })
}

/// Sessions of visitors' processes need the password that `ForwardPassword` keeps, where their service wants one.
fn passwords(settings: &Settings) -> Option<Check> {
    let pam = &settings.pam;
    let is_idle =
        pam.use_session && !pam.forward_password && pam.authenticated_session_service != pam.session_service;
    is_idle.then(|| {
        Check::warn(
            NAME,
            format!(
                "PAM.AuthenticatedSessionService '{}' is not used: visitors' processes get '{}', without a password",
                pam.authenticated_session_service, pam.session_service
            ),
            "set PAM.ForwardPassword = true, or remove the setting",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status;

    fn settings(text: &str) -> Settings {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rstudio-connect.gcfg");
        std::fs::write(&path, text).unwrap();
        let options = crate::settings::LoadOptions {
            config: Some(path),
            env: std::collections::BTreeMap::new(),
            ordinary_user: None,
        };
        crate::settings::load(options).unwrap().settings
    }

    fn found(text: &str, is_root: bool, members: &[&str]) -> Vec<(Status, String)> {
        let group = GroupEntry {
            name: "readers".to_owned(),
            gid: 7,
            members: members.iter().map(ToString::to_string).collect(),
        };
        let text = format!(
            "[Applications]\nRunAs = connect\nRunAsCurrentUser = true\n{text}\n[Authentication]\nProvider = pam\n"
        );
        let settings = settings(&text);
        let is_set = settings.applications.shared_run_as_unix_group.is_some();
        let facts = Facts {
            is_root,
            group: is_set.then_some(group),
        };
        let checks = judge(&settings, &facts);
        let whole = |check: Check| {
            let remedy = check.remedy.map(|remedy| format!("; {remedy}"));
            (check.status, check.found + &remedy.unwrap_or_default())
        };
        checks.into_iter().map(whole).collect()
    }

    /// Proves: CU1 (L)
    #[test]
    fn what_stands_in_the_way_is_told_with_its_remedy() {
        const GROUP: &str = "SharedRunAsUnixGroup = readers";
        let ready = found(GROUP, true, &["connect", "ana"]);
        assert_eq!(ready.len(), 1);
        assert!(
            ready[0].0 == Status::Pass && ready[0].1.contains("rmd-shiny"),
            "{ready:?}"
        );
        for (text, is_root, members, status, said) in [
            (GROUP, false, &["ana"][..], Status::Fail, "; run as root"),
            ("", true, &[], Status::Warn, "primary group of 'connect'; set it"),
            (
                GROUP,
                true,
                &["connect"],
                Status::Warn,
                "gpasswd --add NAME readers",
            ),
            (
                "SharedRunAsUnixGroup = readers\n[PAM]\nUseSession = true\nAuthenticatedSessionService = krb5",
                true,
                &["ana"],
                Status::Warn,
                "'krb5' is not used",
            ),
        ] {
            let checks = found(text, is_root, members);
            assert_eq!(checks.len(), 1, "{checks:?}");
            assert!(
                checks[0].0 == status && checks[0].1.contains(said),
                "{said}: {checks:?}"
            );
        }
        for provider in ["none", "proxy"] {
            let text = format!(
                "[Applications]\nRunAsCurrentUser = true\nSharedRunAsUnixGroup = g\n[Authentication]\nProvider = {provider}\n"
            );
            let said = log_in(&settings(&text)).unwrap().found;
            assert!(
                said.contains(&format!("is '{provider}'; set that to pam")),
                "{said}"
            );
        }
        assert!(examine(&settings("")).is_empty());
    }
}
