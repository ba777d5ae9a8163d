//! The environment of a process (EN). Later layers win: what is inherited, what the settings and the
//! interpreters need, what the content sets, and last what is always set.

use std::collections::BTreeMap;
use std::path::Path;

use super::process::{Place, Scope};
use super::{EnvValue, PlanError, ServePlan, command, inherit, install, pandoc, paths, serve};
use crate::api::job::{EnvVar, EnvVarSource};
use crate::content::AppMode;
use crate::names::ENV_PREFIX;
use crate::runtimes::LanguageName;

/// Always set by the server (EN1 and the content's own ids): content may not set them.
const RESERVED: [&str; 7] = [
    "CONNECT_CONTENT_GUID",
    "CONNECT_CONTENT_JOB_KEY",
    "HOME",
    "LOGNAME",
    "TMPDIR",
    "USER",
    "USERNAME",
];

/// Variables that name npm's settings of an account.
const NPM_USER_SETTINGS: [&str; 2] = ["NPM_CONFIG_USERCONFIG", "npm_config_userconfig"];

type Env = BTreeMap<String, EnvValue>;

/// The environment of the content's own process.
pub(super) fn of_task(
    scope: &Scope<'_>,
    place: &Place<'_>,
    serving: Option<&ServePlan>,
) -> Result<Env, PlanError> {
    let mut env = base(scope, place);
    let content = content_variables(scope)?;
    if scope.choice.interpreters.contains_key(&LanguageName::R) {
        set(&mut env, "R_CONFIG_ACTIVE", &scope.settings.r_config_active);
        let pandoc = pandoc::directory(&scope.task.facts, &scope.settings.applications);
        if let Some(directory) = pandoc.and_then(Path::to_str)
            && !env.contains_key("RSTUDIO_PANDOC")
        {
            set(&mut env, "RSTUDIO_PANDOC", directory);
        }
    }
    languages(scope, &mut env);
    if serving.is_some() {
        for (name, value) in serve::places(scope, &place.tmp) {
            set(&mut env, name, &value);
        }
    }
    env.extend(content);
    if let Some(serving) = serving {
        let variables = serve::variables(scope, serving).into_iter();
        env.extend(variables.map(|(name, value)| (name.to_owned(), value)));
    }
    set(&mut env, "CONNECT_CONTENT_GUID", &scope.task.content);
    set(&mut env, "CONNECT_CONTENT_JOB_KEY", &scope.task.job_key);
    identity(place, &mut env);
    Ok(env)
}

/// The environment of an installation: nothing of the content's own variables, as what is installed is shared;
/// no `R_CONFIG_ACTIVE` (EN5).
pub(super) fn of_install(scope: &Scope<'_>, place: &Place<'_>, language: LanguageName) -> Env {
    let mut env = base(scope, place);
    env.remove("R_CONFIG_ACTIVE");
    // Content can write to its account's home; what the server's own environment names is the administrator's.
    if language == LanguageName::Nodejs && !NPM_USER_SETTINGS.iter().any(|name| env.contains_key(*name)) {
        set(&mut env, NPM_USER_SETTINGS[0], "/dev/null");
    }
    if language == LanguageName::R {
        set(&mut env, "R_LIBS_USER", "NULL");
        // Content can write to its account's home: a .Renviron there must not lead the installation astray.
        set(&mut env, "R_ENVIRON_USER", "/dev/null");
    }
    identity(place, &mut env);
    env
}

fn base(scope: &Scope<'_>, place: &Place<'_>) -> Env {
    let mut env = inherit::base(scope.task, scope.settings);
    let path = env.remove("PATH").unwrap_or_default();
    env.insert(
        "PATH".to_owned(),
        search_path(scope, &path, place.environments_ready),
    );
    if !env.contains_key("LANG") && !env.contains_key("LC_ALL") {
        env.insert("LANG".to_owned(), "C.UTF-8".to_owned());
    }
    env.into_iter()
        .map(|(name, value)| (name, EnvValue::Value(value)))
        .collect()
}

/// The environment's programs first, then those of the chosen interpreters that are not found anyway.
fn search_path(scope: &Scope<'_>, inherited: &str, environments_ready: bool) -> String {
    let known: Vec<&str> = inherited.split(':').collect();
    let mut parts: Vec<String> = Vec::new();
    if let Some(python) = scope.environments.python.as_ref().filter(|_| environments_ready) {
        parts.push(format!("{}/bin", paths::mounted(&python.key.path)));
    }
    for installation in scope.choice.interpreters.values() {
        let directory = installation
            .path
            .rsplit_once('/')
            .map_or("", |(directory, _)| directory);
        if !directory.is_empty() && !known.contains(&directory) && !parts.iter().any(|part| part == directory)
        {
            parts.push(directory.to_owned());
        }
    }
    parts.push(inherited.to_owned());
    parts.join(":")
}

/// What the interpreters need to find the content's packages and each other.
fn languages(scope: &Scope<'_>, env: &mut Env) {
    let (r, python) = (
        scope.choice.interpreters.get(&LanguageName::R),
        command::python_path(scope),
    );
    if let Some(environment) = &scope.environments.python {
        set(env, "VIRTUAL_ENV", &paths::mounted(&environment.key.path));
    }
    if let Some(library) = &scope.environments.r {
        set(env, "R_LIBS", &paths::mounted(&library.key.path));
        // The bundle's own renv must not put another library in front of this one.
        set(env, "RENV_CONFIG_AUTOLOADER_ENABLED", "FALSE");
    }
    if r.is_some() && install::is_managed(scope.task, LanguageName::R) {
        // The name that R reads as "no such library"; an empty value would mean its default.
        set(env, "R_LIBS_USER", "NULL");
    }
    if scope.choice.interpreters.contains_key(&LanguageName::Nodejs) {
        set(env, "NODE_ENV", "production");
    }
    if let (Some(_), Some(python)) = (r, &python) {
        set(env, "RETICULATE_PYTHON", python);
    }
    if matches!(scope.work.app_mode, AppMode::QuartoStatic | AppMode::QuartoShiny) {
        if let Some(r) = r {
            set(env, "QUARTO_R", &r.path);
        }
        if let Some(python) = &python {
            set(env, "QUARTO_PYTHON", python);
        }
    }
}

/// EN1.
fn identity(place: &Place<'_>, env: &mut Env) {
    for name in ["USER", "USERNAME", "LOGNAME"] {
        set(env, name, &place.identity.user);
    }
    set(env, "HOME", &place.home.value);
    set(env, "TMPDIR", &place.tmp.target);
}

fn set(env: &mut Env, name: &str, value: &str) {
    env.insert(name.to_owned(), EnvValue::Value(value.to_owned()));
}

/// The job's variables, each checked (EN4).
fn content_variables(scope: &Scope<'_>) -> Result<Env, PlanError> {
    let mut env = Env::new();
    for variable in &scope.task.spec.env {
        check_name(
            &variable.name,
            &scope.settings.applications.prohibited_environment,
        )?;
        if env.insert(variable.name.clone(), value(variable)?).is_some() {
            return Err(PlanError::VariableTwice {
                name: variable.name.clone(),
            });
        }
    }
    Ok(env)
}

fn check_name(name: &str, prohibited: &[String]) -> Result<(), PlanError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(plain) {
        return Err(PlanError::VariableName {
            name: name.to_owned(),
        });
    }
    let why = if prohibited.iter().any(|other| other == name) {
        "Applications.ProhibitedEnvironment names it"
    } else if RESERVED.contains(&name) {
        "the server sets it for every process"
    } else if name.starts_with(ENV_PREFIX) {
        "variables of this prefix are settings of the server"
    } else {
        return Ok(());
    };
    Err(PlanError::VariableRefused {
        name: name.to_owned(),
        why,
    })
}

fn value(variable: &EnvVar) -> Result<EnvValue, PlanError> {
    let problem = match (&variable.value, &variable.value_from) {
        (Some(value), None) if value.contains('\0') => "has a NUL character in its value",
        (Some(value), None) => return Ok(EnvValue::Value(value.clone())),
        (None, Some(EnvVarSource::SecretKeyRef(key))) => return Ok(EnvValue::SecretKeyRef(key.clone())),
        (None, Some(EnvVarSource::ConfigMapKeyRef(key))) => {
            return Ok(EnvValue::ConfigMapKeyRef(key.clone()));
        }
        (Some(_), Some(_)) => "has both a value and valueFrom",
        (None, None) => "has neither a value nor valueFrom",
    };
    Err(PlanError::VariableValue {
        name: variable.name.clone(),
        problem,
    })
}
