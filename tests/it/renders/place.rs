//! The data directory, the configuration and the repository of R packages that all renders share.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;

use super::bundle;
use crate::repository;
use crate::support::needs;

/// The account of the examples' configuration.
pub(crate) const ACCOUNT: &str = "rstudio-connect";

static PLACE: LazyLock<Place> = LazyLock::new(Place::make);

/// Whether renders can be tried here.
#[track_caller]
pub(crate) fn is_ready() -> bool {
    needs(
        "OFFHOST_TEST_ROOT",
        "it runs content as another account, with masks",
    ) && needs("OFFHOST_TEST_NETWORK", "packages come from their own sources")
}

/// The place, made when the first test asks for it.
pub(crate) fn place() -> &'static Place {
    &PLACE
}

/// Where renders take place.
#[derive(Debug)]
pub(crate) struct Place {
    root: PathBuf,
    configuration: PathBuf,
    /// Removes everything when its standard input is closed, which the end of this process does however it comes.
    _janitor: Child,
}

/// What a run of the program gave.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its exit code.
    pub(crate) code: Option<i32>,
    /// Its standard output.
    pub(crate) out: String,
    /// Its standard error.
    pub(crate) err: String,
}

impl Place {
    fn make() -> Self {
        let root = PathBuf::from(format!("/var/tmp/offhost-renders-{}", std::process::id()));
        make_directory(&root, 0o755);
        let janitor = Command::new("sh")
            .args(["-c", "cat >/dev/null; rm -rf \"$1\"", "janitor"])
            .arg(&root)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of reach of an interrupt that is typed at the terminal.
            .process_group(0)
            .spawn()
            .expect("sh can be started");
        for (name, mode) in [("data", 0o755), ("tmp", 0o1777), ("bundles", 0o755)] {
            make_directory(&root.join(name), mode);
        }
        make_repository(&root.join("r-repository"));
        let mut place = Self {
            configuration: PathBuf::new(),
            root,
            _janitor: janitor,
        };
        place.configuration = place.configure("usual", "");
        place
    }

    /// A configuration like that of the demonstration, with `more` at its end.
    pub(crate) fn configure(&self, name: &str, more: &str) -> PathBuf {
        let directory = self.root.join(format!("config-{name}"));
        make_directory(&directory, 0o755);
        let root = self.root.to_str().expect("the place has a plain name");
        let usual = repository::text("examples/config/rstudio-connect.gcfg")
            .replace("/var/lib/offhost-demo", root)
            .replace("TempDir = /tmp", &format!("TempDir = {root}/tmp"));
        let path = directory.join("rstudio-connect.gcfg");
        std::fs::write(&path, format!("{usual}\n{more}\n")).expect("the configuration is written");
        path
    }

    /// A directory for a bundle of this name.
    pub(crate) fn bundle(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let directory = self.root.join("bundles").join(name);
        for (file, text) in files {
            let path = directory.join(file);
            std::fs::create_dir_all(path.parent().expect("a file has a directory"))
                .expect("a directory is made");
            std::fs::write(&path, text).expect("a file is written");
        }
        directory
    }

    /// A path below the data directory.
    pub(crate) fn data(&self, below: &str) -> PathBuf {
        self.root.join("data").join(below)
    }

    /// Runs the program with the usual configuration.
    pub(crate) fn offhost<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Ran {
        self.offhost_with(&self.configuration, arguments)
    }

    /// Runs the program with another configuration.
    pub(crate) fn offhost_with<I: AsRef<OsStr>>(
        &self,
        configuration: &Path,
        arguments: impl IntoIterator<Item = I>,
    ) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhost"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("OFFHOST_") || text.starts_with("R_") || text.starts_with("RSTUDIO_") {
                command.env_remove(&name);
            }
        }
        let output = command
            .env("OFFHOST_CONFIG", configuration)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("the program can be started");
        Ran::of(&output)
    }

    /// The records of the jobs of a content item.
    pub(crate) fn jobs(&self, content: &str) -> Vec<serde_json::Value> {
        let jobs = std::fs::read_dir(self.data("jobs").join(content)).expect("the content item has jobs");
        jobs.map(|job| {
            let record = job.expect("a job can be seen").path().join("job.json");
            let text = std::fs::read_to_string(record).expect("a job has a record");
            serde_json::from_str(&text).expect("a record is JSON")
        })
        .collect()
    }
}

impl Ran {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The result's path: the last line of the output of a run that went well.
    pub(crate) fn result(&self) -> PathBuf {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        PathBuf::from(self.out.lines().last().expect("the last line is the path"))
    }

    /// The page that is the result.
    pub(crate) fn page(&self) -> Page {
        let path = self.result();
        let text = std::fs::read_to_string(&path);
        Page::new(&text.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    /// Whether the program says that it installs packages.
    pub(crate) fn installs(&self) -> bool {
        self.err.contains("offhost: installing ")
    }

    /// Where a line that holds `text` stands in what the program and the processes said.
    pub(crate) fn line(&self, text: &str) -> usize {
        let found = self.err.lines().position(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("{text}: not in\n{}", self.err))
    }
}

/// What a page shows, so far as tests ask: its lines joined by blanks, without what is embedded.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    /// How many pictures are embedded.
    pub(crate) pictures: usize,
}

impl Page {
    pub(crate) fn new(html: &str) -> Self {
        let lines = html.lines().filter(|line| line.len() < 2000);
        let text: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
        Self {
            text: text
                .join(" ")
                .replace("&#39;", "'")
                .replace("&quot;", "\"")
                .replace("&lt;", "<"),
            pictures: html.matches("src=\"data:image/png;base64,").count(),
        }
    }

    /// Fails unless the page shows this.
    #[track_caller]
    pub(crate) fn must_show(&self, text: &str) {
        assert!(self.shows(text), "{text}: not in\n{}", self.text);
    }

    pub(crate) fn shows(&self, text: &str) -> bool {
        self.text.contains(text)
    }
}

/// The directory that things are kept in which are slow to get.
pub(crate) fn cache() -> PathBuf {
    let of_variable = std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty());
    let cache = of_variable.map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/var/tmp".into())).join(".cache"),
        PathBuf::from,
    );
    cache.join("offhost")
}

/// Runs a command that a test needs. What it says is shown where it fails.
pub(crate) fn must_run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&said)
    );
}

fn make_directory(path: &Path, mode: u32) {
    std::fs::create_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("a mode can be set");
}

/// What the examples lock, and a package that remembers who built it and with which variables.
fn make_repository(directory: &Path) {
    let packages = directory.join("src/contrib");
    std::fs::create_dir_all(&packages).expect("the repository can be made");
    let mut file = std::fs::File::create(packages.join("witness_1.0.tar.gz")).expect("a file can be made");
    file.write_all(&bundle::witness()).expect("a package is written");
    must_run(Command::new(repository::root().join("scripts/make-r-repo")).arg(directory));
}
