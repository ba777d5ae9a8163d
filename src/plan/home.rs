//! What a process sees at `/home`, and what HOME says (FS5, EN1).

use std::path::{Path, PathBuf};

use super::{HomePlan, Identity, Mask, Mode, PlanError};
use crate::settings::Settings;

/// Where homes are, and what `Applications.HomeMounting` covers.
pub(super) const HOME: &str = "/home";

/// The decision.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) plan: HomePlan,
    /// Value of HOME.
    pub(super) value: String,
}

/// Without `HomeMounting` HOME is the account's home, or the process's own temporary directory where the
/// account has none: programs that find no HOME at all fail in odd ways.
pub(super) fn decide(
    mode: Mode,
    settings: &Settings,
    identity: &Identity,
    masks: &[Mask],
    tmp: &str,
) -> Home {
    let home = visible(identity, masks);
    if settings.applications.home_mounting {
        let plan = match (mode, home) {
            (Mode::Local, Some(home)) => HomePlan::CoveredBy(home.to_path_buf()),
            // No home of the server reaches a Pod.
            (Mode::Local, None) | (Mode::Pod, _) => HomePlan::Empty,
        };
        return Home {
            plan,
            value: HOME.to_owned(),
        };
    }
    Home {
        plan: HomePlan::AsIs,
        value: home.map_or_else(|| tmp.to_owned(), |home| home.to_string_lossy().into_owned()),
    }
}

/// Where a directory for temporary files is seen once `/home` is covered. Below the account's own home it has moved
/// with that; anywhere else below `/home` it is gone, and would have to be made in the account's home.
pub(super) fn seen_at(plan: &HomePlan, path: &Path) -> Result<String, PlanError> {
    let target = match plan {
        HomePlan::CoveredBy(home) => match path.strip_prefix(home) {
            Ok(rest) => Path::new(HOME).join(rest),
            Err(_) if path.starts_with(HOME) => {
                return Err(PlanError::MaskHides {
                    setting: "Applications.HomeMounting".to_owned(),
                    path: HOME.to_owned(),
                    needed: format!("Server.TempDir, for '{}'", path.display()),
                });
            }
            Err(_) => path.to_owned(),
        },
        HomePlan::AsIs | HomePlan::Empty => path.to_owned(),
    };
    Ok(target.to_string_lossy().into_owned())
}

/// The account's home, unless a mask hides it: an account whose home is `DataDir` must not show it again.
fn visible<'a>(identity: &'a Identity, masks: &[Mask]) -> Option<&'a Path> {
    let home: Option<&PathBuf> = identity.home.as_ref();
    home.filter(|home| home.to_str().is_some() && home.parent().is_some())
        .filter(|home| !masks.iter().any(|mask| home.starts_with(&mask.path)))
        .map(PathBuf::as_path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: FS5 (L), TD1 (L)
    #[test]
    fn temporary_files_move_with_the_home_that_covers_the_others() {
        let covered = HomePlan::CoveredBy("/home/ada".into());
        let seen = |plan, path: &str| seen_at(plan, Path::new(path)).map_err(|error| error.to_string());
        assert_eq!(
            seen(&covered, "/home/ada/.cache/k").as_deref(),
            Ok("/home/.cache/k")
        );
        assert_eq!(seen(&covered, "/tmp/k").as_deref(), Ok("/tmp/k"));
        assert_eq!(seen(&HomePlan::AsIs, "/home/ada/k").as_deref(), Ok("/home/ada/k"));
        let said = seen(&covered, "/home/shared/k").unwrap_err();
        assert!(
            said.contains("Applications.HomeMounting is /home") && said.contains("'/home/shared/k'"),
            "{said}"
        );
    }
}
