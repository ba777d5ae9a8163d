//! Variables given by reference: in local mode a Secret is a directory `secrets/NAME` beside the configuration file, a
//! ConfigMap one below `configmaps/`, and a key is a file in it (EN4). Read when a process starts, never printed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::api::job::KeyRef;
use crate::plan::EnvValue;

/// A reference that leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is no configuration directory to look in.
    #[error(
        "variable {variable} is taken from {kind} {name}, but no configuration file is in use; give one with --config"
    )]
    NoPlace {
        /// The variable.
        variable: String,
        /// Secret or ConfigMap.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The name or the key is not a plain file name.
    #[error(
        "variable {variable}: {value:?} can not be the name or key of a {kind}; use letters, digits, '-', '_' and '.'"
    )]
    Name {
        /// The variable.
        variable: String,
        /// Secret or ConfigMap.
        kind: &'static str,
        /// What was given.
        value: String,
    },
    /// The file can not be read.
    #[error(
        "variable {variable} is taken from key {key} of {kind} {name}, but {path} can not be read: {source}; write the value there, or correct spec.env"
    )]
    Read {
        /// The variable.
        variable: String,
        /// Secret or ConfigMap.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The key.
        key: String,
        /// Where it was looked for.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The file is open to other accounts.
    #[error("{path} can be read by other accounts; run chmod 0600 on it")]
    Open {
        /// The file.
        path: PathBuf,
    },
}

/// The values of all variables that are given by reference.
///
/// # Errors
/// The first reference that leads nowhere.
pub fn resolve(
    env: &BTreeMap<String, EnvValue>,
    config_dir: Option<&Path>,
) -> Result<BTreeMap<String, String>, SecretError> {
    let mut values = BTreeMap::new();
    for (variable, value) in env {
        let found = match value {
            EnvValue::Value(_) => continue,
            EnvValue::SecretKeyRef(key) => read(variable, "Secret", key, config_dir)?,
            EnvValue::ConfigMapKeyRef(key) => read(variable, "ConfigMap", key, config_dir)?,
        };
        values.insert(variable.clone(), found);
    }
    Ok(values)
}

fn read(
    variable: &str,
    kind: &'static str,
    key: &KeyRef,
    config_dir: Option<&Path>,
) -> Result<String, SecretError> {
    let Some(place) = config_dir else {
        return Err(SecretError::NoPlace {
            variable: variable.to_owned(),
            kind,
            name: key.name.clone(),
        });
    };
    for part in [&key.name, &key.key] {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if part.is_empty() || part.starts_with('.') || !part.chars().all(plain) {
            return Err(SecretError::Name {
                variable: variable.to_owned(),
                kind,
                value: part.clone(),
            });
        }
    }
    let folder = if kind == "Secret" { "secrets" } else { "configmaps" };
    let path = place.join(folder).join(&key.name).join(&key.key);
    let fault = |source| SecretError::Read {
        variable: variable.to_owned(),
        kind,
        name: key.name.clone(),
        key: key.key.clone(),
        path: path.clone(),
        source,
    };
    let text = std::fs::read_to_string(&path).map_err(fault)?;
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).map_err(fault)?);
    if kind == "Secret" && mode & 0o004 != 0 {
        return Err(SecretError::Open { path });
    }
    // An editor's final newline is not part of the value.
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn key(name: &str, key: &str) -> EnvValue {
        EnvValue::SecretKeyRef(KeyRef {
            name: name.into(),
            key: key.into(),
        })
    }

    /// Proves: EN4 (L)
    #[test]
    fn values_come_from_files_only_root_can_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secrets/db/password");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "s3cret\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let env = BTreeMap::from([("PW".to_owned(), key("db", "password"))]);
        assert_eq!(resolve(&env, Some(dir.path())).unwrap()["PW"], "s3cret");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            resolve(&env, Some(dir.path())),
            Err(SecretError::Open { .. })
        ));
    }

    /// Proves: EN4 (L)
    #[test]
    fn a_reference_can_not_leave_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        for bad in [key("..", "x"), key("a/b", "x"), key("a", "../x"), key("", "x")] {
            let env = BTreeMap::from([("X".to_owned(), bad)]);
            assert!(matches!(
                resolve(&env, Some(dir.path())),
                Err(SecretError::Name { .. })
            ));
        }
        let env = BTreeMap::from([("X".to_owned(), key("none", "x"))]);
        assert!(
            resolve(&env, Some(dir.path()))
                .unwrap_err()
                .to_string()
                .contains("key x of Secret none")
        );
    }
}
