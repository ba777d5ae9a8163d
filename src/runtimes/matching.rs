//! Which installed version answers for a wanted one, and why (EX3).
//!
//! `nearest` takes, in this order: the very version; the closest patch of the same major and minor (the higher
//! of two equally close); the next higher version; the highest of the lower ones. `major-minor` and `exact`
//! allow only the same major and minor, or the very version, and choose among those in the same order.
//! A `requires` takes the place of the mode: whatever it allows may be chosen, again in that order.
//! In each step a pre-release is taken only where no release fits, unless a pre-release was asked for.

use std::{cmp::Reverse, fmt};

use super::{
    Installation, LanguageName, LanguageNeed, Matching,
    version::{Requirement, RequirementError, Version, VersionError},
};

/// What is wanted of one language, read from a [`LanguageNeed`].
#[derive(Clone, Debug)]
pub struct Wanted {
    language: LanguageName,
    version: Option<Version>,
    requires: Option<Requirement>,
    matching: Matching,
    off: bool,
}

/// A need that can not be read.
#[derive(Debug, thiserror::Error)]
pub enum NeedError {
    /// The version is none.
    #[error("the content's {} version {source}", language.label())]
    Version {
        /// The language it is for.
        language: LanguageName,
        /// What is wrong with it.
        #[source]
        source: VersionError,
    },
    /// `requires` is no specifier.
    #[error("the content's 'requires' of {} {source}", language.label())]
    Requires {
        /// The language it is for.
        language: LanguageName,
        /// What is wrong with it.
        #[source]
        source: RequirementError,
    },
}

/// How close a version is to the wanted one; the smallest is the best.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closeness {
    /// The very version.
    Same,
    /// The same major and minor.
    SameMinor {
        /// A pre-release that nobody asked for.
        prerelease: bool,
        /// Distance of the patch numbers.
        patches: u64,
        /// The higher is the better.
        version: Reverse<Version>,
    },
    /// Above the wanted one.
    Higher {
        /// A pre-release that nobody asked for.
        prerelease: bool,
        /// The lower is the better.
        version: Version,
    },
    /// Below the wanted one, or no version is wanted.
    Highest {
        /// A pre-release that nobody asked for.
        prerelease: bool,
        /// The higher is the better.
        version: Reverse<Version>,
    },
}

impl Closeness {
    fn of(found: &Version, wanted: Option<&Version>) -> Self {
        let prerelease = found.is_prerelease() && !wanted.is_some_and(Version::is_prerelease);
        let highest = Self::Highest {
            prerelease,
            version: Reverse(found.clone()),
        };
        let Some(wanted) = wanted else {
            return highest;
        };
        if found == wanted {
            Self::Same
        } else if found.major_minor() == wanted.major_minor() {
            Self::SameMinor {
                prerelease,
                patches: found.patch().abs_diff(wanted.patch()),
                version: Reverse(found.clone()),
            }
        } else if found > wanted {
            Self::Higher {
                prerelease,
                version: found.clone(),
            }
        } else {
            highest
        }
    }

    /// The step of the order, without its details: 0 is the very version.
    #[must_use]
    pub fn step(&self) -> u8 {
        match self {
            Self::Same => 0,
            Self::SameMinor { .. } => 1,
            Self::Higher { .. } => 2,
            Self::Highest { .. } => 3,
        }
    }
}

/// The interpreter chosen for one language.
#[derive(Clone, Debug)]
pub struct Match {
    /// It.
    pub installation: Installation,
    /// How close it is.
    pub closeness: Closeness,
    /// One sentence: why it.
    pub explanation: String,
}

/// Why none of the installations is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The language is not there at all.
    #[error("it has no {}", language.label())]
    Absent {
        /// The language.
        language: LanguageName,
    },
    /// The settings switch the language off.
    #[error("{} is switched off ({}.Enabled = false)", language.label(), language.label())]
    Off {
        /// The language.
        language: LanguageName,
    },
    /// No version of it is allowed.
    #[error("it has {} {installed}, and {rule}", language.label())]
    NoneAllowed {
        /// The language.
        language: LanguageName,
        /// What is allowed.
        rule: String,
        /// The versions there, as declared.
        installed: String,
    },
}

impl Wanted {
    /// Reads a need.
    ///
    /// # Errors
    /// [`NeedError`] where its version or specifier can not be read.
    pub fn read(language: LanguageName, need: &LanguageNeed) -> Result<Self, NeedError> {
        let version = need.version.as_deref().map(Version::parse).transpose();
        let parse = match language {
            LanguageName::Nodejs => Requirement::parse_npm,
            _ => Requirement::parse,
        };
        let requires = need.requires.as_deref().map(parse).transpose();
        Ok(Self {
            language,
            version: version.map_err(|source| NeedError::Version { language, source })?,
            requires: requires.map_err(|source| NeedError::Requires { language, source })?,
            matching: need.matching,
            off: need.off,
        })
    }

    /// The language it is about.
    #[must_use]
    pub fn language(&self) -> LanguageName {
        self.language
    }

    /// Whether the settings switch the language off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.off
    }

    /// Chooses among installations, whatever their order; one whose version can not be read is never chosen.
    ///
    /// # Errors
    /// [`Mismatch`] where none is allowed.
    pub fn choose(&self, installations: &[Installation]) -> Result<Match, Mismatch> {
        let best = installations
            .iter()
            .filter_map(|installation| Some((Version::parse(&installation.version).ok()?, installation)))
            .filter(|(version, _)| self.allows(version))
            .map(|(version, installation)| (Closeness::of(&version, self.version.as_ref()), installation))
            .min_by(|(a, at), (b, bt)| a.cmp(b).then_with(|| at.path.cmp(&bt.path)));
        let Some((closeness, installation)) = best else {
            return Err(self.mismatch(installations));
        };
        Ok(Match {
            explanation: self.explanation(installation, &closeness),
            installation: installation.clone(),
            closeness,
        })
    }

    fn allows(&self, found: &Version) -> bool {
        if let Some(requires) = &self.requires {
            return requires.allows(found);
        }
        let Some(wanted) = &self.version else {
            return true;
        };
        match self.matching {
            Matching::Nearest => true,
            Matching::MajorMinor => found.major_minor() == wanted.major_minor(),
            Matching::Exact => found == wanted,
        }
    }

    fn explanation(&self, found: &Installation, closeness: &Closeness) -> String {
        let subject = format!("{} {}", self.language.label(), found.version);
        let satisfies = match &self.requires {
            Some(requires) => format!(" satisfies '{requires}' and"),
            None => String::new(),
        };
        let Some(wanted) = &self.version else {
            return format!("{subject}{satisfies} is the highest there, as the content names no version");
        };
        match closeness {
            Closeness::Same => format!("{subject}{satisfies} is the version asked for"),
            Closeness::SameMinor { .. } => {
                let (major, minor) = wanted.major_minor();
                format!("{subject}{satisfies} is the closest {major}.{minor} to {wanted}")
            }
            Closeness::Higher { .. } => format!("{subject}{satisfies} is the next one above {wanted}"),
            Closeness::Highest { .. } => format!("{subject}{satisfies} is the highest one below {wanted}"),
        }
    }

    fn mismatch(&self, installations: &[Installation]) -> Mismatch {
        let language = self.language;
        if self.off {
            return Mismatch::Off { language };
        }
        if installations.is_empty() {
            return Mismatch::Absent { language };
        }
        let installed: Vec<&str> = installations.iter().map(|found| found.version.as_str()).collect();
        Mismatch::NoneAllowed {
            language,
            rule: self.rule(),
            installed: super::words::and(&installed),
        }
    }

    fn rule(&self) -> String {
        match (&self.requires, &self.version, self.matching) {
            (Some(requires), _, _) => format!("the content requires '{requires}'"),
            (None, Some(wanted), Matching::MajorMinor) => {
                let (major, minor) = wanted.major_minor();
                format!("matching 'major-minor' needs a {major}.{minor} for {wanted}")
            }
            (None, Some(wanted), Matching::Exact) => format!("matching 'exact' needs {wanted} itself"),
            (None, _, _) => "none of that is a version".to_owned(),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.language.label())?;
        match (&self.requires, &self.version) {
            (Some(requires), _) => write!(f, " '{requires}'"),
            (None, Some(version)) => write!(f, " {version} ({})", self.matching.label()),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "matching_tests.rs"]
mod tests;
