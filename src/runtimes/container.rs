//! Looks into an image by a container of it (EX7).

use std::env;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use thiserror::Error;

use super::answer::{PYTHON_QUESTION, R_QUESTION};
use super::image::{self, ImageProblem, Probed, SCRIPT};
use super::places::is_executable;

/// Programs that start containers, the usual one first. All of them take the same words.
const PROGRAMS: [&str; 3] = ["docker", "podman", "nerdctl"];
/// Content runs as an account that owns nothing in an image, and so does the look.
const NOBODY: &str = "65534:65534";
/// More than this is no answer, in bytes.
const MOST: u64 = 1 << 20;

/// Why an image was not looked into.
#[derive(Debug, Error)]
pub enum ContainerError {
    /// Nothing that starts containers.
    #[error("none of docker, podman and nerdctl is on PATH; install one, or name such a program with --with")]
    NoProgram,
    /// The program that was named is not there.
    #[error(
        "'{0}', which --with names, is not on PATH; name a program that starts containers as docker does"
    )]
    NotFound(PathBuf),
    /// It can not be started, or its answer not read.
    #[error("{program} can not be run: {source}; check it with: {program} version", program = .program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It started no container, or that one failed.
    #[error(
        "{program} could not look into '{image}' ({status}); what it says is above; check the image's name and that it \
         has /bin/sh, or try: {program} pull {image}", program = .program.display()
    )]
    Failed {
        /// The program.
        program: PathBuf,
        /// The image.
        image: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// What the image said.
    #[error(transparent)]
    Image(#[from] ImageProblem),
}

/// What starts containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Containers {
    program: PathBuf,
}

impl Containers {
    /// The program that is named, else the first that is on PATH.
    ///
    /// # Errors
    /// [`ContainerError::NoProgram`], [`ContainerError::NotFound`].
    pub fn find(named: Option<&Path>) -> Result<Self, ContainerError> {
        let path = env::var_os("PATH").unwrap_or_default();
        let directories: Vec<PathBuf> = env::split_paths(&path).collect();
        Self::find_in(&directories, named)
    }

    fn find_in(directories: &[PathBuf], named: Option<&Path>) -> Result<Self, ContainerError> {
        let on_path = |name: &Path| {
            let mut all = directories.iter().map(|directory| directory.join(name));
            all.find(|path| is_executable(path))
        };
        // A name with a directory is where it says.
        let found = match named {
            Some(named) if named.components().count() > 1 => {
                Some(named.to_owned()).filter(|path| is_executable(path))
            }
            Some(named) => on_path(named),
            None => PROGRAMS.iter().find_map(|name| on_path(Path::new(name))),
        };
        let program = found.ok_or_else(|| match named {
            Some(named) => ContainerError::NotFound(named.to_owned()),
            None => ContainerError::NoProgram,
        })?;
        Ok(Self { program })
    }

    /// Starts the image, which is got first where it is not there, and finds its interpreters. What the program says of that
    /// goes to the terminal. Blocks.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub fn probe(&self, image: &str) -> Result<Probed, ContainerError> {
        image::check_name(image)?;
        let start = |source| ContainerError::Start {
            program: self.program.clone(),
            source,
        };
        let mut child = Command::new(&self.program)
            .args(arguments(image))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(start)?;
        let mut said = Vec::new();
        let read = match child.stdout.take() {
            Some(output) => output.take(MOST).read_to_end(&mut said).map(drop),
            None => Ok(()),
        };
        let status = child.wait().map_err(start)?;
        read.map_err(start)?;
        if !status.success() {
            return Err(ContainerError::Failed {
                program: self.program.clone(),
                image: image.to_owned(),
                status,
            });
        }
        Ok(image::read(image, &String::from_utf8_lossy(&said))?)
    }
}

/// A container that reaches nothing, may do nothing and is gone afterwards.
fn arguments(image: &str) -> [&str; 24] {
    [
        "run",
        "--rm",
        "--network",
        "none",
        "--user",
        NOBODY,
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--workdir",
        "/",
        "--env",
        "HOME=/",
        "--env",
        "LC_ALL=C",
        "--entrypoint",
        "/bin/sh",
        image,
        "-c",
        SCRIPT,
        "offhost-probe",
        PYTHON_QUESTION,
        R_QUESTION,
    ]
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn program(directory: &Path, name: &str, script: &str) -> PathBuf {
        let path = directory.join(name);
        // Another thread's child may hold what is written by this process, and then it can not be run.
        let mut writer = Command::new("sh")
            .args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        io::Write::write_all(&mut writer.stdin.take().unwrap(), script.as_bytes()).unwrap();
        assert!(writer.wait().unwrap().success());
        path
    }

    /// Starts no container: what would run in it runs here, with the PATH and places of this test.
    const HERE: &str = r#"#!/bin/sh
here=$(dirname "$0")
printf '%s\n' "$@" >"$here/arguments"
while [ "$1" != "an/image:1" ]; do shift; done
shift
PATH=$here/bin:/nowhere exec /bin/sh "$@"
"#;

    fn interpreter(directory: &Path, name: &str, mode: u32, said: &str) {
        let path = directory.join("bin").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        program(&directory.join("bin"), name, &format!("#!/bin/sh\n{said}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Proves: EX7 (P)
    #[test]
    fn the_image_is_started_without_rights_and_its_interpreters_are_asked() {
        let dir = tempfile::tempdir().unwrap();
        let docker = program(dir.path(), "docker", HERE);
        interpreter(
            dir.path(),
            "R",
            0o755,
            "case $1 in --version) echo 'R Under development (unstable)';; *) echo 99.6.0;; esac",
        );
        interpreter(
            dir.path(),
            "python3",
            0o755,
            "case $4 in *version_info*) echo 99.14.0rc1;; esac",
        );
        interpreter(dir.path(), "quarto", 0o644, "echo 99.6.42");
        interpreter(dir.path(), "node", 0o755, "exit 3");
        let found = Containers::find_in(&[dir.path().to_owned()], None).unwrap();
        assert_eq!(found.program, docker);
        let probed = found.probe("an/image:1").unwrap();
        let of = |language| {
            let all = probed.runtime.installations.get(&language).into_iter().flatten();
            let first = all
                .clone()
                .find(|one| one.path.starts_with(dir.path().to_str().unwrap()));
            first.map(|one| one.version.clone())
        };
        use crate::runtimes::LanguageName::{Nodejs, Python, Quarto, R};
        assert_eq!(
            [R, Python, Quarto, Nodejs].map(of),
            [
                Some("99.6.0".to_owned()),
                Some("99.14.0rc1".to_owned()),
                None,
                None
            ]
        );
        let left: Vec<&String> = probed
            .left_out
            .iter()
            .filter(|left| left.contains(dir.path().to_str().unwrap()))
            .collect();
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(
            left[0].contains("bin/quarto is left out: other accounts"),
            "{left:?}"
        );
        assert!(
            left[1].contains("bin/node is left out: asked for its version as Node.js"),
            "{left:?}"
        );
        let given = fs::read_to_string(dir.path().join("arguments")).unwrap();
        let options: Vec<&str> = given.lines().take_while(|line| *line != "-c").collect();
        assert_eq!(
            options.join(" "),
            "run --rm --network none --user 65534:65534 --cap-drop ALL --security-opt no-new-privileges --workdir / \
             --env HOME=/ --env LC_ALL=C --entrypoint /bin/sh an/image:1"
        );
    }

    /// Proves: EX7 (P)
    #[test]
    fn the_program_is_the_one_that_is_named_else_the_usual_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = [dir.path().to_owned()];
        let find =
            |named: Option<&str>| Containers::find_in(&path, named.map(Path::new)).map(|found| found.program);
        assert!(matches!(find(None), Err(ContainerError::NoProgram)));
        let [nerdctl, podman, other] =
            ["nerdctl", "podman", "other"].map(|name| program(dir.path(), name, "#!/bin/sh\n"));
        assert_eq!(find(None).unwrap(), podman);
        assert_eq!(find(Some("nerdctl")).unwrap(), nerdctl);
        assert_eq!(find(other.to_str()).unwrap(), other);
        for gone in ["docker", "./docker"] {
            assert!(
                matches!(find(Some(gone)), Err(ContainerError::NotFound(_))),
                "{gone}"
            );
        }
    }

    /// Proves: EX7 (P)
    #[test]
    fn what_fails_is_told_with_the_image_and_the_next_step() {
        let dir = tempfile::tempdir().unwrap();
        program(dir.path(), "docker", "#!/bin/sh\nexit 125\n");
        let docker = Containers::find_in(&[dir.path().to_owned()], None).unwrap();
        let said = docker.probe("an/image:1").unwrap_err().to_string();
        assert!(
            said.contains("could not look into 'an/image:1' (exit status: 125)"),
            "{said}"
        );
        assert!(said.ends_with("docker pull an/image:1"), "{said}");
        let said = docker.probe("--privileged").unwrap_err().to_string();
        assert!(
            said.starts_with("'--privileged' is not an image reference"),
            "{said}"
        );
    }
}
