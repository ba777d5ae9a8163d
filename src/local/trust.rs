//! Who could have written a manifest: only administrators say as whom content runs (RA2).

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::api::job::ContentJobSpec;

const WRITABLE: u32 = 0o022;
const GROUP_WRITABLE: u32 = 0o020;
/// In a directory with it, nobody takes away or replaces what is somebody else's.
const STICKY: u32 = 0o1000;

/// A manifest may not say as whom content runs.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: it has content run as {account}, which administrators alone decide, and {others}; let it and the directories \
     above it belong to root and be changed by nobody else, or name no account and no content item that has one",
    .manifest.display()
)]
pub struct Untrusted {
    /// The manifest.
    pub manifest: PathBuf,
    /// As whom, in words.
    pub account: String,
    /// What others can change, or why that is not known.
    pub others: String,
}

/// Whether a manifest that a server follows may have content run as an account other than everybody's. A file that
/// somebody gives to the program is their own affair: only root can run anything as somebody else.
///
/// # Errors
/// [`Untrusted`].
pub fn check(manifest: Option<&Path>, spec: &ContentJobSpec) -> Result<(), Untrusted> {
    match &spec.run_as {
        Some(account) => check_account(manifest, &format!("'{account}'")),
        None => Ok(()),
    }
}

/// As [`check`], of an account in words.
///
/// # Errors
/// [`Untrusted`].
pub fn check_account(manifest: Option<&Path>, account: &str) -> Result<(), Untrusted> {
    let Some(manifest) = manifest else {
        return Ok(());
    };
    let others = match others(manifest) {
        Ok(None) => return Ok(()),
        Ok(Some(others)) => others,
        Err(error) => format!("it can not be seen who could have written it ({error})"),
    };
    Err(Untrusted {
        manifest: manifest.to_owned(),
        account: account.to_owned(),
        others,
    })
}

/// Who besides root and this program's own account could have written a file, in words; nobody where it is none.
///
/// # Errors
/// The file, or a directory above it, can not be looked at.
pub fn others(file: &Path) -> io::Result<Option<String>> {
    let real = file.canonicalize()?;
    let named = file.parent().map(Path::canonicalize).transpose()?;
    if let Some(who) = others_of(&real.metadata()?, false) {
        return Ok(Some(format!("{} {who}", real.display())));
    }
    let above = real.ancestors().skip(1);
    for directory in above.chain(named.iter().flat_map(|named| named.ancestors())) {
        if let Some(who) = others_of(&directory.metadata()?, true) {
            return Ok(Some(format!("{} {who}", directory.display())));
        }
    }
    Ok(None)
}

fn others_of(metadata: &Metadata, is_directory: bool) -> Option<String> {
    let own = rustix::process::geteuid().as_raw();
    let (uid, gid, mode) = (metadata.uid(), metadata.gid(), metadata.mode());
    if uid != 0 && uid != own {
        return Some(format!("belongs to user {uid}"));
    }
    if is_directory && mode & STICKY != 0 {
        return None;
    }
    // The group of root has no other members on any system that is worth the name.
    let by_group_of_root = gid == 0 && mode & WRITABLE == GROUP_WRITABLE;
    (mode & WRITABLE != 0 && !by_group_of_root).then(|| {
        format!(
            "can be changed by others than its owner (mode {:04o})",
            mode & 0o7777
        )
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    /// Proves: RA2 (L)
    #[test]
    fn whoever_could_change_a_manifest_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let manifests = dir.path().join("content.d");
        std::fs::create_dir(&manifests).unwrap();
        let file = manifests.join("a.yaml");
        std::fs::write(&file, "").unwrap();
        let mode = |path: &Path, mode| set_permissions(path, Permissions::from_mode(mode)).unwrap();
        mode(&manifests, 0o755);
        mode(&file, 0o644);
        assert_eq!(others(&file).unwrap(), None);
        mode(&file, 0o646);
        assert!(others(&file).unwrap().unwrap().contains("a.yaml can be changed"));
        mode(&file, 0o644);
        mode(&manifests, 0o777);
        assert!(
            others(&file)
                .unwrap()
                .unwrap()
                .contains("content.d can be changed")
        );
        // Nobody can replace there what is somebody else's.
        mode(&manifests, 0o1777);
        assert_eq!(others(&file).unwrap(), None);
        mode(&manifests, 0o755);
        // A link leads to a place that others can change, or lies in one.
        let open = dir.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::write(open.join("b.yaml"), "").unwrap();
        mode(&open, 0o777);
        symlink(open.join("b.yaml"), manifests.join("b.yaml")).unwrap();
        symlink(&file, open.join("c.yaml")).unwrap();
        for name in [manifests.join("b.yaml"), open.join("c.yaml")] {
            assert!(others(&name).unwrap().unwrap().contains("open can be changed"));
        }
        if rustix::process::geteuid().is_root() {
            chown(&file, Some(4242), Some(4242)).unwrap();
            assert!(others(&file).unwrap().unwrap().contains("belongs to user 4242"));
        }
        assert!(others(&dir.path().join("none")).is_err());
    }
}
