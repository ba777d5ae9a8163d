//! Repositories that are reached by ssh, from a real server that runs as the account (GB1).

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use super::place::{Place, around, good, names, refused, said, wait_for};
use crate::support::needs;

const ROOT: &str = "it becomes an account without rights, and mounts";
const SERVER: &str = "/usr/sbin/sshd";

/// A server of repositories, and the account's key for it.
struct Ssh {
    place: Place,
    server: Child,
    port: u16,
}

impl Ssh {
    fn start() -> Self {
        assert!(
            fs::exists(SERVER).unwrap(),
            "{SERVER} is missing; run scripts/setup --tests"
        );
        let place = Place::new();
        // Server and client ask the user database for the account, which has its entry in a mount namespace alone.
        let home = place.text("home");
        let entries = fs::read_to_string("/etc/passwd").unwrap();
        let uid = place.uid;
        let entry = format!("builder:x:{uid}:{uid}::{home}:/bin/sh\n");
        fs::write(place.path("passwd"), format!("{entries}{entry}")).unwrap();
        for name in ["host", "key", "other", "locked"] {
            let pass = if name == "locked" { "secret phrase" } else { "" };
            let file = place.text(&format!("repos/{name}"));
            let words = ["-q", "-t", "ed25519", "-C", name, "-N", pass, "-f", &file];
            assert!(Command::new("ssh-keygen").args(words).status().unwrap().success());
            for file in [file.clone(), format!("{file}.pub")] {
                chown(file, Some(uid), Some(uid)).unwrap();
            }
        }
        let known = ["key", "locked"]
            .map(|name| fs::read_to_string(place.path(&format!("repos/{name}.pub"))).unwrap());
        place.write_own("repos/authorized", &known.concat());
        // Somebody else may have taken the port in the meantime.
        let started = (0..5).find_map(|_| Self::serve(&place));
        let (server, port) = started.expect("a server of ssh");
        Self { place, server, port }
    }

    fn serve(place: &Place) -> Option<(Child, u16)> {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nAuthorizedKeysFile {0}/authorized\nPidFile none\nKexAlgorithms curve25519-sha256\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel DEBUG1\n",
            place.text("repos")
        );
        let config = place.write_own("repos/config", &text).display().to_string();
        let log = fs::File::create(place.path("sshd.log")).unwrap();
        let mut command = place.as_account(SERVER);
        command.args(["-D", "-e", "-f", &config]);
        let mut command = named(place, &command);
        let mut server = command.stderr(Stdio::from(log)).spawn().unwrap();
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some((server, port));
            }
            if server.try_wait().unwrap().is_some() {
                return None;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        drop(server.kill());
        drop(server.wait());
        None
    }

    fn url(&self, repository: &str) -> String {
        format!(
            "ssh://builder@127.0.0.1:{}{}",
            self.port,
            self.place.text(repository)
        )
    }

    fn key(&self, name: &str) -> PathBuf {
        self.place.path(&format!("repos/{name}"))
    }

    /// What the account knows of hosts.
    fn know(&self, key: &str) {
        let key = fs::read_to_string(self.key(&format!("{key}.pub"))).unwrap();
        let line = format!("[127.0.0.1]:{} {key}", self.port);
        self.place.write_own("home/.ssh/known_hosts", &line);
    }

    fn build(&self, words: &[&str]) -> Output {
        let out = self.place.text("out");
        let words = [&["build", "--output", &out], words].concat();
        named(&self.place, &self.place.offhost(&words)).output().unwrap()
    }
}

/// The command, where the account has a name.
fn named(place: &Place, command: &Command) -> Command {
    let script = format!("mount --bind {} /etc/passwd && exec \"$@\"", place.text("passwd"));
    around(
        &[
            "/usr/bin/unshare",
            "-m",
            "--propagation",
            "private",
            "/bin/sh",
            "-c",
            &script,
            "sh",
        ],
        command,
    )
}

impl Drop for Ssh {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// Proves: GB1 (B), GB3 (B)
#[test]
fn a_repository_is_built_over_ssh_with_a_key_that_nobody_sees() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let ssh = Ssh::start();
    let place = &ssh.place;
    let key = ssh.key("key").display().to_string();
    let probe = format!(
        "#!/bin/sh\nmkdir -p inst; exec >inst/seen.txt 2>&1\nenv; cat {key} {home}/.ssh/*; ls {home}/.ssh\n\
         cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'; ssh-add -l; exit 0\n",
        home = place.text("home")
    );
    place.package("repos/r", "1.0", &[("cleanup", &probe)]);
    place.commit("repos/r");
    let (url, words) = (ssh.url("repos/r/.git"), ["--ssh-key", key.as_str()]);
    // A host that is not known, and one that has another key now.
    for known in [None, Some("other")] {
        known.into_iter().for_each(|name| ssh.know(name));
        let output = ssh.build(&[words[0], words[1], &url]);
        refused(
            &output,
            65,
            &[
                "ssh does not know the key of this host",
                "known_hosts of the account",
            ],
        );
    }
    ssh.know("host");
    let output = ssh.build(&[words[0], words[1], &url]);
    good(&output);
    assert_eq!(place.out(), ["praise_1.0.tar.gz"]);
    let seen = place.read(&place.path("out/praise_1.0.tar.gz"), "praise/inst/seen.txt");
    assert!(seen.contains("PATH="), "{seen}");
    let secret = fs::read_to_string(&key).unwrap();
    let secret = secret.lines().nth(1).unwrap();
    for text in [&seen, &said(&output)] {
        for word in [secret, "PRIVATE KEY", "known_hosts\n", "OFFHOST_GIT_KEY"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
    }
    assert!(!seen.contains("SSH_"), "{seen}");
    // Branches and commits come the same way.
    let commit = place.git("repos/r", &["rev-parse", "HEAD"]);
    fs::remove_file(place.path("out/praise_1.0.tar.gz")).unwrap();
    good(&ssh.build(&[words[0], words[1], "--ref", &commit, &url]));
}

/// Proves: GB1 (B)
#[test]
fn a_key_that_is_refused_is_told_and_nothing_is_asked() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let ssh = Ssh::start();
    let place = &ssh.place;
    ssh.know("host");
    place.package("repos/r", "1.0", &[]);
    place.commit("repos/r");
    let url = ssh.url("repos/r/.git");
    let path = |name| ssh.key(name).display().to_string();
    let wrong = [
        "the host refuses the private key",
        "without a passphrase",
        "sshKey",
    ];
    // Another key, one that would have to be asked for, and none.
    refused(&ssh.build(&["--ssh-key", &path("other"), &url]), 65, &wrong);
    refused(&ssh.build(&["--ssh-key", &path("locked"), &url]), 65, &wrong);
    refused(&ssh.build(&[&url]), 65, &wrong);
    fs::set_permissions(ssh.key("key"), fs::Permissions::from_mode(0o644)).unwrap();
    refused(
        &ssh.build(&["--ssh-key", &path("key"), &url]),
        65,
        &["other accounts can read it", "chmod 600"],
    );
    fs::set_permissions(ssh.key("key"), fs::Permissions::from_mode(0o600)).unwrap();
    refused(
        &ssh.build(&["--ssh-key", &path("key"), &ssh.url("repos/none")]),
        65,
        &["ls-remote failed", "none"],
    );
    // An account that nobody knows has no ssh.
    let output = place.build(&["--ssh-key", &path("key"), &url]);
    refused(
        &output,
        65,
        &["ssh does not run for an account without a name", "/etc/passwd"],
    );
    assert_eq!(place.out(), [""; 0]);
}

/// Proves: GB1 (B)
#[test]
fn a_builder_watches_a_repository_over_ssh() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let ssh = Ssh::start();
    let place = &ssh.place;
    ssh.know("host");
    place.package("repos/r", "1.0", &[]);
    place.commit("repos/r");
    let builders = format!(
        "builders:\n  - name: praise\n    url: {}\n    pollInterval: 1s\n    sshKey: {}\n    output: {}\n",
        ssh.url("repos/r/.git"),
        ssh.key("key").display(),
        place.text("out")
    );
    place.write_own("hidden/-etc/builders.yaml", &builders);
    let command = place.offhost(&["builder", "--admin-listen", "127.0.0.1:0"]);
    let log = fs::File::create(place.path("builder.log")).unwrap();
    let mut server = named(place, &command).stderr(log).spawn().unwrap();
    wait_for("the archive", || {
        names(&place.path("out")).contains(&"praise_1.0.tar.gz".to_owned())
    });
    place.package("repos/r", "1.1", &[]);
    place.commit("repos/r");
    wait_for("the next", || {
        names(&place.path("out")).contains(&"praise_1.1.tar.gz".to_owned())
    });
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&server),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    assert!(server.wait().unwrap().success());
    let secret = fs::read_to_string(ssh.key("key")).unwrap();
    let log = fs::read_to_string(place.path("builder.log")).unwrap();
    assert!(!log.contains(secret.lines().nth(1).unwrap()), "{log}");
}
