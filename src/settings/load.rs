//! Loading: finds and reads the settings file, and puts everything together (CN1). Does IO.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::build::{build, builds};
use super::error::SettingsError;
use super::gcfg;
use super::origin::{Origin, SettingValue};
use super::resolve::{Defaults, Resolved, resolve};
use super::table::Product;
use super::typed::Settings;
use super::typed_builds::BuildSettings;

/// Where settings come from.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The settings file; the product's own place when absent, where it need not exist.
    pub config: Option<PathBuf>,
    /// The environment of the server.
    pub env: BTreeMap<String, String>,
    /// Set where the server does not run as root (SB9).
    pub ordinary_user: Option<OrdinaryUser>,
}

/// A user who is not root and runs everything as themselves (SB9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrdinaryUser {
    /// Name of the account.
    pub name: String,
    /// Home directory of the account.
    pub home: PathBuf,
}

/// The settings and where they come from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Every value and its origin, in the order of the table.
    pub provenance: Vec<SettingValue>,
    /// Sentences about what was left alone.
    pub notes: Vec<String>,
    /// The file that was read.
    pub config_file: Option<PathBuf>,
    /// Whether the data directory is an ordinary user's own, which is made when it is first needed (SB9).
    pub data_dir_is_personal: bool,
    /// The same of the directory for temporary files: `/tmp/connect-workspaces` can be only one account's.
    pub temp_dir_is_personal: bool,
}

/// The settings of Git builds and where they come from.
#[derive(Clone, Debug)]
pub struct LoadedBuilds {
    /// The settings.
    pub settings: BuildSettings,
    /// Sentences about what was left alone.
    pub notes: Vec<String>,
    /// The file that was read.
    pub config_file: Option<PathBuf>,
    /// Whether the directory for temporary files is an ordinary user's own, which is made when it is first needed.
    pub temp_dir_is_personal: bool,
}

/// Reads `rstudio-pm.gcfg` and the environment: what Git builds need (GB1).
///
/// # Errors
/// As for [`load`].
pub fn load_builds(options: &LoadOptions) -> Result<LoadedBuilds, SettingsError> {
    let product = Product::PackageManager;
    let source = read(product, options, Path::new(product.config_file()))?;
    let settings = builds(&source.resolved, source.config_file.as_deref())?;
    let is_default = source.resolved.one("Server", "TempDir").origin == Origin::Default;
    Ok(LoadedBuilds {
        settings,
        notes: source.resolved.notes,
        config_file: source.config_file,
        temp_dir_is_personal: source.personal && is_default,
    })
}

/// Reads `rstudio-connect.gcfg` and the environment (CN1).
///
/// # Errors
/// A file that can not be read or is not gcfg, names that do not exist, values that are not of their kind.
pub fn load(options: LoadOptions) -> Result<Loaded, SettingsError> {
    load_from(&options, Path::new(Product::Connect.config_file()))
}

/// Reads the settings of `product`, untyped.
///
/// # Errors
/// As for [`load`].
pub fn load_values(product: Product, options: &LoadOptions) -> Result<Resolved, SettingsError> {
    let source = read(product, options, Path::new(product.config_file()))?;
    Ok(source.resolved)
}

fn load_from(options: &LoadOptions, usual: &Path) -> Result<Loaded, SettingsError> {
    let source = read(Product::Connect, options, usual)?;
    let settings = build(&source.resolved, source.config_file.as_deref())?;
    let is_default = |key| source.resolved.one("Server", key).origin == Origin::Default;
    let (data_dir_default, temp_dir_default) = (is_default("DataDir"), is_default("TempDir"));
    Ok(Loaded {
        settings,
        provenance: source.resolved.provenance(),
        notes: source.resolved.notes,
        config_file: source.config_file,
        data_dir_is_personal: source.personal && data_dir_default,
        temp_dir_is_personal: source.personal && temp_dir_default,
    })
}

struct Source {
    resolved: Resolved,
    config_file: Option<PathBuf>,
    /// Whether the defaults are those of an ordinary user.
    personal: bool,
}

fn read(product: Product, options: &LoadOptions, usual: &Path) -> Result<Source, SettingsError> {
    let mut note = None;
    let text = match &options.config {
        Some(path) => Some((read_file(path)?, absolute(path))),
        None => match read_file(usual) {
            Ok(text) => Some((text, usual.to_owned())),
            Err(SettingsError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
            Err(SettingsError::Read { source, .. })
                if source.kind() == io::ErrorKind::PermissionDenied && options.ordinary_user.is_some() =>
            {
                note = Some(format!(
                    "{} can not be read by this account and is left alone",
                    usual.display()
                ));
                None
            }
            Err(error) => return Err(error),
        },
    };
    // The system's own file speaks of the system's own directories, whoever reads it.
    let personal = options
        .ordinary_user
        .as_ref()
        .filter(|_| options.config.is_some() || text.is_none());
    let document = match &text {
        Some((text, path)) => Some((gcfg::parse(text, &path.display().to_string())?, path)),
        None => None,
    };
    let file = document
        .as_ref()
        .map(|(document, path)| (document, path.as_path()));
    let defaults = defaults(&options.env, personal);
    let mut resolved = resolve(product, file, &options.env, &defaults)?;
    resolved.notes.extend(note);
    Ok(Source {
        resolved,
        config_file: text.map(|(_, path)| path),
        personal: personal.is_some(),
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>, SettingsError> {
    std::fs::read(path).map_err(|source| SettingsError::Read {
        path: path.to_owned(),
        source,
    })
}

/// The path stays as given where the working directory is gone.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn defaults(env: &BTreeMap<String, String>, personal: Option<&OrdinaryUser>) -> Defaults {
    let mut defaults = Defaults::new();
    let temp_dir = env.get("TMPDIR").filter(|dir| dir.starts_with('/'));
    if let Some(dir) = temp_dir {
        let name = "TMPDIR".to_owned();
        defaults.insert(("Server", "TempDir"), (dir.clone(), Origin::Env { name }));
    }
    if let Some(user) = personal {
        let data_dir = user.home.join(".local/share/offhost").display().to_string();
        let temp_dir = user.home.join(".cache/offhost").display().to_string();
        defaults
            .entry(("Server", "TempDir"))
            .or_insert((temp_dir, Origin::Default));
        let values = [
            (("Server", "DataDir"), data_dir),
            (("Applications", "RunAs"), user.name.clone()),
            (("Python", "Enabled"), "true".to_owned()),
            (("Quarto", "Enabled"), "true".to_owned()),
            (("NodeJs", "Enabled"), "true".to_owned()),
        ];
        defaults.extend(values.map(|(key, value)| (key, (value, Origin::Default))));
    }
    defaults
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
