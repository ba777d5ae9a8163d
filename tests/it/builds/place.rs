//! A place of its own for each test, outside of /tmp, which a build does not see at all: settings, secrets in everything that
//! must be hidden, repositories, packages, and an account that has no entry anywhere.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const OFFHOST: &str = env!("CARGO_BIN_EXE_offhost");
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
/// Everything that is waited for comes long before, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(120);
/// Settings that name a directory which builds do not see.
pub(super) const HIDDEN: [(&str, &str); 7] = [
    ("Server", "DataDir"),
    ("Server", "SockFileDir"),
    ("SQLite", "Dir"),
    ("Git", "BuilderDir"),
    ("FileStorage \"packages\"", "Location"),
    ("FileStorage \"metrics\"", "Location"),
    ("", "etc"),
];

pub(super) struct Place {
    dir: TempDir,
    pub(super) uid: u32,
    /// Stands in a file in each directory of [`HIDDEN`].
    pub(super) secret: String,
    servers: Vec<Child>,
}

impl Place {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let uid = 1_200_000 + std::process::id() % 10_000 * 100 + NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = tempfile::Builder::new()
            .prefix("offhost-builds-")
            .tempdir_in("/var/lib")
            .unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let place = Self {
            dir,
            uid,
            secret: format!("s3cr3t-{uid}-{}", std::process::id()),
            servers: Vec::new(),
        };
        place.directory("bin");
        for program in ["offhost", "offhost-exec"] {
            let from = PathBuf::from(OFFHOST).with_file_name(program);
            let to = place.path("bin").join(program);
            fs::hard_link(&from, &to)
                .or_else(|_| fs::copy(&from, &to).map(drop))
                .unwrap();
        }
        for name in ["home/.ssh", "out", "repos", "temp", "meet"] {
            place.own(name);
        }
        place.write_own("home/.ssh/id_x", &place.secret);
        place.configure("");
        place
    }

    /// Writes the settings, with these lines at their end.
    pub(super) fn configure(&self, more: &str) {
        let mut text = format!("[Server]\nTempDir = {}\n", self.text("temp"));
        for (section, key) in HIDDEN {
            let name = format!("hidden/{}-{key}", section.replace([' ', '"'], ""));
            self.own(&name);
            self.write_own(&format!("{name}/secret"), &self.secret);
            if !section.is_empty() {
                text.push_str(&format!("[{section}]\n{key} = {}\n", self.text(&name)));
            }
        }
        text.push_str(&format!("{more}\n"));
        self.write_own("hidden/-etc/rstudio-pm.gcfg", &text);
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// A directory of root's.
    pub(super) fn directory(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// A directory of the account's, and so are those above it.
    pub(super) fn own(&self, name: &str) -> PathBuf {
        let path = self.directory(name);
        for above in path.ancestors().take_while(|above| *above != self.dir.path()) {
            chown(above, Some(self.uid), Some(self.uid)).unwrap();
        }
        path
    }

    pub(super) fn write_own(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        chown(&path, Some(self.uid), Some(self.uid)).unwrap();
        path
    }

    /// A package with C code, as files below `name`; `more` are further files, programs where they begin with `#!`.
    pub(super) fn package(&self, name: &str, version: &str, more: &[(&str, &str)]) -> PathBuf {
        let description = format!(
            "Package: praise\nVersion: {version}\nTitle: Praises\nDescription: It praises.\nLicense: MIT\nAuthor: Ada\nMaintainer: Ada <ada@example.com>\n"
        );
        let files = [
            ("DESCRIPTION", description.as_str()),
            ("NAMESPACE", "useDynLib(praise, twice)\nexport(praise)\n"),
            (
                "R/praise.R",
                "praise <- function(n) .Call(twice, as.integer(n))\n",
            ),
            (
                "src/twice.c",
                "#include <Rinternals.h>\nSEXP twice(SEXP n) { return ScalarInteger(2 * INTEGER(n)[0]); }\n",
            ),
        ];
        for (file, text) in files.into_iter().chain(more.iter().copied()) {
            let file = format!("{name}/{file}");
            self.own(Path::new(&file).parent().unwrap().to_str().unwrap());
            let path = self.write_own(&file, text);
            let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        self.path(name)
    }

    /// Git, as the account.
    pub(super) fn git(&self, repository: &str, words: &[&str]) -> String {
        let mut command = self.as_account("git");
        command.arg("-C").arg(self.own(repository)).args(words);
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "Ada")
                .env(format!("GIT_{who}_EMAIL"), "ada@example.com");
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits everything in a repository, which is made where it is missing; gives the commit.
    pub(super) fn commit(&self, repository: &str) -> String {
        if !self.path(repository).join(".git").exists() {
            self.git(repository, &["init", "--quiet", "--initial-branch=main"]);
        }
        self.git(repository, &["add", "--all"]);
        self.git(repository, &["commit", "--quiet", "--allow-empty", "--message=x"]);
        self.git(repository, &["rev-parse", "HEAD"])
    }

    /// Serves `repos` over HTTP until the test ends; gives the address.
    pub(super) fn serve(&mut self, login: &str, kind: &str) -> String {
        let script = self.write_own("git_server.py", include_str!("git_server.py"));
        let port = self.path("home/port");
        let mut command = self.as_account("/usr/bin/python3");
        command
            .arg(script)
            .arg(self.path("repos"))
            .arg(&port)
            .args([login, kind]);
        self.servers.push(command.spawn().unwrap());
        wait_for("the server's port", || port.exists());
        format!("http://127.0.0.1:{}", fs::read_to_string(port).unwrap())
    }

    pub(super) fn as_account(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("/usr/bin/setpriv");
        let uid = self.uid.to_string();
        command
            .args(["--reuid", &uid, "--regid", &uid, "--clear-groups", "--"])
            .arg(program);
        command
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", self.path("home"))
            .current_dir(self.dir.path());
        command
    }

    /// The program, as the account, with the place's settings.
    pub(super) fn offhost(&self, words: &[&str]) -> Command {
        let mut command = self.as_account(self.path("bin/offhost"));
        command
            .arg("--config")
            .arg(self.path("hidden/-etc/rstudio-pm.gcfg"))
            .args(words);
        command.stdin(Stdio::null());
        // Something that no build may see of the server's own environment.
        command.env("CANARY", &self.secret);
        command
    }

    /// Builds into `out`.
    pub(super) fn build(&self, words: &[&str]) -> Output {
        let out = self.text("out");
        let words = [&["build", "--output", &out], words].concat();
        self.offhost(&words).output().unwrap()
    }

    /// What is in `out`, hidden files too.
    pub(super) fn out(&self) -> Vec<String> {
        names(&self.path("out"))
    }

    /// The text of a file in an archive.
    pub(super) fn read(&self, archive: &Path, file: &str) -> String {
        let output = Command::new("tar")
            .arg("-xzOf")
            .arg(archive)
            .arg(file)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}: {output:?}", archive.display());
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The same command, run by another.
pub(super) fn around(words: &[&str], inner: &Command) -> Command {
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .arg(inner.get_program())
        .args(inner.get_args());
    command.env_clear().stdin(Stdio::null());
    for (name, value) in inner.get_envs() {
        command.envs(value.map(|value| (name, value)));
    }
    command.current_dir(inner.get_current_dir().unwrap());
    command
}

impl Drop for Place {
    fn drop(&mut self) {
        for server in &mut self.servers {
            drop(server.kill());
            drop(server.wait());
        }
    }
}

pub(super) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[track_caller]
pub(super) fn wait_for(what: &str, is: impl Fn() -> bool) {
    let until = Instant::now() + LIMIT;
    while !is() {
        assert!(Instant::now() < until, "{what} has not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[track_caller]
pub(super) fn good(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// It has failed with this code and said one sentence with these words.
#[track_caller]
pub(super) fn refused(output: &Output, code: i32, words: &[&str]) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
    let text = said(output);
    let error = text.split_once("error: ").map_or("", |(_, error)| error);
    for word in words {
        assert!(error.contains(word), "'{word}' in {text}");
    }
}

pub(super) fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
