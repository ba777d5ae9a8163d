//! Processes that serve: the socket that they inherit, their word that they can answer, and their end.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use offhost::local::launcher::{Launcher, Running};
use offhost::sandbox::{EndCause, SandboxSpec, ServeSpec};

use super::support::{Rig, in_each_mode, pipes};

/// Numbers of the descriptors that are open, without what a look opens itself.
const OPEN: &str = "
import os, socket, sys, time
def is_open(fd):
    try: os.fstat(fd)
    except OSError: return False
    return True
print([fd for fd in range(256) if is_open(fd)], flush=True)
ready = os.environ['TMPDIR'] + '/.offhost/ready'
";

fn serving(rig: &Rig, script: &str) -> (SandboxSpec, PathBuf) {
    let tmp = rig.own_directory("tmp");
    let ready_file = tmp.join(".offhost/ready");
    let mut spec = rig.python(&format!("{OPEN}{script}"), &[]);
    spec.env.push(format!("TMPDIR={}", tmp.display()));
    spec.serve = Some(ServeSpec {
        ready_file: ready_file.clone(),
        interrupt_ms: None,
    });
    (spec, ready_file)
}

fn start(rig: &Rig, spec: &SandboxSpec, listener: Option<&UnixListener>) -> (Running, Vec<String>) {
    let launcher = Launcher::at(&rig.launcher()).unwrap();
    let mut running = launcher
        .start_serving(spec, pipes(), listener.map(AsFd::as_fd))
        .unwrap();
    let layers = running.wait_started().unwrap();
    (running, layers)
}

fn output(running: &mut Running) -> String {
    let mut text = String::new();
    running.take_stdout().unwrap().read_to_string(&mut text).unwrap();
    text
}

/// Proves: PK5 (L), SB6 (L)
#[test]
fn a_process_that_serves_inherits_its_socket_and_nothing_else() {
    in_each_mode(
        "a_process_that_serves_inherits_its_socket_and_nothing_else",
        |rig| {
            let script = "
s = socket.socket(fileno=3)
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
os.close(os.open(ready, os.O_CREAT))
c, _ = s.accept()
c.sendall(b'hello')
";
            let (spec, _) = serving(&rig, script);
            let socket = rig.path("app.sock");
            let listener = UnixListener::bind(&socket).unwrap();
            let (mut running, layers) = start(&rig, &spec, Some(&listener));
            assert!(running.wait_ready().unwrap());
            drop(listener);
            let mut text = String::new();
            UnixStream::connect(&socket)
                .unwrap()
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text, "hello");
            assert_eq!(output(&mut running), "[0, 1, 2, 3]\n");
            assert!(running.wait(layers).unwrap().succeeded());
            // Nobody else has kept it open.
            assert!(UnixStream::connect(&socket).is_err());
        },
    );
}

/// Proves: PK5 (L), SB6 (L)
#[test]
fn a_process_that_listens_by_itself_inherits_nothing() {
    in_each_mode("a_process_that_listens_by_itself_inherits_nothing", |rig| {
        let (spec, ready_file) = serving(&rig, "os.close(os.open(ready, os.O_CREAT)); time.sleep(0.2)");
        let (mut running, layers) = start(&rig, &spec, None);
        assert!(running.wait_ready().unwrap());
        assert_eq!(output(&mut running), "[0, 1, 2]\n");
        assert!(running.wait(layers).unwrap().succeeded());
        // What is left of it says nothing of the next one.
        assert!(ready_file.exists());
        let (spec, _) = serving(&rig, "sys.exit(3)");
        let (mut running, layers) = start(&rig, &spec, None);
        assert!(!running.wait_ready().unwrap());
        let ended = running.wait(layers).unwrap();
        assert_eq!((ended.code, ended.cause), (Some(3), None));
    });
}

/// Proves: PK5 (L)
#[test]
fn readiness_is_said_once_however_the_file_comes() {
    in_each_mode("readiness_is_said_once_however_the_file_comes", |rig| {
        let script = "
os.close(os.open(ready + '.new', os.O_CREAT))
time.sleep(0.1)
for n in range(3): os.symlink('ready', ready + str(n))
os.rename(ready + '.new', ready)
time.sleep(0.2)
os.remove(ready)
os.close(os.open(ready, os.O_CREAT))
";
        let (spec, _) = serving(&rig, script);
        let (mut running, layers) = start(&rig, &spec, None);
        assert!(running.wait_ready().unwrap());
        assert!(
            !running.wait_ready().unwrap(),
            "the next report is that of its end"
        );
        assert!(running.wait(layers).unwrap().succeeded());
    });
}

/// Proves: PK5 (L), SB7 (L)
#[test]
fn a_deaf_process_is_interrupted_told_and_killed() {
    in_each_mode("a_deaf_process_is_interrupted_told_and_killed", |rig| {
        let script = "
import signal
for n in (signal.SIGINT, signal.SIGTERM): signal.signal(n, lambda n, _: print(n, flush=True))
os.close(os.open(ready, os.O_CREAT))
while True: time.sleep(1)
";
        let (mut spec, _) = serving(&rig, script);
        spec.grace_ms = 300;
        if let Some(serve) = &mut spec.serve {
            serve.interrupt_ms = Some(400);
        }
        let (mut running, layers) = start(&rig, &spec, None);
        assert!(running.wait_ready().unwrap());
        let begin = Instant::now();
        let status = std::process::Command::new("kill")
            .arg(running.helper_pid().to_string())
            .status();
        assert!(status.unwrap().success());
        let text = output(&mut running);
        let ended = running.wait(layers).unwrap();
        let took = begin.elapsed();
        assert_eq!(text, "[0, 1, 2]\n2\n15\n");
        assert_eq!(
            (ended.signal, ended.cause),
            (Some(libc::SIGKILL), Some(EndCause::Stopped))
        );
        assert!(took >= Duration::from_millis(690), "{took:?}");
    });
}
