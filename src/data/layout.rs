//! Where everything lies below `DataDir`. Pure: every function gives a path relative to it.
//!
//! `XX` is a content item, `YY` a bundle, `VV` a variant, `RR` a result, `TT` a job.

use std::fmt;
use std::path::{Path, PathBuf};

/// Prefix of everything that is being made or taken away; what a killed run leaves under it is removed.
pub const STAGING_PREFIX: &str = ".staging-";
/// Prefix of trees that were already taken away and only wait for their removal.
pub const GONE_PREFIX: &str = ".staging-gone-";
/// Prefix of the fresh copies that renders work on (RD1).
pub const COPY_PREFIX: &str = "temp.render.";
/// Name of the link to the bundle or result in force (RD3).
pub const ACTIVE: &str = "active";

/// A name that can not be a content item or a variant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} '{given}' {problem}; use 1 to 63 lower-case letters, digits and '-', with a letter or digit at both ends"
)]
pub struct NameError {
    what: &'static str,
    given: String,
    problem: &'static str,
}

fn check_label(what: &'static str, given: &str) -> Result<String, NameError> {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = given.as_bytes();
    let problem = if given.is_empty() {
        "is empty"
    } else if given.len() > 63 {
        "is longer than 63 characters"
    } else if let Some(odd) = bytes
        .iter()
        .find(|b| !(b.is_ascii_lowercase() || b.is_ascii_digit() || **b == b'-'))
    {
        if odd.is_ascii_uppercase() {
            "has an upper-case letter"
        } else {
            "has a character that is not allowed"
        }
    } else if !edge(bytes.first()) || !edge(bytes.last()) {
        "begins or ends with '-'"
    } else {
        return Ok(given.to_owned());
    };
    Err(NameError {
        what,
        given: given.to_owned(),
        problem,
    })
}

/// A content item (`XX`): a DNS-1123 label, so that it can be part of a path, an object name and a host name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentId(String);

impl ContentId {
    /// Reads a name.
    ///
    /// # Errors
    /// The name is not a DNS-1123 label.
    pub fn parse(given: &str) -> Result<Self, NameError> {
        check_label("content name", given).map(Self)
    }

    /// The name a directory or archive gives to its content item: lower case, everything else as `-`.
    ///
    /// # Errors
    /// Nothing usable is left.
    pub fn from_directory_name(name: &str) -> Result<Self, NameError> {
        let mut label = String::new();
        for letter in name.chars() {
            let letter = if letter.is_ascii_alphanumeric() {
                letter.to_ascii_lowercase()
            } else {
                '-'
            };
            if letter != '-' || !label.ends_with('-') {
                label.push(letter);
            }
        }
        let cut = label.trim_start_matches('-');
        let cut = cut.get(..63).unwrap_or(cut).trim_end_matches('-');
        if cut.is_empty() {
            Self::parse(name)
        } else {
            Self::parse(cut)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ContentId {
    type Error = NameError;

    fn try_from(given: String) -> Result<Self, NameError> {
        Self::parse(&given)
    }
}

impl From<ContentId> for String {
    fn from(name: ContentId) -> Self {
        name.0
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A variant of a report (`VV`): `default`, or the name of a set of parameters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Variant(String);

impl Variant {
    /// Reads a name.
    ///
    /// # Errors
    /// The name is not a DNS-1123 label.
    pub fn parse(given: &str) -> Result<Self, NameError> {
        check_label("variant", given).map(Self)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Variant {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl TryFrom<String> for Variant {
    type Error = NameError;

    fn try_from(given: String) -> Result<Self, NameError> {
        Self::parse(&given)
    }
}

impl From<Variant> for String {
    fn from(name: Variant) -> Self {
        name.0
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

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

/// `packrat/VERSION/v2/library/PACKAGE/HASH/PACKAGE`: one installed R package (PK1).
#[must_use]
pub fn r_package(version: &str, package: &str, hash: &str) -> PathBuf {
    packrat()
        .join(version)
        .join("v2/library")
        .join(package)
        .join(hash)
        .join(package)
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
    r_data().join(version).join(format!("staging.{key}"))
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
    use proptest::prelude::*;

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

    /// Proves: FS4 (L, P)
    #[test]
    fn a_content_name_is_one_harmless_path_component() {
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a/b",
            "..",
            ".",
            "a.b",
            "ä",
            "a\0",
            &"a".repeat(64),
        ] {
            let message = ContentId::parse(bad).unwrap_err().to_string();
            assert!(message.contains("use 1 to 63"), "{message}");
        }
        assert!(ContentId::parse(&"a".repeat(63)).is_ok());
    }

    #[test]
    fn a_directory_names_its_content() {
        let named = |name| ContentId::from_directory_name(name).map(|id| id.to_string());
        assert_eq!(named("My Report (2024)").as_deref(), Ok("my-report-2024"));
        assert_eq!(named("__a__").as_deref(), Ok("a"));
        assert!(named("___").is_err());
        assert!(named("..").is_err());
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

    proptest! {
        #[test]
        fn any_directory_name_gives_a_valid_label_or_an_error(name in "\\PC{0,80}") {
            if let Ok(id) = ContentId::from_directory_name(&name) {
                prop_assert!(ContentId::parse(id.as_str()).is_ok());
            }
        }
    }
}
