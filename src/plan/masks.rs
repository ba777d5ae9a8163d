//! What a local process does not see (FS1), and what may not be hidden by that (FS6, SV5).

use std::path::{Component, Path, PathBuf};

use super::process::Scope;
use super::{Mask, Mode, PlanError, home, supervisor};
use crate::names;
use crate::settings::Settings;

/// Places without which no process works.
const SYSTEM: [&str; 11] = [
    "/bin",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/sbin",
    "/sys",
    "/usr",
    names::MOUNT_DIR,
    names::MOUNT_RUNTIME,
];

/// The masks of a local process; none in Pod mode, where nothing of the server's is in the container (SB4).
pub(super) fn of(scope: &Scope<'_>) -> Result<Vec<Mask>, PlanError> {
    check_paths(scope)?;
    if scope.task.mode == Mode::Pod {
        return Ok(Vec::new());
    }
    let masks = fs1(scope.settings);
    let needed = needed(scope)?;
    for mask in &masks {
        refuse_hiding(&mask.setting, &mask.path, &needed)?;
    }
    // These are covered rather than masked, and hide as much.
    let programs = &needed[SYSTEM.len()..];
    if scope.settings.applications.home_mounting {
        refuse_hiding("Applications.HomeMounting", Path::new(home::HOME), programs)?;
    }
    if scope.settings.sandbox.mask_tmp {
        for covered in super::process::COVERED_BY_TMP {
            refuse_hiding("Sandbox.MaskTmp", Path::new(covered), programs)?;
        }
    }
    Ok(masks)
}

/// The masks of every local process (FS1).
pub(super) fn fs1(settings: &Settings) -> Vec<Mask> {
    let data_dir = &settings.server.data_dir;
    let mask = |path: PathBuf, setting: &str, required: bool| Mask {
        path,
        setting: setting.to_owned(),
        required,
    };
    let mut masks = vec![
        mask(data_dir.clone(), "Server.DataDir", true),
        mask(
            settings.sqlite_dir.clone(),
            "SQLite.Dir",
            // Below DataDir it need not exist: it is hidden already.
            !settings.sqlite_dir.starts_with(data_dir),
        ),
        mask(
            settings.server.temp_dir.join(names::WORKSPACES),
            "Server.TempDir",
            true,
        ),
        mask(
            PathBuf::from(names::CONFIG_DIR),
            "the configuration directory",
            false,
        ),
    ];
    if let Some(directory) = &settings.config_dir
        && directory != Path::new(names::CONFIG_DIR)
    {
        masks.push(mask(
            directory.clone(),
            "the directory of the configuration file",
            true,
        ));
    }
    masks.sort_by(|a, b| a.path.cmp(&b.path));
    masks
}

/// What must stay visible: the system's places first, then the programs, each with its name for people.
fn needed(scope: &Scope<'_>) -> Result<Vec<(PathBuf, String)>, PlanError> {
    let mut needed: Vec<(PathBuf, String)> = SYSTEM
        .iter()
        .map(|path| (PathBuf::from(path), format!("'{path}'")))
        .collect();
    for installation in scope.choice.interpreters.values() {
        needed.push((
            PathBuf::from(&installation.path),
            format!("the interpreter '{}'", installation.path),
        ));
    }
    if let Some(program) = supervisor::words(scope)?.first() {
        needed.push((PathBuf::from(program), format!("the supervisor '{program}'")));
    }
    if let Some(uv) = &scope.task.uv {
        needed.push((uv.clone(), format!("the program '{}'", uv.display())));
    }
    Ok(needed)
}

fn refuse_hiding(setting: &str, path: &Path, needed: &[(PathBuf, String)]) -> Result<(), PlanError> {
    match needed.iter().find(|(place, _)| place.starts_with(path)) {
        Some((_, name)) => Err(PlanError::MaskHides {
            setting: setting.to_owned(),
            path: path.display().to_string(),
            needed: name.clone(),
        }),
        None => Ok(()),
    }
}

/// Every path of the settings that a plan uses is absolute, plain, and can be written as text.
fn check_paths(scope: &Scope<'_>) -> Result<(), PlanError> {
    let settings = scope.settings;
    let config_dir = settings.config_dir.as_ref();
    for (setting, path) in [
        ("Server.DataDir", Some(&settings.server.data_dir)),
        ("Server.TempDir", Some(&settings.server.temp_dir)),
        ("SQLite.Dir", Some(&settings.sqlite_dir)),
        ("the directory of the configuration file", config_dir),
    ] {
        let Some(path) = path else { continue };
        let plain = path
            .components()
            .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        if !path.is_absolute() || !plain || path.to_str().is_none_or(|text| text.contains('\0')) {
            return Err(PlanError::SettingPath {
                setting,
                path: path.display().to_string(),
            });
        }
    }
    Ok(())
}
