//! What only a Pod refuses: ids that it can not have, and places that are not free in it.

use std::path::Path;

use super::{Identity, PlanError};
use crate::names;
use crate::runtimes::{Choice, VolumeSource};
use crate::settings::Settings;

/// The highest user and group id that the API server takes.
const HIGHEST_ID: u32 = 2_147_483_647;
/// The highest id in the user namespace of a Pod.
const HIGHEST_NAMESPACE_ID: u32 = 65_535;
/// Places of the kernel's own file systems, where no directory can be made.
const KERNEL: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Checks accounts, settings and image against what a Pod can be.
pub(super) fn check(
    settings: &Settings,
    choice: &Choice,
    identities: [&Identity; 2],
) -> Result<(), PlanError> {
    for identity in identities {
        ids(settings, identity)?;
    }
    temp_dir(settings)?;
    volumes(settings, choice)
}

fn ids(settings: &Settings, identity: &Identity) -> Result<(), PlanError> {
    let (place, most, remedy) = if settings.kubernetes.user_namespaces {
        (
            "the user namespace of a Pod",
            HIGHEST_NAMESPACE_ID,
            "name an account with lower ids, or set Kubernetes.UserNamespaces to false",
        )
    } else {
        ("Kubernetes", HIGHEST_ID, "name an account with lower ids")
    };
    let mut all = [identity.uid, identity.gid]
        .into_iter()
        .chain(identity.groups.iter().copied());
    match all.find(|id| *id > most) {
        Some(id) => Err(PlanError::PodIdentity {
            account: identity.user.clone(),
            id,
            place,
            most,
            remedy,
        }),
        None => Ok(()),
    }
}

fn temp_dir(settings: &Settings) -> Result<(), PlanError> {
    let path = &settings.server.temp_dir;
    let taken = [names::MOUNT_DIR, names::MOUNT_OFFHOST].into_iter().chain(KERNEL);
    match taken.into_iter().find(|place| path.starts_with(place)) {
        Some(place) => Err(PlanError::PodTempDir {
            path: path.display().to_string(),
            place,
        }),
        None => Ok(()),
    }
}

/// The volumes of the image cover nothing that a Pod needs, and are not the data directory (FS4, PW3).
fn volumes(settings: &Settings, choice: &Choice) -> Result<(), PlanError> {
    let workspaces = settings.server.temp_dir.join(names::WORKSPACES);
    let whole = [
        (workspaces.as_path(), "the temporary directories of processes"),
        (settings.server.data_dir.as_path(), "Server.DataDir"),
    ];
    let kernel = KERNEL.map(|path| (Path::new(path), path));
    // What lies below these is beside what the Pod has there itself.
    let mut shared = vec![(Path::new("/tmp"), "/tmp"), (Path::new("/var/tmp"), "/var/tmp")];
    if settings.applications.home_mounting {
        shared.push((
            Path::new(super::home::HOME),
            "/home, which Applications.HomeMounting covers",
        ));
    }
    for mount in &choice.volume_mounts {
        let path = Path::new(&mount.target.path);
        let above = |(place, _): &&(&Path, &'static str)| place.starts_with(path);
        let below = |(place, _): &&(&Path, &'static str)| path.starts_with(place);
        let apart = whole.iter().chain(&kernel);
        let covered = apart
            .clone()
            .find(below)
            .or_else(|| apart.chain(&shared).find(above));
        if let Some((_, name)) = covered {
            return Err(PlanError::VolumePath {
                image: choice.runtime.clone(),
                path: mount.target.path.clone(),
                covered: (*name).to_owned(),
            });
        }
        if let VolumeSource::Pvc { pvc_name } = &mount.source
            && settings.kubernetes.data_dir_pvc_name.as_ref() == Some(pvc_name)
        {
            return Err(PlanError::VolumeIsData {
                image: choice.runtime.clone(),
                claim: pvc_name.clone(),
            });
        }
    }
    Ok(())
}
