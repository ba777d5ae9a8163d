//! Names of built archives. What a build leaves is its own doing, so nothing but such names is taken from it. Pure.

/// How a built source archive ends.
const END: &str = ".tar.gz";
/// What stands between version and platform of a binary archive.
const PLATFORM: &str = "_R_";
/// No name of a package or version comes near.
const LONGEST: usize = 200;

/// What kind of archive a file is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `praise_1.0.tar.gz`, made by `R CMD build`.
    Source,
    /// `praise_1.0_R_x86_64-pc-linux-gnu.tar.gz`, made by `R CMD INSTALL --build`.
    Binary,
}

/// The kind of archive that has this name; `None` where no archive of R has.
#[must_use]
pub fn kind(name: &str) -> Option<Kind> {
    let stem = name.strip_suffix(END).filter(|_| name.len() <= LONGEST)?;
    let (stem, platform) = match stem.split_once(PLATFORM) {
        Some((stem, platform)) => (stem, Some(platform)),
        None => (stem, None),
    };
    let (package, version) = stem.split_once('_')?;
    let is_package = package.starts_with(|c: char| c.is_ascii_alphabetic())
        && package.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
        && !package.ends_with('.')
        && package.len() > 1;
    let is_version = version.starts_with(|c: char| c.is_ascii_digit())
        && version.ends_with(|c: char| c.is_ascii_digit())
        && version
            .chars()
            .all(|c| c.is_ascii_digit() || c == '.' || c == '-');
    let is_platform = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    if !is_package || !is_version {
        return None;
    }
    match platform {
        None => Some(Kind::Source),
        Some(platform) => is_platform(platform).then_some(Kind::Binary),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Proves: GB4 (B)
    #[test]
    fn archives_are_told_by_their_names() {
        assert_eq!(kind("praise_1.0.tar.gz"), Some(Kind::Source));
        assert_eq!(kind("data.table_1.15.99-2.tar.gz"), Some(Kind::Source));
        assert_eq!(
            kind("praise_1.0_R_x86_64-pc-linux-gnu.tar.gz"),
            Some(Kind::Binary)
        );
        for name in [
            "praise.tar.gz",
            "praise_1.0.tar",
            ".praise_1.0.tar.gz",
            "a/b_1.0.tar.gz",
            "praise_../x.tar.gz",
            "praise_1.0_R_.tar.gz",
        ] {
            assert_eq!(kind(name), None, "{name}");
        }
    }

    proptest! {
        /// Proves: GB4 (B)
        #[test]
        fn no_name_that_is_taken_leads_elsewhere(name in "\\PC{0,12}_[0-9.\\-]{0,6}(_R_)?\\PC{0,6}(\\.tar\\.gz)?") {
            if kind(&name).is_some() {
                prop_assert!(!name.contains(['/', '\0', '\n']) && !name.starts_with('.') && !name.starts_with('-'));
                prop_assert!(name.ends_with(END));
            }
        }
    }
}
