//! What `offhost doctor` looks at. Every check runs, whatever another found.

use super::launcher::Launcher;
use super::serve::authentication;
use super::server::make_own;
use super::supervisor::{self, Trial};
use super::{current_user, probe, tempdir};
use crate::check::Check;
use crate::data::DataDir;
use crate::exec;
use crate::gather;
use crate::plan::{self, Identity, Mode};
use crate::runtimes::{self, LanguageName};
use crate::sandbox::SandboxMode;
use crate::settings::{Loaded, Settings, check_paths};

/// Looks at everything.
#[must_use]
pub fn examine(loaded: &Loaded) -> Vec<Check> {
    let settings = &loaded.settings;
    let mut checks = vec![configuration(loaded)];
    checks.extend(
        check_paths(loaded)
            .into_iter()
            .map(|problem| Check::fail("setting", problem)),
    );
    checks.push(data_dir(loaded));
    checks.push(temp_dir(loaded));
    let (check, account) = account(settings);
    checks.push(check);
    checks.push(shared_group(settings));
    checks.push(authentication::check(settings));
    checks.extend(current_user::examine(settings));
    checks.push(capabilities());
    checks.push(landlock());
    checks.push(cgroups());
    if let Some(account) = account {
        checks.extend(sandbox_and_supervisor(settings, &account));
    }
    checks.extend(super::pam::services::examine(settings));
    checks.extend(interpreters(settings));
    checks
}

fn configuration(loaded: &Loaded) -> Check {
    let found = match &loaded.config_file {
        Some(file) => file.display().to_string(),
        None => "no file; defaults and variables only".to_owned(),
    };
    if loaded.notes.is_empty() {
        Check::pass("configuration", found)
    } else {
        Check::warn("configuration", found, loaded.notes.join("; "))
    }
}

fn data_dir(loaded: &Loaded) -> Check {
    let path = &loaded.settings.server.data_dir;
    if loaded.data_dir_is_personal && !path.exists() {
        return Check::pass(
            "data directory",
            format!("{} (made when it is first needed)", path.display()),
        );
    }
    match DataDir::open(path) {
        Ok(data) => match rustix::fs::statvfs(data.root()) {
            Ok(stat) if stat.f_bavail * stat.f_frsize < 1 << 30 => Check::warn(
                "data directory",
                format!(
                    "{}: {} MiB are free",
                    path.display(),
                    (stat.f_bavail * stat.f_frsize) >> 20
                ),
                "make room: packages and results are kept there",
            ),
            _ => Check::pass("data directory", path.display().to_string()),
        },
        Err(error) => Check::fail("data directory", error),
    }
}

fn temp_dir(loaded: &Loaded) -> Check {
    const NAME: &str = "temporary files";
    let path = &loaded.settings.server.temp_dir;
    // It is first needed right here: the sandbox is tried in it.
    if loaded.temp_dir_is_personal
        && let Err(error) = make_own(path)
    {
        return Check::fail(NAME, error);
    }
    match tempdir::check(path, !rustix::process::geteuid().is_root()) {
        Ok(()) => Check::pass(NAME, format!("{} (programs can be executed)", path.display())),
        Err(error) => Check::fail(NAME, error),
    }
}

fn account(settings: &Settings) -> (Check, Option<Identity>) {
    let identity = gather::accounts(Mode::Local, settings, None)
        .map_err(|error| error.to_string())
        .and_then(|accounts| plan::default_identity(settings, &accounts).map_err(|error| error.to_string()));
    match identity {
        Ok(identity) => {
            let groups: Vec<String> = identity.groups.iter().map(ToString::to_string).collect();
            let found = format!(
                "{} (uid {}, groups {})",
                identity.user,
                identity.uid,
                groups.join(", ")
            );
            (Check::pass("account", found), Some(identity))
        }
        Err(error) => (Check::fail("account", error), None),
    }
}

fn shared_group(settings: &Settings) -> Check {
    const NAME: &str = "shared group";
    let Some(group) = &settings.applications.shared_run_as_unix_group else {
        return Check::pass(NAME, "the primary group of Applications.RunAs");
    };
    match gather::accounts(Mode::Local, settings, None) {
        Ok(accounts) if accounts.groups.contains_key(group) => Check::pass(NAME, group.clone()),
        _ => Check::fail(
            NAME,
            format!(
                "Applications.SharedRunAsUnixGroup '{group}' does not exist; create it with groupadd {group}"
            ),
        ),
    }
}

fn capabilities() -> Check {
    const NAME: &str = "capabilities";
    if !rustix::process::geteuid().is_root() {
        return Check::warn(
            NAME,
            "not root: content runs as your own account, in your own data directory",
            "run as root for other accounts",
        );
    }
    let admin = rustix::thread::CapabilitySet::SYS_ADMIN;
    match rustix::thread::capabilities(None) {
        Ok(sets) if sets.effective.contains(admin) => Check::pass(NAME, "root with CAP_SYS_ADMIN"),
        // Whether it does without is tried below.
        Ok(_) => Check::warn(
            NAME,
            "root without CAP_SYS_ADMIN: only a sandbox with a user namespace can be made",
            "in a container add the capability SYS_ADMIN or run it privileged",
        ),
        Err(error) => Check::fail(NAME, format!("they can not be read: {error}")),
    }
}

fn landlock() -> Check {
    const NAME: &str = "landlock";
    match exec::landlock_abi() {
        Some(abi) if abi >= 6 => Check::pass(NAME, format!("version {abi}, with scopes")),
        Some(abi) => Check::warn(
            NAME,
            format!("version {abi}, without scopes"),
            "a kernel from 6.12 on has them",
        ),
        None => Check::warn(
            NAME,
            "not to be had",
            "add landlock to the kernel's lsm= parameter; a PID namespace stands in",
        ),
    }
}

fn cgroups() -> Check {
    const NAME: &str = "control groups";
    let missing = exec::controllers_out_of_reach();
    if missing.is_empty() {
        return Check::pass(NAME, "memory, cpu and pids limits can be had");
    }
    Check::warn(
        NAME,
        format!("no {} controller that this account may use", missing.join(", ")),
        "limits of those are not in force; run as root, or in a service with Delegate=yes, on a machine that has them",
    )
}

/// Makes each form of the sandbox for real, then tries the supervisor in the form that will be used.
fn sandbox_and_supervisor(settings: &Settings, account: &Identity) -> Vec<Check> {
    const NAME: &str = "sandbox";
    let launcher = match Launcher::beside_this_program() {
        Ok(launcher) => launcher,
        Err(error) => return vec![Check::fail(NAME, error)],
    };
    let temp_dir = &settings.server.temp_dir;
    let form = match probe::choose(&launcher, account, temp_dir, settings.sandbox.user_namespace) {
        Ok(form) => form,
        Err(error) => return vec![Check::fail(NAME, error)],
    };
    let found = format!("{}: {}", probe::describe(form.mode), form.layers.join(", "));
    let mut checks = vec![match form.declined.first() {
        Some((_, reason)) if form.mode == SandboxMode::Root => Check::warn(NAME, found, reason.clone()),
        _ => Check::pass(NAME, found),
    }];
    if let Some(program) = settings.applications.supervisor.first() {
        let masks = plan::masks(settings);
        let trial = Trial {
            launcher: &launcher,
            mode: form.mode,
            account,
            masks: &masks,
            temp_dir,
        };
        checks.push(
            match supervisor::check(&settings.applications.supervisor, &trial) {
                Ok(()) => Check::pass("supervisor", program.clone()),
                Err(error) => Check::fail("supervisor", error),
            },
        );
    }
    checks
}

fn interpreters(settings: &Settings) -> Vec<Check> {
    const NAME: &str = "interpreters";
    let discovered = match runtimes::discover(settings) {
        Ok(discovered) => discovered,
        Err(error) => return vec![Check::fail(NAME, error)],
    };
    let wanted = [
        (LanguageName::R, "R", settings.r.enabled),
        (LanguageName::Python, "Python", settings.python.enabled),
        (LanguageName::Quarto, "Quarto", settings.quarto.enabled),
        (LanguageName::Nodejs, "NodeJs", settings.nodejs.enabled),
    ];
    let mut checks = Vec::new();
    for (language, section, enabled) in wanted {
        let found: Vec<String> = discovered
            .found
            .iter()
            .filter(|found| found.language == language)
            .map(|found| format!("{} {}", found.path.display(), found.version))
            .collect();
        let label = language.label();
        checks.push(match (enabled, found.is_empty()) {
            (_, false) => Check::pass(NAME, format!("{label}: {}", found.join(", "))),
            (true, true) => Check::warn(
                NAME,
                format!("no {label} was found"),
                format!("install it, or set {section}.Executable"),
            ),
            (false, true) => Check::pass(NAME, format!("{label} is off ({section}.Enabled = false)")),
        });
    }
    checks.extend(
        discovered
            .notes
            .into_iter()
            .map(|note| Check::warn(NAME, note, "nothing to do if that is as you want it")),
    );
    checks.extend(
        discovered
            .left_out
            .into_iter()
            .map(|remark| Check::pass(NAME, remark)),
    );
    checks
}
