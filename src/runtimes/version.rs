//! Versions of interpreters and the PEP 440 specifiers that ask for them (EX2, EX3).

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

/// A version as R, Python, Quarto and Node.js number themselves: `4.4.1`, `4.5.0-rc1`, `1.7.23`, `3.13.0rc1`.
///
/// It is shown as it was written. Versions are equal when they mean the same release: `4.1` is `4.1.0`, and
/// never `4.10`. A pre-release comes before its release.
#[derive(Clone, Debug)]
pub struct Version {
    written: String,
    parsed: pep440_rs::Version,
}

/// A text that is no version.
#[derive(Debug, thiserror::Error)]
#[error("'{written}' is not a version: write dotted numbers such as 4.4.1 or 3.13.0rc1")]
pub struct VersionError {
    written: String,
    #[source]
    source: Option<Box<pep440_rs::VersionParseError>>,
}

impl Version {
    /// Reads a version.
    ///
    /// # Errors
    /// [`VersionError`] where the text is not dotted numbers with an optional pre-release suffix.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let written = text.trim();
        let fail = |source| VersionError {
            written: written.to_owned(),
            source,
        };
        // A Python built from a checkout says `3.13.1+`, and publishing clients copy that into manifests.
        let parsed: pep440_rs::Version = written
            .trim_end_matches('+')
            .parse()
            .map_err(|source| fail(Some(Box::new(source))))?;
        if parsed.epoch() != 0 {
            return Err(fail(None));
        }
        Ok(Self {
            written: written.to_owned(),
            parsed,
        })
    }

    fn number(&self, place: usize) -> u64 {
        self.parsed.release().get(place).copied().unwrap_or(0)
    }

    /// The first two numbers; a missing one is 0.
    #[must_use]
    pub fn major_minor(&self) -> (u64, u64) {
        (self.number(0), self.number(1))
    }

    /// The third number; a missing one is 0.
    #[must_use]
    pub fn patch(&self) -> u64 {
        self.number(2)
    }

    /// Whether it comes before a release: `rc`, `beta`, `dev` and the like.
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        self.parsed.any_prerelease()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.parsed == other.parsed
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parsed.cmp(&other.parsed)
    }
}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parsed.hash(state);
    }
}

/// What a manifest's `requires` says: a PEP 440 specifier, for any language (EX3).
#[derive(Clone, Debug)]
pub struct Requirement {
    written: String,
    /// One of them is to be satisfied.
    alternatives: Vec<pep440_rs::VersionSpecifiers>,
}

/// A text that is no PEP 440 specifier.
#[derive(Debug, thiserror::Error)]
#[error("'{written}' is not a PEP 440 version specifier: write it like '>=3.9', '~=3.8.0' or '==4.3.*'")]
pub struct RequirementError {
    written: String,
    #[source]
    source: Box<pep440_rs::VersionSpecifiersParseError>,
}

impl Requirement {
    /// Reads a specifier.
    ///
    /// # Errors
    /// [`RequirementError`] where the text is not PEP 440; `^3.9` and a bare `3.9` are not.
    pub fn parse(text: &str) -> Result<Self, RequirementError> {
        let written = text.trim().to_owned();
        match written.parse() {
            Ok(specifiers) => Ok(Self {
                written,
                alternatives: vec![specifiers],
            }),
            Err(source) => Err(RequirementError {
                written,
                source: Box::new(source),
            }),
        }
    }

    /// Reads a range of versions of Node.js, which `package.json` writes in npm's words.
    ///
    /// # Errors
    /// [`RequirementError`] where the text is neither that nor PEP 440.
    pub fn parse_npm(text: &str) -> Result<Self, RequirementError> {
        Self::parse(text).or_else(|error| {
            let read = |range: Vec<String>| range.iter().map(|one| one.parse().ok()).collect();
            match super::npm_range::alternatives(text).and_then(read) {
                Some(alternatives) => Ok(Self {
                    written: error.written,
                    alternatives,
                }),
                None => Err(error),
            }
        })
    }

    /// Whether a version satisfies it.
    #[must_use]
    pub fn allows(&self, version: &Version) -> bool {
        self.alternatives
            .iter()
            .any(|specifiers| specifiers.contains(&version.parsed))
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    /// Proves: EX2 (L, P)
    #[test]
    fn versions_are_ordered_by_number_and_shown_as_written() {
        let ordered = [
            "3.6.3",
            "3.13.0rc1",
            "3.13.0",
            "4.1",
            "4.1.1",
            "4.2",
            "4.5.0-rc1",
            "4.5.0",
            "4.10",
            "4.10.1",
        ];
        for pair in ordered.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{} < {}", pair[0], pair[1]);
        }
        for text in ordered {
            assert_eq!(version(text).to_string(), text);
        }
    }

    /// Proves: EX2 (L, P)
    #[test]
    fn four_ten_is_never_four_one() {
        assert_ne!(version("4.10"), version("4.1"));
        assert_eq!(version("4.1"), version("4.1.0"));
        assert_eq!(version("4.10").major_minor(), (4, 10));
        assert_eq!(version("4.1").to_string(), "4.1");
    }

    #[test]
    fn a_build_from_a_checkout_counts_as_its_release() {
        assert_eq!(version("3.13.1+"), version("3.13.1"));
        assert_eq!(version("v20.11.0"), version("20.11.0"));
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in [
            "",
            "devel",
            "4.4-daily",
            "1e3",
            "4.x",
            "4.*",
            "null",
            "1!4.2",
            "4..2",
            "99999999999999999999",
        ] {
            let error = Version::parse(text).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("'{text}' is not a version")),
                "{error}"
            );
        }
    }

    /// Proves: EX3 (L, P)
    #[test]
    fn requires_is_read_as_pep_440() {
        for (specifier, inside, outside) in [
            ("~=3.8.0", "3.8.18", "3.9.0"),
            (">=3.9", "3.10.2", "3.8.19"),
            (">=3.9, <3.12", "3.11.9", "3.12.0"),
            ("==4.1.*", "4.1.3", "4.10.0"),
            ("!=4.3.0", "4.3.1", "4.3.0"),
        ] {
            let requirement = Requirement::parse(specifier).unwrap();
            assert!(requirement.allows(&version(inside)), "{specifier} {inside}");
            assert!(!requirement.allows(&version(outside)), "{specifier} {outside}");
        }
    }

    #[test]
    fn other_specifier_languages_are_refused_with_an_example() {
        for text in ["^3.9", "3.9", ">=3.9 || <2", "3.x"] {
            let error = Requirement::parse(text).unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("'>=3.9'"), "{error}");
        }
    }
}
