//! What `offhost doctor --builder` looks at. Every check runs, whatever another found.

use std::fs;
use std::path::Path;

use super::error::BuildError;
use super::file::{GitBuilder, Trigger};
use super::limits;
use super::namespaces::{Demand, Signs};
use super::workshop::Workshop;
use crate::check::Check;
use crate::local::tempdir;
use crate::names::BUILD_WORKSPACES;
use crate::settings::{BuildLimits, BuildSettings, LoadedBuilds};

/// Files that container engines leave in every container.
const CONTAINER_FILES: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// What this machine says about user namespaces.
#[must_use]
pub fn signs() -> Signs {
    let text = |path: &str| fs::read_to_string(path).ok();
    let in_container = CONTAINER_FILES.iter().any(|path| Path::new(path).exists())
        || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
        || std::env::var_os("container").is_some();
    Signs {
        in_container,
        status: text("/proc/self/status").unwrap_or_default(),
        profile: text("/proc/self/attr/current"),
        max_namespaces: text("/proc/sys/user/max_user_namespaces"),
        unprivileged_clone: text("/proc/sys/kernel/unprivileged_userns_clone"),
        apparmor_restricts: text("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
    }
}

/// How many namespaces these builders need at most.
#[must_use]
pub fn demand(builders: &[GitBuilder], settings: &BuildSettings) -> Demand {
    let count = |trigger| {
        u64::try_from(
            builders
                .iter()
                .filter(|builder| builder.trigger == trigger)
                .count(),
        )
        .unwrap_or(u64::MAX)
    };
    Demand {
        tag_builders: count(Trigger::Tags),
        commit_builders: count(Trigger::Commits),
        concurrency: u64::from(settings.build_concurrency),
    }
}

/// Looks at everything that Git builds need; `builders` is the file of builders, read.
#[must_use]
pub fn examine(loaded: &LoadedBuilds, builders: Result<&[GitBuilder], &BuildError>) -> Vec<Check> {
    let settings = &loaded.settings;
    let is_sandbox = settings.pods.is_none();
    let mut checks = vec![configuration(loaded), git()];
    if is_sandbox {
        checks.insert(1, temp_dir(loaded));
    }
    checks.push(match builders {
        Ok(builders) => Check::pass("builders", format!("{} in the file", builders.len())),
        Err(error) => Check::fail("builders", error),
    });
    let signs = signs();
    let builders = builders.unwrap_or_default();
    if is_sandbox {
        checks.push(demand(builders, settings).check(signs.limit()));
    }
    let secrets = builders
        .iter()
        .flat_map(|builder| builder.access.secrets())
        .collect();
    checks.extend(if is_sandbox {
        let wanted = limits::largest(settings, builders.iter().map(|builder| builder.limits));
        sandbox(loaded, secrets, &signs, wanted)
    } else {
        vec![in_a_pod(loaded, secrets)]
    });
    if settings.allow_unsandboxed {
        checks.push(Check::warn(
            "unsandboxed builds",
            "Git.AllowUnsandboxedGitBuilds is true: where there is no sandbox, packages are built without one",
            "set it to false unless you trust whoever can push to any of the repositories",
        ));
    }
    checks
}

fn configuration(loaded: &LoadedBuilds) -> Check {
    let found = match &loaded.config_file {
        Some(file) => file.display().to_string(),
        None => "no file; defaults and variables only".to_owned(),
    };
    match loaded.notes.is_empty() {
        true => Check::pass("configuration", found),
        false => Check::warn("configuration", found, loaded.notes.join("; ")),
    }
}

fn temp_dir(loaded: &LoadedBuilds) -> Check {
    const NAME: &str = "temporary files";
    let path = &loaded.settings.temp_dir;
    if loaded.temp_dir_is_personal
        && let Err(error) = crate::local::make_own(path)
    {
        return Check::fail(NAME, error);
    }
    match tempdir::check_for(path, true, BUILD_WORKSPACES) {
        Ok(()) => Check::pass(NAME, format!("{} (programs can be executed)", path.display())),
        Err(error) => Check::fail(NAME, error),
    }
}

fn git() -> Check {
    const NAME: &str = "git";
    match std::process::Command::new("git").arg("--version").output() {
        Ok(output) if output.status.success() => {
            Check::pass(NAME, String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(output) => Check::fail(
            NAME,
            format!(
                "git --version {}; install git anew",
                super::command::describe(output.status)
            ),
        ),
        Err(error) => Check::fail(NAME, BuildError::NoGit(error)),
    }
}

/// R in a Pod, for real.
fn in_a_pod(loaded: &LoadedBuilds, secrets: Vec<std::path::PathBuf>) -> Check {
    const NAME: &str = "R in a Pod";
    match Workshop::open(loaded, secrets) {
        Ok(workshop) => {
            let r = workshop.r();
            Check::pass(NAME, format!("{} {}", r.path.display(), r.version))
        }
        Err(error) => Check::fail(NAME, error),
    }
}

/// R in the sandbox, for real; where that fails, each likely cause as a line of its own.
fn sandbox(
    loaded: &LoadedBuilds,
    secrets: Vec<std::path::PathBuf>,
    signs: &Signs,
    wanted: BuildLimits,
) -> Vec<Check> {
    const NAME: &str = "R in the sandbox";
    match Workshop::open(loaded, secrets) {
        Ok(workshop) => {
            let found = format!("{} {}", workshop.r().path.display(), workshop.r().version);
            let sandbox = match workshop.is_sandboxed() {
                true => Check::pass(NAME, found),
                false => Check::warn(
                    NAME,
                    format!("{found}, without a sandbox"),
                    signs.causes().join("; "),
                ),
            };
            vec![sandbox, limits_of(&workshop, wanted)]
        }
        Err(BuildError::Off { why, .. }) => {
            let why = format!("building packages is off, because R can not be used in the sandbox: {why}");
            let mut checks = vec![Check::fail(NAME, why)];
            checks.extend(
                signs
                    .causes()
                    .into_iter()
                    .map(|cause| Check::fail("likely cause", cause)),
            );
            checks
        }
        Err(error) => vec![Check::fail(NAME, error)],
    }
}

/// The largest limits that anything asks for, put on a process for real.
fn limits_of(workshop: &Workshop, wanted: BuildLimits) -> Check {
    const NAME: &str = "limits";
    let described = limits::describe(wanted);
    match workshop.try_limits(wanted) {
        Ok(missing) if missing.is_empty() => Check::pass(NAME, described),
        Ok(missing) => Check::warn(
            NAME,
            format!("{described}, but {}", missing.join("; ")),
            "hand a control group to the account, as docs/git-builds.md says, or set those limits to 0",
        ),
        Err(error) => Check::fail(NAME, error),
    }
}
