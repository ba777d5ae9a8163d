//! The file of builders: which repositories are watched, and what is built of them. Pure.

mod access;
mod limits;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

pub use access::Access;
use limits::WrittenLimits;
use serde::Deserialize;

use super::refs::{RefError, Refs, State};
use super::source::{GitUrl, SourceError, check_reference, check_subdirectory};
use crate::settings::values::{ValueError, parse_duration};
use crate::settings::{BuildLimits, BuildSettings};
use crate::yaml::YamlFault;

/// A repository is not asked more often.
const SHORTEST_POLL: Duration = Duration::from_secs(1);
/// Longest name of a builder: it is the name of a file and of a directory.
const LONGEST_NAME: usize = 64;
/// Time that a build has where its builder says nothing.
pub const BUILD_LIMIT: Duration = Duration::from_mins(30);

/// Why a file of builders is refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not what the format says.
    #[error(transparent)]
    Format(#[from] YamlFault),
    /// A name that is no file name.
    #[error(
        "{file}: '{name}' can not be the name of a builder; use up to {LONGEST_NAME} letters, digits, '.', '-' and '_', a letter or digit first"
    )]
    Name {
        /// The file.
        file: String,
        /// The name.
        name: String,
    },
    /// Two builders of one name.
    #[error("{file}: two builders are called '{name}'; give each a name of its own")]
    Twice {
        /// The file.
        file: String,
        /// The name.
        name: String,
    },
    /// Address, branch or subdirectory.
    #[error("{file}: builder '{name}': {problem}")]
    Source {
        /// The file.
        file: String,
        /// The builder.
        name: String,
        /// What is wrong.
        #[source]
        problem: SourceError,
    },
    /// A duration or a limit.
    #[error("{file}: builder '{name}': {key}: {problem}")]
    Value {
        /// The file.
        file: String,
        /// The builder.
        name: String,
        /// The key.
        key: &'static str,
        /// What is wrong.
        #[source]
        problem: ValueError,
    },
    /// Something that does not go together.
    #[error("{file}: builder '{name}': {problem}")]
    Combination {
        /// The file.
        file: String,
        /// The builder.
        name: String,
        /// What is wrong and what to do.
        problem: &'static str,
    },
}

/// What starts a build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// Each new commit at the head of a branch.
    #[default]
    Commits,
    /// Each new tag.
    Tags,
}

/// One builder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitBuilder {
    /// Its name.
    pub name: String,
    /// The repository.
    pub url: GitUrl,
    /// What starts a build.
    pub trigger: Trigger,
    /// The branch whose commits are built; the repository's main one where there is none.
    pub branch: Option<String>,
    /// Where the package lies in the repository.
    pub subdirectory: PathBuf,
    /// Where archives appear.
    pub output: PathBuf,
    /// How often the repository is looked at.
    pub poll: Duration,
    /// How long a build may take.
    pub limit: Duration,
    /// What each step of a build may use.
    pub limits: BuildLimits,
    /// What the repository is asked with.
    pub access: Access,
    /// What is made.
    pub products: Products,
}

/// What is made of a package.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Products {
    /// A binary archive as well.
    pub binary: bool,
    /// With its vignettes made anew.
    pub vignettes: bool,
}

impl GitBuilder {
    /// Everything that an archive depends on besides the commit.
    #[must_use]
    pub fn recipe(&self) -> String {
        let Products { binary, vignettes } = self.products;
        let words = (
            self.url.as_str(),
            &self.subdirectory,
            &self.output,
            binary,
            vignettes,
        );
        format!("{words:?}")
    }

    /// The states of its repository that it wants built.
    ///
    /// # Errors
    /// The branch is not there.
    pub fn wanted(&self, refs: &Refs) -> Result<Vec<State>, RefError> {
        match self.trigger {
            Trigger::Tags => Ok(refs.tags()),
            Trigger::Commits => refs.branch(self.branch.as_deref()).map(|state| vec![state]),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    builders: Vec<WrittenBuilder>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenBuilder {
    name: String,
    url: String,
    #[serde(default)]
    build_trigger: Trigger,
    branch: Option<String>,
    subdir: Option<String>,
    output: Option<PathBuf>,
    poll_interval: Option<String>,
    timeout: Option<String>,
    #[serde(default)]
    limits: WrittenLimits,
    credentials: Option<PathBuf>,
    ssh_key: Option<PathBuf>,
    #[serde(default)]
    binary: bool,
    #[serde(default)]
    vignettes: bool,
}

/// Reads the text of a file; `file` is only for messages.
///
/// # Errors
/// [`FileError`].
pub fn parse(text: &str, file: &str, settings: &BuildSettings) -> Result<Vec<GitBuilder>, FileError> {
    let written: Written = serde_yaml::from_str(text).map_err(|error| YamlFault::of(&error, file))?;
    let mut names = BTreeSet::new();
    let mut builders = Vec::new();
    for written in written.builders {
        // Names of files: on some file systems they differ by more than their case.
        if !names.insert(written.name.to_lowercase()) {
            return Err(FileError::Twice {
                file: file.to_owned(),
                name: written.name,
            });
        }
        builders.push(builder(written, file, settings)?);
    }
    Ok(builders)
}

fn builder(written: WrittenBuilder, file: &str, settings: &BuildSettings) -> Result<GitBuilder, FileError> {
    let name = written.name;
    if !is_name(&name) {
        return Err(FileError::Name {
            file: file.to_owned(),
            name: name.escape_debug().to_string(),
        });
    }
    let source = |problem| FileError::Source {
        file: file.to_owned(),
        name: name.clone(),
        problem,
    };
    let time = |key, text: &str, least: Duration| {
        let problem = match parse_duration(text) {
            Ok(time) if time >= least => return Ok(time),
            Ok(_) => {
                return Err(combination(
                    file,
                    &name,
                    "a time is below one second; write it as in 5m or 90s",
                ));
            }
            Err(problem) => problem,
        };
        Err(FileError::Value {
            file: file.to_owned(),
            name: name.clone(),
            key,
            problem,
        })
    };
    let url = GitUrl::parse(&written.url).map_err(source)?;
    let branch = written.branch;
    branch
        .as_deref()
        .map(check_reference)
        .transpose()
        .map_err(source)?;
    let subdirectory = check_subdirectory(written.subdir.as_deref().unwrap_or_default()).map_err(source)?;
    let access = Access {
        credentials: written.credentials,
        ssh_key: written.ssh_key,
    };
    let output = written
        .output
        .unwrap_or_else(|| settings.data_dir.join("packages").join(&name));
    if let Some(problem) = mismatch(written.build_trigger, branch.is_some(), &access, &url, &output) {
        return Err(combination(file, &name, problem));
    }
    let poll = match &written.poll_interval {
        Some(text) => time("pollInterval", text, SHORTEST_POLL)?,
        None => settings.poll_interval.max(SHORTEST_POLL),
    };
    let limit = written
        .timeout
        .as_deref()
        .map(|text| time("timeout", text, SHORTEST_POLL));
    let limits = written.limits.over(settings.limits);
    let limits = limits.map_err(|(key, problem)| FileError::Value {
        file: file.to_owned(),
        name: name.clone(),
        key,
        problem,
    })?;
    Ok(GitBuilder {
        url,
        trigger: written.build_trigger,
        branch,
        subdirectory,
        output,
        poll,
        limit: limit.transpose()?.unwrap_or(BUILD_LIMIT),
        limits,
        access,
        products: Products {
            binary: written.binary,
            vignettes: written.vignettes,
        },
        name,
    })
}

fn combination(file: &str, name: &str, problem: &'static str) -> FileError {
    FileError::Combination {
        file: file.to_owned(),
        name: name.to_owned(),
        problem,
    }
}

fn mismatch(
    trigger: Trigger,
    has_branch: bool,
    access: &Access,
    url: &GitUrl,
    output: &std::path::Path,
) -> Option<&'static str> {
    if trigger == Trigger::Tags && has_branch {
        return Some("tags are of no branch; leave out branch, or write 'buildTrigger: commits'");
    }
    if access.credentials.is_some() && !url.is_http() {
        return Some(
            "credentials are for http: and https: alone; leave them out, or name an sshKey for ssh:",
        );
    }
    if access.ssh_key.is_some() && url.scheme() != "ssh" {
        return Some("an sshKey is for ssh: alone; leave it out, or name credentials for https:");
    }
    let is_clear = |path: &std::path::Path| {
        path.is_absolute()
            && !path
                .components()
                .any(|part| part == std::path::Component::ParentDir)
    };
    if !access.secrets().iter().all(|path| is_clear(path)) || !is_clear(output) {
        return Some(
            "a path is not absolute or has '..' in it; name output, credentials and sshKey from the root on",
        );
    }
    None
}

fn is_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
