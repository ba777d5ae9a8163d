//! What a process sees at `/home`, and what HOME says (FS5, EN1).

use std::path::{Path, PathBuf};

use super::{HomePlan, Identity, Mask, Mode};
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

/// The account's home, unless a mask hides it: an account whose home is `DataDir` must not show it again.
fn visible<'a>(identity: &'a Identity, masks: &[Mask]) -> Option<&'a Path> {
    let home: Option<&PathBuf> = identity.home.as_ref();
    home.filter(|home| home.to_str().is_some() && home.parent().is_some())
        .filter(|home| !masks.iter().any(|mask| home.starts_with(&mask.path)))
        .map(PathBuf::as_path)
}
