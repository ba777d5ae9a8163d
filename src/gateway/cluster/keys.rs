//! The keys that all gateways and the controllers share. They lie in the data directory, at a place that no content Pod
//! mounts, unless the settings name files of their own. The leading controller makes what is missing.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::gateway::KeyFile;
use crate::gateway::configured;
use crate::gateway::cookie_keys::random_id;
use crate::settings::Settings;

/// The hub's secret in the data directory, where the settings name none.
pub const HUB_KEY: &str = ".hub-key";
/// Its owner and group may read it: gateways run with the group of the controllers.
const MODE: u32 = 0o640;

/// The file with the hub's secret.
#[must_use]
pub(super) fn hub_key(settings: &Settings) -> PathBuf {
    let own = || settings.server.data_dir.join(HUB_KEY);
    settings.gateway.hub_key_file.clone().unwrap_or_else(own)
}

/// The file with the keys of session cookies.
#[must_use]
pub(super) fn session_keys(settings: &Settings) -> PathBuf {
    configured::session_keys(&settings.gateway, &settings.server.data_dir)
}

/// Makes the keys that are missing in the data directory, as the leading controller does. `group` is that of gateways.
/// Blocks.
///
/// # Errors
/// One can not be made or read.
pub fn make_keys(settings: &Settings, group: u32) -> io::Result<PathBuf> {
    let (sessions, hub) = (session_keys(settings), hub_key(settings));
    if settings.gateway.session_key_file.is_none() {
        make_session_keys(&sessions, group)?;
    }
    if settings.gateway.hub_key_file.is_none() {
        make_hub_key(&hub, group)?;
    }
    Ok(hub)
}

fn make_session_keys(path: &Path, group: u32) -> io::Result<()> {
    KeyFile::open_or_make(path).map_err(io::Error::other)?;
    give(path, group)
}

fn make_hub_key(path: &Path, group: u32) -> io::Result<()> {
    if !path.exists() {
        make(path)?;
    }
    give(path, group)
}

/// Whole or not at all: a gateway may look for it at any moment.
fn make(path: &Path) -> io::Result<()> {
    let secret = format!("{:032x}{:032x}\n", random_id()?, random_id()?);
    let beside = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(MODE)
        .open(&beside)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(beside, path)
}

fn give(path: &Path, group: u32) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(MODE))?;
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(path, None, Some(group))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_read_by_owner_and_group_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (sessions, hub) = (directory.path().join("sessions"), directory.path().join("hub"));
        let group = rustix::process::getegid().as_raw();
        let make = || {
            make_session_keys(&sessions, group).unwrap();
            make_hub_key(&hub, group).unwrap();
            [&sessions, &hub].map(|path| std::fs::read(path).unwrap())
        };
        let made = make();
        assert_eq!(make(), made);
        assert_eq!(made[1].len(), 65);
        for path in [&sessions, &hub] {
            let mode = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, MODE, "{}", path.display());
        }
    }
}
