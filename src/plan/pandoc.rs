//! Which pandoc a document gets (EN6): by the version of rmarkdown in its lock.

use std::path::Path;

use crate::content::BundleFacts;
use crate::settings::Applications;

/// The directory for `RSTUDIO_PANDOC`, if the settings name one. Content without a locked rmarkdown uses the
/// installed one, which is taken to be a recent one.
pub(super) fn directory<'a>(facts: &BundleFacts, applications: &'a Applications) -> Option<&'a Path> {
    let directory = match rmarkdown_version(facts) {
        Some(version) if version < (1, 9) => &applications.pandoc1_dir,
        Some(version) if version < (2, 5) => &applications.pandoc2_dir,
        _ => &applications.pandoc211_dir,
    };
    directory.as_deref()
}

fn rmarkdown_version(facts: &BundleFacts) -> Option<(u64, u64)> {
    let packages = &facts.r.as_ref()?.packages;
    let version = &packages
        .iter()
        .find(|package| package.name == "rmarkdown")?
        .version;
    let mut parts = version.split(['.', '-']);
    let major = parts.next()?.parse().ok()?;
    Some((
        major,
        parts.next().and_then(|minor| minor.parse().ok()).unwrap_or(0),
    ))
}
