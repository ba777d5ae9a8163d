//! What an interpreter is asked for its version, and what its answer means. Pure.

use std::path::PathBuf;

use super::LanguageName;
use super::version::Version;

/// `sys.version_info` and not `sys.version`, which says `3.13.1+` in a build from a checkout.
pub(super) const PYTHON_QUESTION: &str = "import sys; v = sys.version_info; \
    pre = {'alpha': 'a', 'beta': 'b', 'candidate': 'rc'}.get(v[3]); \
    print('%d.%d.%d%s' % (v[0], v[1], v[2], pre + str(v[4]) if pre else '')); print(sys.executable)";
/// Asked only where the first line of `R --version` has no number: `R Under development (unstable)`.
pub(super) const R_QUESTION: &str = "cat(as.character(getRversion()))";

/// What an executable said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Its version.
    pub(super) version: Version,
    /// The executable that really answered, where it says so: a wrapper starts another one.
    pub(super) executable: Option<PathBuf>,
}

/// Whether an R says that it has to be asked by its own words.
pub(super) fn is_under_development(language: LanguageName, said: &str) -> bool {
    language == LanguageName::R && said.starts_with("R Under development")
}

/// Reads an answer; where it has no version, its first line.
pub(super) fn read(language: LanguageName, said: &str) -> Result<Answer, String> {
    let mut lines = said.lines();
    let first = lines.next().unwrap_or_default();
    let version = match language {
        LanguageName::R => first
            .strip_prefix("R version ")
            .and_then(|rest| rest.split(' ').next()),
        LanguageName::Nodejs => first.trim().strip_prefix('v'),
        _ => first.split_whitespace().last(),
    };
    let executable = lines.next().filter(|_| language == LanguageName::Python);
    let executable = executable.map(PathBuf::from).filter(|path| path.is_absolute());
    let version = parse(version.unwrap_or_default(), first)?;
    Ok(Answer { version, executable })
}

/// Reads what an R under development says of itself.
pub(super) fn read_own(said: &str) -> Result<Answer, String> {
    Ok(Answer {
        version: parse(said.trim(), said)?,
        executable: None,
    })
}

fn parse(version: &str, said: &str) -> Result<Version, String> {
    Version::parse(version).map_err(|_| said.chars().take(200).collect())
}
