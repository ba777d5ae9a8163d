//! One probe, from its launch to what was seen of it.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::process::{ChildStderr, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::place::Place;
use crate::audit::{Expected, Facts, Role, Seen, Subject};
use crate::data::{IoFailure, Workspace};
use crate::exec;
use crate::local::error::LocalError;
use crate::local::launcher::{Ended, Streams};
use crate::local::server::Server;
use crate::local::{output, process, secrets};
use crate::names::AUDIT_CODE;
use crate::plan::{EnvValue, HomePlan, ProcessPlan};
use crate::sandbox;

/// More than any probe has to say.
const MOST_FACTS: u64 = 16 << 20;
/// What the probe leaves running goes with it at once; a machine under load may need a moment to say so.
const LEFT: Duration = Duration::from_secs(20);

/// Runs a probe and brings together what it found and what was planned.
pub(super) fn run(
    server: &Server,
    place: &Place,
    role: Role,
    plan: &ProcessPlan,
) -> Result<Subject, LocalError> {
    let secrets = secrets::resolve(&plan.env, server.settings.config_dir.as_deref())?;
    let where_it_is = sandbox::Place {
        data_dir: place.data_dir(),
        runtime_dir: server.runtime_dir.clone(),
        inputs_dir: place.inputs_dir(),
        mode: server.form.mode,
        secrets,
    };
    let temp_dir = &server.settings.server.temp_dir;
    let key = plan.tmp.path.file_name().and_then(|key| key.to_str());
    let workspace = Workspace::make(temp_dir, key.unwrap_or("audit"), process::owner(&plan.identity))?;
    let tmp = workspace.path().to_owned();
    let launched = process::on_this_machine(sandbox::build(plan, &where_it_is))
        .map_err(LocalError::from)
        .and_then(|spec| launch(server, plan, &spec));
    let removed = workspace.remove();
    let (facts, mut seen) = launched?;
    removed?;
    seen.tmp_removed = !tmp.exists();
    Ok(Subject {
        role,
        expected: expected(server, place, plan),
        facts,
        seen,
    })
}

fn launch(
    server: &Server,
    plan: &ProcessPlan,
    spec: &sandbox::SandboxSpec,
) -> Result<(Facts, Seen), LocalError> {
    let listener = match &plan.serve {
        Some(_) => Some(listener()?),
        None => None,
    };
    let streams = Streams {
        stdin: Stdio::null(),
        stdout: Stdio::piped(),
        stderr: Stdio::piped(),
    };
    let launcher = server.launcher_for(&plan.identity);
    let mut running = launcher.start_serving(spec, streams, listener.as_ref().map(AsFd::as_fd))?;
    let stdout = running.take_stdout();
    let reader = stdout.map(|stdout| std::thread::spawn(move || output::read_some(stdout, MOST_FACTS)));
    let stderr = running.take_stderr().map(Follower::of);
    let layers = running.wait_started()?;
    let ended = running.wait(layers)?;
    let nothing_left = stderr.and_then(Follower::has_ended);
    let text = reader.and_then(|thread| thread.join().ok()).unwrap_or_default();
    let facts = serde_json::from_slice(&text).map_err(|_| LocalError::Probe(told(&ended)))?;
    let seen = Seen {
        namespaces: exec::own_namespaces(),
        exit: [Some(i32::from(AUDIT_CODE)), ended.code],
        nothing_left,
        tmp_removed: false,
        layers: ended.layers,
    };
    Ok((facts, seen))
}

/// A listening socket without a name in any file system that content sees.
fn listener() -> Result<UnixListener, IoFailure> {
    let directory =
        tempfile::tempdir().map_err(|source| IoFailure::new("make directory in", "/tmp", source))?;
    let path = directory.path().join("socket");
    UnixListener::bind(&path).map_err(|source| IoFailure::new("listen at", &path, source))
}

fn told(ended: &Ended) -> String {
    match (ended.code, ended.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "nothing".to_owned(),
    }
}

/// Reads the stream that what the probe leaves behind holds open.
struct Follower(mpsc::Receiver<Vec<u8>>);

impl Follower {
    fn of(mut stream: ChildStderr) -> Self {
        let (said, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stream.read_to_end(&mut text);
            let _ = said.send(text);
        });
        Self(heard)
    }

    /// Whether nobody holds the stream any more; `None` where nothing was left behind.
    fn has_ended(self) -> Option<bool> {
        match self.0.recv_timeout(LEFT) {
            Ok(text) => String::from_utf8_lossy(&text).contains("left").then_some(true),
            Err(_) => Some(false),
        }
    }
}

fn expected(server: &Server, place: &Place, plan: &ProcessPlan) -> Expected {
    let home = plan.env.get("HOME").map(|home| match home {
        EnvValue::Value(home) => home.clone(),
        EnvValue::SecretKeyRef(_) | EnvValue::ConfigMapKeyRef(_) => String::new(),
    });
    Expected {
        mode: server.form.mode,
        identity: plan.identity.clone(),
        variables: plan.env.keys().cloned().collect(),
        tmp: plan.tmp.target.clone().into(),
        home: home.unwrap_or_default().into(),
        home_covered: plan.home != HomePlan::AsIs,
        exposures: place.orders.exposures.clone(),
        limits: plan.limits.clone(),
        listens: plan.serve.is_some(),
        supervisor: plan.command[..plan.supervisor_words].to_vec(),
    }
}
