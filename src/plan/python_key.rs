//! Names of shared Python environments (PK2): the same requirements on the same interpreter share one.

use super::Task;
use super::digest::Digest;
use crate::content::{PythonFormat, PythonRequirements};
use crate::runtimes::{Choice, Installation};
use crate::settings::PackageManager;

/// 22 characters over the manager, the interpreter, the image and the requirements.
pub(super) fn of(
    task: &Task,
    requirements: &PythonRequirements,
    manager: PackageManager,
    python: &Installation,
    choice: &Choice,
) -> String {
    let digest = Digest::of("python-environment")
        .field(manager_name(manager))
        .field(&python.version)
        .field(&python.path)
        .field(&choice.runtime)
        .field(format_name(requirements.format))
        .fields(&requirements.lines);
    // Requirements that name files of the bundle mean something else in every bundle; sharing them would let
    // one content put its code into the environment of another.
    if requirements
        .lines
        .iter()
        .any(|line| names_a_file(line, requirements.format))
    {
        return digest.field(&task.content).field(&task.bundle).base64();
    }
    digest.base64()
}

pub(super) fn manager_name(manager: PackageManager) -> &'static str {
    match manager {
        PackageManager::Pip => "pip",
        PackageManager::Uv => "uv",
    }
}

pub(super) fn format_name(format: PythonFormat) -> &'static str {
    match format {
        PythonFormat::Requirements => "requirements",
        PythonFormat::Pyproject => "pyproject",
        PythonFormat::UvLock => "uv-lock",
    }
}

/// Whether a line refers to something beside it; in doubt it does.
fn names_a_file(line: &str, format: PythonFormat) -> bool {
    if line.contains("file:") {
        return true;
    }
    match format {
        PythonFormat::Requirements => requirement_names_a_file(line.trim()),
        PythonFormat::Pyproject | PythonFormat::UvLock => {
            let compact: String = line.chars().filter(|c| !c.is_whitespace()).collect();
            // The project itself (".") is content, not a package to install.
            [
                "path=\"",
                "directory=\"",
                "editable=\"",
                "path='",
                "directory='",
                "editable='",
            ]
            .iter()
            .any(|key| {
                compact
                    .split(key)
                    .skip(1)
                    .any(|rest| !rest.starts_with(".\"") && !rest.starts_with(".'"))
            })
        }
    }
}

fn requirement_names_a_file(line: &str) -> bool {
    const OPTIONS: [&str; 6] = ["-e", "--editable", "-r", "--requirement", "-c", "--constraint"];
    const ARCHIVES: [&str; 6] = [".whl", ".zip", ".tar.gz", ".tar.bz2", ".tar.xz", ".tgz"];
    let requirement = line.split([';', '#']).next().unwrap_or(line).trim();
    let path_like = requirement.starts_with(['.', '~'])
        || requirement.contains('/')
        || ARCHIVES.iter().any(|ending| requirement.ends_with(ending));
    OPTIONS.iter().any(|option| line.starts_with(option)) || (path_like && !requirement.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PK2 (L, P)
    #[test]
    fn files_of_the_bundle_are_seen() {
        let requirements = |line| names_a_file(line, PythonFormat::Requirements);
        for line in [
            "./pkg",
            "-e .",
            "-e git+https://h.example/x",
            "pkgs/a",
            "a.whl",
            "~/x",
            "a @ file:///x",
            "--find-links ./w",
            "-rmore.txt",
            "-c c.txt",
        ] {
            assert!(requirements(line), "{line}");
        }
        for line in [
            "numpy==1.26.4",
            "a>=1; python_version<'3.9'",
            "a @ https://h.example/a.whl",
            "--index-url https://h.example/simple",
            "a[b]~=2.0 --hash=sha256:00",
        ] {
            assert!(!requirements(line), "{line}");
        }
        let project = |line| names_a_file(line, PythonFormat::UvLock);
        assert!(project("source = { directory = \"../x\" }") && project("a = { path = 'x' }"));
        assert!(
            !project("source = { editable = \".\" }")
                && !project("source = { registry = \"https://h.example\" }")
        );
    }
}
