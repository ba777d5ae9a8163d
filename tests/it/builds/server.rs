//! `offhost builder`: what is new is built once, whatever ends the server and whatever is wrong with other repositories.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use super::place::{Place, names, wait_for};
use crate::support::needs;

const ROOT: &str = "it becomes an account without rights";

/// A running server and its log.
struct Server {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Server {
    fn start(place: &Place) -> Self {
        let mut command =
            place.offhost(&["builder", "--admin-listen", "127.0.0.1:0", "--log-format", "text"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (stream, lines) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let mut lines = lines.lock().unwrap();
                lines.push_str(&line);
                lines.push('\n');
            }
        });
        Self { child, log }
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    #[track_caller]
    fn wait_for(&self, words: &str) {
        wait_for(words, || self.log().contains(words));
    }

    /// A page of its health and metrics.
    fn page(&self, path: &str) -> String {
        self.wait_for("health and metrics at http://");
        let log = self.log();
        let address = log
            .split("at http://")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .to_owned();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    fn end(mut self, signal: rustix::process::Signal) -> String {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
        let status = self.child.wait().unwrap();
        if signal == rustix::process::Signal::TERM {
            assert_eq!(status.code(), Some(0), "{}", self.log());
            self.wait_for("the builder has ended");
        }
        self.log()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn inode(place: &Place, name: &str) -> u64 {
    fs::metadata(place.path("out").join(name)).unwrap().ino()
}

const TERM: rustix::process::Signal = rustix::process::Signal::TERM;

/// Proves: GB1 (B), GB2 (B), GB4 (B)
#[test]
fn tags_and_commits_are_built_once_and_a_broken_repository_holds_nobody() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    for repository in ["tags", "head"] {
        place.package(&format!("repos/{repository}"), "1.0", &[]);
        place.commit(&format!("repos/{repository}"));
    }
    place.git("repos/tags", &["tag", "v1"]);
    place.git("repos/tags", &["tag", "v1-again"]);
    let broken = format!("file://{}", place.text("repos/none"));
    let builders = format!(
        "builders:\n\
         - {{name: broken, url: '{broken}', pollInterval: 1s}}\n\
         - {{name: tags, url: 'file://{repos}/tags', buildTrigger: tags, pollInterval: 1s, output: '{out}/tags'}}\n\
         - {{name: head, url: 'file://{repos}/head', pollInterval: 1s, output: '{out}/head'}}\n",
        repos = place.text("repos"),
        out = place.text("out"),
    );
    place.write_own("hidden/-etc/builders.yaml", &builders);
    let server = Server::start(&place);
    let built = |name: &str| {
        let path = place.path("out").join(name);
        wait_for(name, || path.exists());
    };
    built("tags/praise_1.0.tar.gz");
    built("head/praise_1.0.tar.gz");
    server.wait_for("ls-remote failed");
    // A tag that is new, and a commit.
    for repository in ["tags", "head"] {
        place.package(&format!("repos/{repository}"), "1.1", &[]);
        place.commit(&format!("repos/{repository}"));
    }
    place.git("repos/tags", &["tag", "v1.1"]);
    built("tags/praise_1.1.tar.gz");
    built("head/praise_1.1.tar.gz");
    assert!(server.page("/readyz").starts_with("HTTP/1.1 200"));
    wait_for("four builds", || {
        server
            .page("/metrics")
            .contains("offhost_git_builds_total{outcome=\"succeeded\"} 4")
    });
    let metrics = server.page("/metrics");
    assert!(
        metrics.contains("offhost_git_builds_sandboxed 1") && metrics.contains("{outcome=\"InvalidInput\"}"),
        "{metrics}"
    );
    let log = server.end(TERM);
    assert!(log.contains("detected R version"), "{log}");
    let archives = [
        "tags/praise_1.0.tar.gz",
        "tags/praise_1.1.tar.gz",
        "head/praise_1.0.tar.gz",
        "head/praise_1.1.tar.gz",
    ];
    let before = archives.map(|name| inode(&place, name));
    // Nothing is new: nothing is built.
    let server = Server::start(&place);
    let looks = || {
        let metrics = server.page("/metrics");
        let count = metrics
            .split("offhost_git_polls_total{outcome=\"succeeded\"} ")
            .nth(1);
        count
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    };
    wait_for("looks at repositories", || looks() >= 4);
    let log = server.end(TERM);
    assert!(!log.contains("is built"), "{log}");
    assert_eq!(archives.map(|name| inode(&place, name)), before);
    assert_eq!(names(&place.path("out/tags")).len(), 2);
    assert!(names(&place.path("temp/rspm-workspaces")).is_empty());
}

/// Proves: GB4 (B)
#[test]
fn a_server_that_is_killed_leaves_nothing_half_and_builds_again() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let meet = place.text("meet");
    let cleanup = format!("#!/bin/sh\ntouch {meet}/begun\nwhile [ -e {meet}/hold ]; do sleep 0.1; done\n");
    place.package("repos/r", "1.0", &[("cleanup", &cleanup)]);
    place.commit("repos/r");
    place.write_own("meet/hold", "");
    let builders = format!(
        "builders: [{{name: r, url: 'file://{}', pollInterval: 1s, output: '{}'}}]\n",
        place.text("repos/r"),
        place.text("out")
    );
    place.write_own("hidden/-etc/builders.yaml", &builders);
    let begun = place.path("meet/begun");
    for signal in [rustix::process::Signal::KILL, TERM] {
        let server = Server::start(&place);
        wait_for("the build", || begun.exists());
        server.end(signal);
        fs::remove_file(&begun).unwrap();
        assert!(place.out().is_empty(), "{:?}", place.out());
    }
    // Two servers do not share a directory.
    let server = Server::start(&place);
    wait_for("the build", || begun.exists());
    let second = place
        .offhost(&["builder", "--admin-listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    super::place::refused(&second, 74, &["another builder works in"]);
    fs::remove_file(place.path("meet/hold")).unwrap();
    wait_for("the archive", || place.out() == ["praise_1.0.tar.gz"]);
    server.wait_for("is built: ");
    server.end(TERM);
    assert!(
        names(&place.path("temp/rspm-workspaces")).is_empty(),
        "{:?}",
        names(&place.path("temp/rspm-workspaces"))
    );
}
