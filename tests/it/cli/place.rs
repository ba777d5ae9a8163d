//! A place of its own for each test: configuration, data directory, temporary directory, interpreters that are
//! stand-ins, and the real programs run against it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The program under test.
pub(super) const OFFHOST: &str = env!("CARGO_BIN_EXE_offhost");
/// A user and group id that no account has.
pub(super) const NOBODY: u32 = 61_234;
/// PATH of everything that is run: what a service manager gives, and not that of the person who runs the tests.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Answers as Quarto does where a run asks it, and renders by copying; leaves a trace when it renders.
const QUARTO: &str = r#"#!/bin/sh
case $1 in
--version) echo 1.4.553 ;;
render)
    echo rendered >>"CANARY/ran"
    echo "rendering $2"
    mkdir -p ../report
    { echo "<p>result of $2</p>"; cat "$2"; } >"../report/${2%.qmd}.html"
    ;;
esac
"#;

/// A directory with everything a run needs.
pub(super) struct Place {
    dir: TempDir,
    more: String,
}

impl Place {
    /// A whole place; other accounts can reach it, whatever the umask is.
    pub(super) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("offhost-cli-").tempdir().unwrap();
        let place = Self {
            dir,
            more: String::new(),
        };
        set_mode(place.root(), 0o755);
        for (name, mode) in [
            ("data", 0o755),
            ("etc", 0o755),
            ("bin", 0o755),
            ("work", 0o755),
            ("tmp", 0o1777),
            ("canary", 0o1777),
        ] {
            fs::create_dir(place.path(name)).unwrap();
            set_mode(&place.path(name), mode);
        }
        place.program("bin/quarto", &QUARTO.replace("CANARY", &place.text("canary")));
        place.write_config();
        place
    }

    pub(super) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// A path below the place, as text.
    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Adds lines to the configuration; where a single value is given again, the later one counts.
    pub(super) fn configure(&mut self, lines: &str) -> &mut Self {
        self.more.push_str(lines);
        self.more.push('\n');
        self.write_config();
        self
    }

    fn write_config(&self) {
        let text = format!(
            "[Server]\nDataDir = {data}\nTempDir = {tmp}\n[R]\nExecutableScanning = false\n[Quarto]\nEnabled = true\n\
             Executable = {quarto}\nExecutableScanning = false\n{more}",
            data = self.text("data"),
            tmp = self.text("tmp"),
            quarto = self.text("bin/quarto"),
            more = self.more,
        );
        self.file("etc/offhost.gcfg", &text);
    }

    /// Writes a file, and the directories above it.
    pub(super) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        set_mode(&path, 0o644);
        path
    }

    /// Writes a program that everybody can run.
    pub(super) fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name, text);
        set_mode(&path, 0o755);
        path
    }

    /// A document that the stand-in for Quarto renders.
    pub(super) fn document(&self, name: &str) -> PathBuf {
        self.file(
            &format!("work/{name}/{name}.qmd"),
            "---\ntitle: A page\n---\n\nHello.\n",
        );
        self.path(&format!("work/{name}"))
    }

    /// A job file with these lines of its spec, indented by nothing.
    pub(super) fn job(&self, name: &str, spec: &str) -> PathBuf {
        let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
        let text = format!(
            "apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\nmetadata: {{name: {name}}}\nspec:\n{spec}"
        );
        self.file(&format!("work/{name}.yaml"), &text)
    }

    /// A job that runs this line of shell in a directory with one file.
    pub(super) fn shell_job(&self, line: &str, more: &str) -> PathBuf {
        self.file("work/script/data.txt", "data\n");
        let words = serde_json::to_string(&["/bin/sh", "-c", line]).unwrap();
        self.job(
            "script",
            &format!("content: script\nbundle: {{path: script}}\ntask: Run\ncommand: {words}\n{more}"),
        )
    }

    /// A job that leaves a trace when it runs.
    pub(super) fn canary_job(&self) -> PathBuf {
        self.shell_job(&format!("echo ran >>{}/ran", self.text("canary")), "")
    }

    /// The program with the place's configuration, to which arguments are added.
    pub(super) fn offhost<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Call {
        let mut call = Call::new(OFFHOST);
        call.arguments(["--config".as_ref(), self.path("etc/offhost.gcfg").as_os_str()]);
        call.arguments(arguments);
        call
    }

    /// Deploys and renders a document, so that there is something to lose.
    pub(super) fn seed(&self) {
        self.offhost(["run".as_ref(), self.document("seed").as_os_str()])
            .go()
            .succeeded();
        fs::remove_file(self.path("canary/ran")).unwrap();
    }

    /// Whether content has run since the place was made, or since [`Place::seed`].
    pub(super) fn has_run(&self) -> bool {
        self.path("canary/ran").exists()
    }

    /// Everything in the data directory.
    pub(super) fn data(&self) -> BTreeMap<PathBuf, String> {
        tree(&self.path("data"))
    }

    /// Runs what must be refused when its process is about to start: its job is recorded, and nothing has run. Gives
    /// what was said.
    #[track_caller]
    pub(super) fn refused_late(&self, mut call: Call, code: i32, words: &[&str]) -> String {
        let outcome = call.go();
        outcome.refused(code, words);
        assert!(!self.has_run(), "content has run\n{outcome:?}");
        outcome.stderr
    }

    /// Runs what must be refused: one sentence with these words, this exit code, nothing started, nothing changed.
    #[track_caller]
    pub(super) fn refused(&self, mut call: Call, code: i32, words: &[&str]) -> Outcome {
        let before = self.data();
        let outcome = call.go();
        outcome.refused(code, words);
        assert!(!self.has_run(), "content has run\n{outcome:?}");
        let after = self.data();
        assert!(
            before == after,
            "the data directory has changed: {:?}\n{outcome:?}",
            changes(&before, &after)
        );
        outcome
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Each path below a directory with its mode and what it holds. Locks are not looked at: they hold nothing, and who
/// asked for one may leave it.
pub(super) fn tree(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|end| end == "lock") {
                continue;
            }
            let metadata = fs::symlink_metadata(&path).unwrap();
            let holds = if metadata.is_symlink() {
                fs::read_link(&path).unwrap().display().to_string()
            } else if metadata.is_dir() {
                open.push(path.clone());
                String::new()
            } else {
                String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
            };
            found.insert(path, format!("{:o} {holds}", metadata.permissions().mode()));
        }
    }
    found
}

fn changes(before: &BTreeMap<PathBuf, String>, after: &BTreeMap<PathBuf, String>) -> Vec<PathBuf> {
    let differs = |path: &&PathBuf| before.get(*path) != after.get(*path);
    let all: std::collections::BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    all.into_iter().filter(differs).cloned().collect()
}

/// One call of the program, in an environment of its own.
pub(super) struct Call {
    words: Vec<std::ffi::OsString>,
    env: BTreeMap<String, String>,
    prelude: String,
    user: Option<(u32, u32)>,
    stdin: Option<Vec<u8>>,
    pub(super) directory: PathBuf,
}

impl Call {
    pub(super) fn new(program: impl AsRef<std::ffi::OsStr>) -> Self {
        Self {
            words: vec![program.as_ref().to_owned()],
            env: BTreeMap::from([
                ("PATH".to_owned(), PATH.to_owned()),
                ("LANG".to_owned(), "C.UTF-8".to_owned()),
            ]),
            prelude: String::new(),
            user: None,
            stdin: None,
            directory: PathBuf::from("/"),
        }
    }

    pub(super) fn arguments<S: AsRef<std::ffi::OsStr>>(
        &mut self,
        arguments: impl IntoIterator<Item = S>,
    ) -> &mut Self {
        self.words
            .extend(arguments.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Lines of shell that run before the program in a mount namespace of its own: what they mount goes with it.
    pub(super) fn after(mut self, lines: &str) -> Self {
        self.prelude.push_str(lines);
        self.prelude.push('\n');
        self
    }

    /// Runs as this user and group, with no other group.
    pub(super) fn under(mut self, uid: u32, gid: u32) -> Self {
        self.user = Some((uid, gid));
        self
    }

    pub(super) fn input(mut self, bytes: &[u8]) -> Self {
        self.stdin = Some(bytes.to_owned());
        self
    }

    /// The whole command line, with what changes accounts and mounts in front.
    pub(super) fn command(&self) -> Command {
        let mut words: Vec<std::ffi::OsString> = Vec::new();
        if !self.prelude.is_empty() {
            let script = format!("set -e\n{}exec \"$@\"", self.prelude);
            words.extend(["unshare", "-m", "/bin/sh", "-c", &script, "sh"].map(Into::into));
        }
        if let Some((uid, gid)) = self.user {
            words.extend(
                [
                    "setpriv",
                    "--reuid",
                    &uid.to_string(),
                    "--regid",
                    &gid.to_string(),
                ]
                .map(Into::into),
            );
            words.push("--clear-groups".into());
        }
        words.extend(self.words.iter().cloned());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .envs(&self.env)
            .current_dir(&self.directory);
        command
    }

    /// Runs it to its end.
    pub(super) fn go(&mut self) -> Outcome {
        let mut command = self.command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if self.stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        let mut child = command.spawn().unwrap();
        if let (Some(bytes), Some(mut stdin)) = (&self.stdin, child.stdin.take()) {
            std::io::Write::write_all(&mut stdin, bytes).unwrap();
        }
        let output = child.wait_with_output().unwrap();
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// How a call ended, and what it said.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Outcome {
    #[track_caller]
    pub(super) fn succeeded(&self) -> &Self {
        assert_eq!(
            self.code,
            Some(0),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// The last line of standard output.
    #[track_caller]
    pub(super) fn last_line(&self) -> &str {
        self.stdout.lines().last().expect("something was printed")
    }

    /// One sentence with these words on standard error, nothing on standard output, and this exit code. Lines that
    /// belong to the sentence, such as those of a list, are indented.
    #[track_caller]
    pub(super) fn refused(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        let sentences: Vec<&str> = self
            .stderr
            .lines()
            .filter(|line| !line.starts_with(' ') && !line.starts_with("offhost: "))
            .collect();
        assert!(
            matches!(sentences[..], [only] if only.starts_with("error: ")),
            "not one sentence: {}",
            self.stderr
        );
        let said = self.stderr.split_once("error: ").map_or("", |(_, said)| said);
        for word in words {
            assert!(said.contains(word), "{word:?} is not in {said:?}");
        }
        self
    }
}
