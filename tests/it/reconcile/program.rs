//! The controller as a program: how it starts, what it says, how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::fake_api::FakeApi;

/// A server, and what a controller is started with.
struct Cluster {
    api: FakeApi,
    directory: tempfile::TempDir,
    /// Serves the API until it is dropped.
    _runtime: tokio::runtime::Runtime,
}

impl Cluster {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let api = FakeApi::new(Arc::new(Timestamp::now));
        let port = runtime.block_on(api.serve());
        let directory = tempfile::tempdir().unwrap();
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}],
            "clusters": [{"name": "c", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "content"}}],
        });
        std::fs::write(directory.path().join("kubeconfig"), kubeconfig.to_string()).unwrap();
        std::fs::write(directory.path().join("runtimes.yaml"), super::place::RUNTIMES).unwrap();
        let bundle = directory.path().join("data/incoming/script");
        std::fs::create_dir_all(&bundle).unwrap();
        std::fs::write(bundle.join("run.sh"), "true\n").unwrap();
        Self {
            api,
            directory,
            _runtime: runtime,
        }
    }

    fn settings(&self) -> String {
        let at = |name: &str| self.directory.path().join(name).display().to_string();
        format!(
            "[Server]\nDataDir = {}\n[Applications]\nRunAs = {}\n[ExecutionEnvironments]\nConfigFilePath = {}\n\
             [Kubernetes]\nDataDirPVCName = data\nExecImage = registry.example.com/exec:1\n",
            at("data"),
            super::place::account(),
            at("runtimes.yaml"),
        )
    }

    fn start(&self, settings: &str) -> Program {
        let config = self.directory.path().join("offhost.gcfg");
        std::fs::write(&config, settings).unwrap();
        Program::start(&config, &self.directory.path().join("kubeconfig"), "127.0.0.1:0")
    }
}

/// A controller that runs.
struct Program {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStderr>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn start(config: &Path, kubeconfig: &Path, listen: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_offhost"))
            .args([
                "controller",
                "--upload-listen",
                "127.0.0.1:0",
                "--log-format",
                "json",
                "--listen",
                listen,
            ])
            .arg("--config")
            .arg(config)
            .env_clear()
            .env("KUBECONFIG", kubeconfig)
            .env("POD_NAME", "replica-1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The first log line with this message.
    fn line(&mut self, message: &str) -> Value {
        let mut all = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            let value: Value = serde_json::from_str(&line).unwrap_or_default();
            if value["message"]
                .as_str()
                .is_some_and(|said| said.contains(message))
            {
                return value;
            }
            all.push(line);
        }
        panic!("no line with '{message}' in {all:#?}");
    }

    fn tell(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Exit code, and the last lines.
    fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        let lines: Vec<String> = self.lines.by_ref().map_while(Result::ok).collect();
        (code, lines.join("\n"))
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn holder(api: &FakeApi) -> Value {
    api.get("leases", "offhost-controller").unwrap_or_default()["spec"]["holderIdentity"].clone()
}

/// Proves: CN2 (P), OH2 (P)
#[test]
fn it_works_until_it_is_told_to_end_and_then_ends_in_order() {
    let cluster = Cluster::new();
    let mut program = cluster.start(&cluster.settings());
    let address = program.line("Controller started")["listen"]
        .as_str()
        .unwrap()
        .to_owned();
    program.line("Leading");
    assert!(get(&address, "/livez").starts_with("HTTP/1.1 200"));
    until("it is ready", || {
        get(&address, "/readyz").starts_with("HTTP/1.1 200")
    });
    let spec =
        json!({"content": "s", "bundle": {"path": "script"}, "task": "Run", "command": ["sh", "run.sh"]});
    cluster
        .api
        .put("contentjobs", json!({"metadata": {"name": "a"}, "spec": spec}));
    until("its Pod is there", || cluster.api.all("pods").len() == 1);
    until("it leads, and says so", || {
        get(&address, "/metrics").contains("\noffhost_leader 1\n")
    });
    assert_eq!(holder(&cluster.api), "replica-1");
    program.tell(Signal::TERM);
    let (code, said) = program.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(holder(&cluster.api), "", "the Lease is given back");
    let mut next = cluster.start(&cluster.settings());
    assert_eq!(next.line("Jobs taken over")["open"], 1);
}

/// Proves: OH2 (P)
#[test]
fn it_ends_at_once_when_another_leads() {
    let cluster = Cluster::new();
    let mut program = cluster.start(&cluster.settings());
    program.line("Jobs taken over");
    cluster.api.edit("leases", "offhost-controller", |lease| {
        lease["spec"]["holderIdentity"] = json!("other")
    });
    let (code, said) = program.end();
    assert_eq!(code, Some(75), "{said}");
    assert!(
        said.contains("so that no job is worked on twice") && said.contains("'other'"),
        "{said}"
    );
}

/// Proves: PM4 (P)
#[test]
fn what_pods_do_not_have_is_warned_about() {
    let cluster = Cluster::new();
    let settings = format!("{}[PAM]\nUseSession = true\n", cluster.settings());
    let mut program = cluster.start(&settings);
    let line = program.line("no PAM session is opened around processes in Pods");
    assert_eq!(
        (&line["level"], &line["setting"]),
        (&json!("WARN"), &json!("PAM.UseSession"))
    );
}

/// Proves: FS6 (P)
#[test]
fn what_is_missing_or_wrong_is_named_before_anything_starts() {
    let cluster = Cluster::new();
    let whole = cluster.settings();
    let lacks = |line: &str| {
        whole
            .lines()
            .filter(|other| !other.starts_with(line))
            .fold(String::new(), |text, line| text + line + "\n")
    };
    let elsewhere = whole.replace("runtimes.yaml", "nowhere.yaml");
    for (settings, part) in [
        (lacks("DataDirPVCName"), "Kubernetes.DataDirPVCName is not set"),
        (lacks("ExecImage"), "Kubernetes.ExecImage is not set"),
        (
            lacks("ConfigFilePath"),
            "ExecutionEnvironments.ConfigFilePath is not set",
        ),
        (elsewhere, "nowhere.yaml"),
    ] {
        let (code, said) = cluster.start(&settings).end();
        assert_eq!(code, Some(65), "{said}");
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(cluster.api.all("leases").len(), 0);
}

#[test]
fn a_port_that_is_taken_is_named_with_its_flag() {
    let cluster = Cluster::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = cluster.directory.path().join("offhost.gcfg");
    std::fs::write(&config, cluster.settings()).unwrap();
    let kubeconfig = cluster.directory.path().join("kubeconfig");
    let (code, said) = Program::start(&config, &kubeconfig, &address).end();
    assert_eq!(code, Some(65), "{said}");
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
}
