//! Paths as the server sees them and as a process sees them (PW1, PW2), both ways. Pure.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use super::layout::{ACTIVE, COPY_PREFIX, parse_number};
use crate::names::{
    MOUNT_APP, MOUNT_LOG, MOUNT_NODE, MOUNT_NODE_MODULES, MOUNT_PACKRAT, MOUNT_PYTHON, MOUNT_R, MOUNT_REPORT,
    MOUNT_RUNTIME,
};

/// What the process's `app` directory is on the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AppDir {
    /// The bundle itself: `apps/XX/YY`.
    #[default]
    Bundle,
    /// The fresh copy of a render: `reports/v2/XX/YY/temp.render.TT` (RD1).
    Copy,
    /// The output directory: a site is rendered in place (ST1).
    Output,
}

/// What is known of the job whose paths are translated; what is not is printed as `XX`, `YY`, `TT`, `VV` or `RR`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobPaths {
    /// The content item (XX).
    pub content: Option<String>,
    /// The bundle (YY).
    pub bundle: Option<String>,
    /// The job (TT).
    pub job_key: Option<String>,
    /// The variant (VV).
    pub variant: Option<String>,
    /// The result (RR).
    pub rendering: Option<String>,
    /// Digest of the starters.
    pub runtime: Option<String>,
    /// What `app` is.
    pub app: AppDir,
}

impl JobPaths {
    /// Each directory of the process, and what it is below `DataDir`.
    fn table(&self) -> [(&'static str, String); 9] {
        let known =
            |value: &Option<String>, otherwise: &str| value.clone().unwrap_or_else(|| otherwise.into());
        let (xx, yy, tt) = (
            known(&self.content, "XX"),
            known(&self.bundle, "YY"),
            known(&self.job_key, "TT"),
        );
        let (vv, rr) = (known(&self.variant, "VV"), known(&self.rendering, "RR"));
        let report = format!("reports/v2/{xx}/{vv}/{rr}");
        let app = match self.app {
            AppDir::Bundle => format!("apps/{xx}/{yy}"),
            AppDir::Copy => format!("reports/v2/{xx}/{yy}/{COPY_PREFIX}{tt}"),
            AppDir::Output => report.clone(),
        };
        [
            (MOUNT_APP, app),
            (MOUNT_REPORT, report),
            (MOUNT_R, "R".to_owned()),
            (MOUNT_PACKRAT, "packrat".to_owned()),
            (MOUNT_PYTHON, "python-environments".to_owned()),
            (MOUNT_NODE, "node-environments".to_owned()),
            (
                MOUNT_NODE_MODULES,
                "node-environments/VERSION/KEY/node_modules".to_owned(),
            ),
            (MOUNT_LOG, format!("jobs/{xx}/{tt}/log")),
            (
                MOUNT_RUNTIME,
                format!("runtime/{}", known(&self.runtime, "DIGEST")),
            ),
        ]
    }
}

/// Which way a line is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the machine's paths to the process's.
    ToSandbox,
    /// From the process's paths to the machine's.
    ToPhysical,
}

/// Where a process sees `path`, an absolute path below `data_dir`; `None` where it does not see it.
#[must_use]
pub fn to_sandbox(data_dir: &Path, path: &Path) -> Option<String> {
    let relative = path.strip_prefix(data_dir).ok()?;
    let parts: Vec<&str> = relative
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let (mount, used) = seen_as(&parts)?;
    let mut seen = mount.to_owned();
    for part in &parts[used..] {
        seen.push('/');
        seen.push_str(part);
    }
    Some(seen)
}

/// What `path`, as a process sees it, is on the machine; `None` where it is not of the data directory.
#[must_use]
pub fn to_physical(data_dir: &Path, path: &Path, job: &JobPaths) -> Option<PathBuf> {
    if path.components().any(|part| part == Component::ParentDir) {
        return None;
    }
    job.table().into_iter().find_map(|(mount, place)| {
        let rest = path.strip_prefix(mount).ok()?;
        let place = data_dir.join(place);
        Some(if rest.as_os_str().is_empty() {
            place
        } else {
            place.join(rest)
        })
    })
}

/// The directory of a process that the first components below `DataDir` are, and how many of them.
fn seen_as(parts: &[&str]) -> Option<(&'static str, usize)> {
    let number = |name: &str| name == ACTIVE || parse_number(name).is_some();
    match parts {
        ["apps", _, yy, ..] if number(yy) => Some((MOUNT_APP, 3)),
        ["reports", "v2", _, _, tt, ..] if tt.starts_with(COPY_PREFIX) => Some((MOUNT_APP, 5)),
        ["reports", "v2", _, _, rr, ..] if number(rr) => Some((MOUNT_REPORT, 5)),
        ["jobs", _, _, "log", ..] => Some((MOUNT_LOG, 4)),
        ["runtime", _, ..] => Some((MOUNT_RUNTIME, 2)),
        ["R", ..] => Some((MOUNT_R, 1)),
        ["packrat", ..] => Some((MOUNT_PACKRAT, 1)),
        ["python-environments", ..] => Some((MOUNT_PYTHON, 1)),
        ["node-environments", _, key, "node_modules", ..] if !key.starts_with('.') => {
            Some((MOUNT_NODE_MODULES, 4))
        }
        ["node-environments", ..] => Some((MOUNT_NODE, 1)),
        _ => None,
    }
}

/// Replaces every such path in a line of a log; what is not one stays byte for byte.
#[must_use]
pub fn translate_line<'l>(
    line: &'l str,
    data_dir: &Path,
    job: &JobPaths,
    direction: Direction,
) -> Cow<'l, str> {
    let data_dir = data_dir.to_str().unwrap_or_default().trim_end_matches('/');
    let table = job.table();
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(slash) = line[at..].find('/').map(|found| at + found) {
        at = slash + 1;
        if !starts_path(&line[..slash]) {
            continue;
        }
        let rest = &line[slash..];
        let found = match direction {
            Direction::ToSandbox => {
                match_physical(rest, data_dir).map(|(seen, used)| (seen.to_owned(), used))
            }
            Direction::ToPhysical => table.iter().find_map(|(mount, place)| {
                let tail = rest.strip_prefix(mount)?;
                ends_name(tail).then(|| (format!("{data_dir}/{place}"), mount.len()))
            }),
        };
        if let Some((replacement, used)) = found {
            out.push_str(&line[copied..slash]);
            out.push_str(&replacement);
            copied = slash + used;
            at = copied;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(line);
    }
    out.push_str(&line[copied..]);
    Cow::Owned(out)
}

/// The directory that the text begins with, and the length of what names it.
fn match_physical(text: &str, data_dir: &str) -> Option<(&'static str, usize)> {
    if data_dir.is_empty() {
        return None;
    }
    let mut tail = text.strip_prefix(data_dir)?;
    let mut parts = Vec::new();
    let mut ends = Vec::new();
    while parts.len() < 5 {
        let Some(after) = tail.strip_prefix('/') else {
            break;
        };
        let end = after.find(|letter| !in_name(letter)).unwrap_or(after.len());
        let followed = after[end..].starts_with('/');
        // A full stop behind the last name ends the sentence, not the name.
        let name = if followed {
            &after[..end]
        } else {
            after[..end].trim_end_matches('.')
        };
        parts.push(name);
        tail = &after[name.len()..];
        ends.push(text.len() - tail.len());
    }
    let (mount, used) = seen_as(&parts)?;
    Some((mount, ends[used - 1]))
}

fn in_name(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_' | '+' | '~' | '@' | '%')
}

/// Whether a name ends where `tail` begins.
fn ends_name(tail: &str) -> bool {
    let mut letters = tail.trim_start_matches('.').chars();
    let stopped = tail.starts_with('.');
    match letters.next() {
        None => true,
        Some(next) if stopped => next.is_whitespace(),
        Some(next) => !in_name(next),
    }
}

/// Whether an absolute path can begin behind `before`: not inside a longer path, but behind `file://` or `-I`.
fn starts_path(before: &str) -> bool {
    let word = before
        .rsplit(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '='))
        .next()
        .unwrap_or_default();
    let flag = word.len() == 2 && word.starts_with('-');
    flag || before.ends_with("://") || !before.ends_with(|letter| in_name(letter) || letter == '/')
}

#[cfg(test)]
#[path = "translate_tests.rs"]
mod tests;
