//! What can be wrong with settings. Each message is one sentence that also says what to do.

use std::path::PathBuf;

use super::gcfg::GcfgError;
use super::origin::Origin;
use super::values::ValueError;

/// Settings that can not be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The settings file could not be read.
    #[error("the settings file {} can not be read ({source}); name an existing, readable file", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The settings file is not gcfg.
    #[error(transparent)]
    Syntax(#[from] GcfgError),
    /// A key that its section does not have.
    #[error("{origin}: [{section}] has no key '{key}'{suggestion}{}", remove_unless(.suggestion))]
    UnknownKey {
        /// Where it stands.
        origin: Origin,
        /// The section.
        section: String,
        /// The key as written.
        key: String,
        /// `; did you mean …?`, or nothing.
        suggestion: String,
    },
    /// A section whose name is close to one that is read.
    #[error("{origin}: there is no section [{section}]{suggestion}")]
    UnknownSection {
        /// Where it stands.
        origin: Origin,
        /// The section as written.
        section: String,
        /// `; did you mean …?`.
        suggestion: String,
    },
    /// A variable that is close to one that is read.
    #[error("the variable {name} names no setting{suggestion}{}", unset_unless(.suggestion))]
    UnknownVariable {
        /// Its name.
        name: String,
        /// `; did you mean …?`, or nothing.
        suggestion: String,
    },
    /// A name after a section that takes none.
    #[error("{origin}: [{section} \"{name}\"] takes no name; write [{section}]")]
    NameNotTaken {
        /// Where it stands.
        origin: Origin,
        /// The section.
        section: String,
        /// The name.
        name: String,
    },
    /// No name after a section that needs one.
    #[error("{origin}: [{section}] needs a name; write [{section} \"name\"]")]
    NameMissing {
        /// Where it stands.
        origin: Origin,
        /// The section.
        section: String,
    },
    /// A value that is not of its setting's kind.
    #[error("{origin}: {setting}: {problem}")]
    Value {
        /// Where the value comes from.
        origin: Origin,
        /// `Section.Key`.
        setting: String,
        /// What is wrong with it.
        #[source]
        problem: ValueError,
    },
}

fn remove_unless(suggestion: &str) -> &'static str {
    if suggestion.is_empty() {
        "; correct or remove the line"
    } else {
        ""
    }
}

fn unset_unless(suggestion: &str) -> &'static str {
    if suggestion.is_empty() {
        "; correct or unset it"
    } else {
        ""
    }
}
