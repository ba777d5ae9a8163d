//! Where everything lies below `DataDir`. Pure: every function gives a path relative to it.
//!
//! `XX` is a content item, `YY` a bundle, `VV` a variant, `RR` a result, `TT` a job.

use std::path::{Path, PathBuf};

pub use super::ids::{ContentId, NameError, Variant};

/// Prefix of everything that is being made or taken away; what a killed run leaves under it is removed.
pub const STAGING_PREFIX: &str = ".staging-";
/// Prefix of trees that were already taken away and only wait for their removal.
pub const GONE_PREFIX: &str = ".staging-gone-";
/// Prefix of the directories that archives are unpacked to before they are deployed.
pub const UNPACK_PREFIX: &str = ".staging-unpack-";
/// Prefix of the directories where R packages are built.
pub const R_STAGING_PREFIX: &str = "staging.";
/// Prefix of the fresh copies that renders work on (RD1).
pub const COPY_PREFIX: &str = "temp.render.";
/// Name of a job's record in its directory.
pub const JOB_RECORD: &str = "job.json";
/// Name of the record by which a controller finishes an attempt, beside [`JOB_RECORD`].
pub const ATTEMPT_RECORD: &str = "attempt.json";
/// Name of the mark of a data directory that a controller works in.
pub const CONTROLLER: &str = ".controller";
/// Name of the link to the bundle or result in force (RD3).
pub const ACTIVE: &str = "active";

/// The number a file name stands for: digits only, no leading zero, at least 1.
#[must_use]
pub fn parse_number(name: &str) -> Option<u64> {
    let plain = !name.starts_with('0') && name.bytes().all(|b| b.is_ascii_digit());
    if plain { name.parse().ok() } else { None }
}

/// `apps`.
#[must_use]
pub fn apps() -> PathBuf {
    PathBuf::from("apps")
}

/// `apps/XX`: the bundles of a content item.
#[must_use]
pub fn app(content: &ContentId) -> PathBuf {
    apps().join(content.as_str())
}

/// `apps/XX/YY`: the source as deployed; never written by a process (AP2).
#[must_use]
pub fn bundle(content: &ContentId, bundle: u64) -> PathBuf {
    app(content).join(bundle.to_string())
}

/// `apps/XX/active`: link to the bundle in force.
#[must_use]
pub fn active_bundle(content: &ContentId) -> PathBuf {
    app(content).join(ACTIVE)
}

/// `reports/v2`.
#[must_use]
pub fn reports() -> PathBuf {
    PathBuf::from("reports/v2")
}

/// `reports/v2/XX`.
#[must_use]
pub fn content_reports(content: &ContentId) -> PathBuf {
    reports().join(content.as_str())
}

/// `reports/v2/XX/YY/temp.render.TT`: the copy a render works on (RD1).
#[must_use]
pub fn source_copy(content: &ContentId, bundle: u64, job_key: &str) -> PathBuf {
    content_reports(content)
        .join(bundle.to_string())
        .join(format!("{COPY_PREFIX}{job_key}"))
}

/// `reports/v2/XX/VV`: the results of one variant.
#[must_use]
pub fn variant(content: &ContentId, variant: &Variant) -> PathBuf {
    content_reports(content).join(variant.as_str())
}

/// `reports/v2/XX/VV/RR`: one result (RD2).
#[must_use]
pub fn result(content: &ContentId, variant_name: &Variant, rendering: u64) -> PathBuf {
    variant(content, variant_name).join(rendering.to_string())
}

/// `jobs`.
#[must_use]
pub fn jobs() -> PathBuf {
    PathBuf::from("jobs")
}

/// `jobs/XX/KEY`: the record of one job; not seen by the job.
#[must_use]
pub fn job(content: &ContentId, job_key: &str) -> PathBuf {
    jobs().join(content.as_str()).join(job_key)
}

/// `jobs/XX/KEY/log`: the log directory, seen by the job (FS3).
#[must_use]
pub fn job_log(content: &ContentId, job_key: &str) -> PathBuf {
    job(content, job_key).join("log")
}

/// `content`.
#[must_use]
pub fn contents() -> PathBuf {
    PathBuf::from("content")
}

/// `content/XX`: the records of a content item.
#[must_use]
pub fn content(content: &ContentId) -> PathBuf {
    contents().join(content.as_str())
}

/// `content/XX/content.json`.
#[must_use]
pub fn content_record(id: &ContentId) -> PathBuf {
    content(id).join("content.json")
}

/// `content/XX/bundles`.
#[must_use]
pub fn bundle_records(id: &ContentId) -> PathBuf {
    content(id).join("bundles")
}

/// `content/XX/bundles/YY.json`.
#[must_use]
pub fn bundle_record(id: &ContentId, bundle: u64) -> PathBuf {
    bundle_records(id).join(format!("{bundle}.json"))
}

/// `python-environments`.
#[must_use]
pub fn python_environments() -> PathBuf {
    PathBuf::from("python-environments")
}

/// `node-environments`, with `VERSION/KEY` below it.
#[must_use]
pub fn node_environments() -> PathBuf {
    PathBuf::from("node-environments")
}

/// `python-environments/pip/VERSION/KEY` (PK2).
#[must_use]
pub fn python_environment(version: &str, key: &str) -> PathBuf {
    python_environments().join("pip").join(version).join(key)
}

/// `packrat`.
#[must_use]
pub fn packrat() -> PathBuf {
    PathBuf::from("packrat")
}

/// `packrat/VERSION/v2/library`: the installed R packages.
#[must_use]
pub fn r_cache(version: &str) -> PathBuf {
    packrat().join(version).join("v2/library")
}

/// `packrat/VERSION/v2/library/PACKAGE/HASH/PACKAGE`: one installed R package (PK1).
#[must_use]
pub fn r_package(version: &str, package: &str, hash: &str) -> PathBuf {
    r_cache(version).join(package).join(hash).join(package)
}

/// `packrat/VERSION/libraries/KEY`: a library of links to installed R packages.
#[must_use]
pub fn r_library(version: &str, key: &str) -> PathBuf {
    packrat().join(version).join("libraries").join(key)
}

/// `R`.
#[must_use]
pub fn r_data() -> PathBuf {
    PathBuf::from("R")
}

/// `R/VERSION/staging.KEY`: where R packages are built (FS3).
#[must_use]
pub fn r_staging(version: &str, key: &str) -> PathBuf {
    r_data().join(version).join(format!("{R_STAGING_PREFIX}{key}"))
}

/// `runtime/DIGEST`: the starters of this program's version.
#[must_use]
pub fn runtime(digest: &str) -> PathBuf {
    PathBuf::from("runtime").join(digest)
}

/// `.staging-KEY` beside `target`: where it is made before one rename puts it in place.
#[must_use]
pub fn staging_beside(target: &Path, key: &str) -> PathBuf {
    target.with_file_name(format!("{STAGING_PREFIX}{key}"))
}

/// The lock file of `path`: `.NAME.lock` beside it.
#[must_use]
pub fn lock_beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let dot = if name.starts_with('.') { "" } else { "." };
    path.with_file_name(format!("{dot}{name}.lock"))
}

/// Whether a link that lies `depth` directories below a tree's root surely stays in that tree, however the
/// other links of the tree lead. `..` counts only in front: behind a name that is itself a link it could climb out.
#[must_use]
pub fn link_stays_inside(depth: usize, target: &Path) -> bool {
    use std::path::Component;
    let climbs = target
        .components()
        .take_while(|part| matches!(part, Component::ParentDir | Component::CurDir))
        .filter(|part| matches!(part, Component::ParentDir))
        .count();
    let named_only = target
        .components()
        .skip_while(|part| matches!(part, Component::ParentDir | Component::CurDir))
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    !target.as_os_str().is_empty() && climbs <= depth && named_only
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PW1 (L, P)
    #[test]
    fn names_are_those_of_the_product() {
        let id = ContentId::parse("xx").unwrap();
        assert_eq!(bundle(&id, 7), Path::new("apps/xx/7"));
        assert_eq!(
            source_copy(&id, 7, "tt"),
            Path::new("reports/v2/xx/7/temp.render.tt")
        );
        assert_eq!(
            result(&id, &Variant::default(), 3),
            Path::new("reports/v2/xx/default/3")
        );
        assert_eq!(
            r_package("4.2.2", "rlang", "abc"),
            Path::new("packrat/4.2.2/v2/library/rlang/abc/rlang")
        );
        assert_eq!(job_log(&id, "k"), Path::new("jobs/xx/k/log"));
        assert_eq!(lock_beside(Path::new("apps/xx/7")), Path::new("apps/xx/.7.lock"));
        assert_eq!(
            lock_beside(Path::new("a/.staging-1")),
            Path::new("a/.staging-1.lock")
        );
    }

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(parse_number("12"), Some(12));
        for bad in ["", "0", "01", "+1", "-1", "1 ", "99999999999999999999999"] {
            assert_eq!(parse_number(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_links_that_stay_are_inside() {
        let inside = |depth, target: &str| link_stays_inside(depth, Path::new(target));
        assert!(inside(0, "a/b") && inside(1, "../a") && inside(2, "./../../a") && inside(1, ".."));
        assert!(!inside(0, "../a") && !inside(1, "../../a") && !inside(0, "/etc/passwd") && !inside(0, ""));
        // `l -> ..` two levels down is harmless alone, but `a/b/l/..` climbs out through it.
        assert!(!inside(0, "a/b/l/.."));
    }
}
