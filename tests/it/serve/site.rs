//! A server that serves, for one test.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::faults::place::{Done, LIMIT, Place, write};
use crate::faults::wait_for;

const INTERPRETER: &str = include_str!("interpreter.py");

/// A place with a directory of manifests.
pub(super) struct Site {
    pub(super) place: Place,
    port: u16,
    admin: u16,
    /// What the server logs, where that is not as usual.
    pub(super) levels: Option<&'static str>,
}

/// A server of a site; dropped, it is killed.
pub(super) struct Server<'a> {
    site: &'a Site,
    child: Child,
}

/// What a visitor gets.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    /// A field of its head.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut found = fields.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.trim())
    }

    /// The cookie that it sets, as a visitor sends it back.
    pub(super) fn cookie(&self) -> Option<String> {
        let line = self
            .head
            .lines()
            .find(|line| line.to_lowercase().starts_with("set-cookie:"))?;
        Some(line.split_once(':')?.1.split(';').next()?.trim().to_owned())
    }
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Site {
    pub(super) fn new(settings: &str) -> Self {
        let site = Self::of_documents(settings);
        write(&site.place.path("interpreters/python3"), INTERPRETER, 0o755);
        site
    }

    /// One whose interpreters render, and serve nothing.
    pub(super) fn of_documents(settings: &str) -> Self {
        let port = free_port();
        let text = format!("[HTTP]\nListen = 127.0.0.1:{port}\n{settings}");
        let place = Place::with(&text);
        fs::create_dir(place.path("config/content.d")).unwrap();
        Self {
            place,
            port,
            admin: free_port(),
            levels: None,
        }
    }

    /// Other settings from the next start on.
    pub(super) fn configure(&self, settings: &str) {
        let listen = format!("[HTTP]\nListen = 127.0.0.1:{}\n{settings}", self.port);
        self.place.configure(&listen);
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Content of this kind whose `app.py` has this text.
    pub(super) fn bundle(&self, name: &str, mode: &str, code: &str) {
        let manifest = format!(
            r#"{{"version": 1, "metadata": {{"appmode": "{mode}", "entrypoint": "app.py"}},
            "python": {{"version": "3.11.2", "package_manager": {{"name": "pip", "package_file": "requirements.txt"}}}},
            "files": {{}}}}"#
        );
        let files = [
            ("manifest.json", manifest.as_str()),
            ("requirements.txt", ""),
            ("app.py", code),
        ];
        self.place.content(name, &files);
    }

    /// A manifest of this application, with more fields of its specification, one a line.
    pub(super) fn manifest(&self, name: &str, more: &str) {
        let path = self.place.path("content").join(name);
        let more: String = more.lines().map(|line| format!("  {}\n", line.trim())).collect();
        let text = format!(
            "apiVersion: offhost.dev/v1alpha1\nkind: ContentApp\nmetadata: {{name: {name}}}\nspec:\n  bundle: {{path: {}}}\n{more}",
            path.display()
        );
        self.write_manifest(name, &text);
    }

    pub(super) fn write_manifest(&self, name: &str, text: &str) {
        write(&self.manifest_path(name), text, 0o644);
    }

    pub(super) fn manifest_path(&self, name: &str) -> PathBuf {
        self.place.path("config/content.d").join(format!("{name}.yaml"))
    }

    /// An application of this kind with its manifest.
    pub(super) fn app(&self, name: &str, mode: &str, code: &str, more: &str) {
        self.bundle(name, mode, code);
        self.manifest(name, more);
    }

    fn serve(&self) -> Command {
        let mut command = self.place.command(&["serve", "--log-format", "text"]);
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.place.path("log"))
            .unwrap();
        if let Some(levels) = self.levels {
            command.env("OFFHOST_LOG", levels);
        }
        command
            .arg("--admin-listen")
            .arg(format!("127.0.0.1:{}", self.admin))
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0);
        command
    }

    /// A server, not waited for.
    pub(super) fn begin(&self) -> Server<'_> {
        let child = self.serve().spawn().expect("offhost starts");
        Server { site: self, child }
    }

    /// A server that answers.
    pub(super) fn start(&self) -> Server<'_> {
        let server = self.begin();
        wait_for("the server", LIMIT, || {
            self.try_get(self.admin, "/readyz", "", LIMIT)
        });
        server
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.place.path("log")).unwrap_or_default()
    }

    fn try_get(&self, port: u16, path: &str, head: &str, limit: Duration) -> Option<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{head}\r\n");
        Self::try_ask(port, request.as_bytes(), limit)
    }

    /// Sends a request with more lines of its head, and a body.
    pub(super) fn ask(&self, method: &str, path: &str, head: &str, body: &[u8]) -> Answer {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {length}\r\n{head}\r\n"
        );
        let request = [head.as_bytes(), body].concat();
        let answer = Self::try_ask(self.port, &request, LIMIT);
        answer.unwrap_or_else(|| panic!("no answer at {path}: {}", self.log()))
    }

    fn try_ask(port: u16, request: &[u8], limit: Duration) -> Option<Answer> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(limit)).ok()?;
        // It may answer before it has read all.
        let _ = stream.write_all(request);
        let mut text = Vec::new();
        stream.read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some(Answer {
            status: head.split(' ').nth(1)?.parse().ok()?,
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }

    /// What is at a path of another port.
    pub(super) fn get_at(&self, port: u16, path: &str) -> Answer {
        self.try_get(port, path, "", LIMIT).expect("there is an answer")
    }

    /// What is at a path; none where the server does not answer whole.
    pub(super) fn try_visit(&self, path: &str) -> Option<Answer> {
        self.try_get(self.port, path, "", LIMIT)
    }

    /// Visits an application, with more lines of the request's head.
    pub(super) fn visit_with(&self, name: &str, head: &str) -> Answer {
        self.try_get(self.port, &format!("/content/{name}/"), head, LIMIT)
            .unwrap_or_else(|| panic!("no answer from {name}: {}", self.log()))
    }

    pub(super) fn visit(&self, name: &str) -> Answer {
        self.visit_with(name, "")
    }

    /// Visits until there is this status.
    pub(super) fn visit_until(&self, name: &str, status: u16) -> Answer {
        wait_for(&format!("{status} from {name}"), LIMIT, || {
            let answer = self.visit(name);
            (answer.status == status).then_some(answer).or_else(|| {
                std::thread::sleep(Duration::from_millis(100));
                None
            })
        })
    }

    pub(super) fn metrics(&self) -> String {
        self.try_get(self.admin, "/metrics", "", LIMIT)
            .map_or_else(String::new, |answer| answer.body)
    }

    pub(super) fn run(&self, words: &[&str]) -> Done {
        self.place.run(words)
    }

    /// What `offhost apps show NAME -o json` says.
    pub(super) fn show(&self, name: &str) -> serde_json::Value {
        let done = self.run(&["apps", "show", name, "-o", "json"]).succeeded();
        serde_json::from_str(&done.stdout).unwrap()
    }

    /// Waits until an application is in a state.
    pub(super) fn reaches(&self, name: &str, state: &str) -> serde_json::Value {
        wait_for(&format!("{name} to be {state}"), LIMIT, || {
            let done = self.run(&["apps", "show", name, "-o", "json"]);
            let shown: serde_json::Value = serde_json::from_str(&done.stdout).ok()?;
            (shown["state"] == state).then_some(shown)
        })
    }

    /// The records of processes and installations of a content item.
    pub(super) fn jobs(&self, content: &str) -> Vec<serde_json::Value> {
        let done = self.run(&["content", "jobs", content, "-o", "json"]);
        serde_json::from_str(&done.stdout).unwrap_or_default()
    }

    /// Nothing is left of a server that is gone.
    #[track_caller]
    pub(super) fn assert_gone(&self) {
        self.place.assert_no_process(Duration::from_secs(10));
        self.place.assert_nothing_left();
        let sockets = fs::read_dir(self.place.path("data/run/apps"));
        assert_eq!(sockets.map_or(0, Iterator::count), 0);
    }
}

impl Server<'_> {
    pub(super) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        let _ = rustix::process::kill_process(pid, signal);
    }

    /// Ends it in order.
    #[track_caller]
    pub(super) fn end(mut self) {
        self.signal(Signal::TERM);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.site.log());
    }

    pub(super) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its exit code, once it has ended.
    pub(super) fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
