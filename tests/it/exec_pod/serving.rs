//! An application in a Pod: its port, the port at which it is told how it is, and its end.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::time::{Duration, Instant};

use offhost::sandbox::{EndCause, Report};

use super::support::{PYTHON, Rig, kill, wait_for_line};

/// Prints which descriptors are open.
const OPEN: &str = "
import os, signal, socket, sys, time
def is_open(fd):
    try: os.fstat(fd)
    except OSError: return False
    return True
print([fd for fd in range(256) if is_open(fd)], flush=True)
ready = sys.argv[1]
";

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port()
}

struct Served {
    rig: Rig,
    child: Child,
    app: u16,
    status: BufReader<TcpStream>,
}

fn serve(script: &str, flags: &[&str]) -> Served {
    let rig = Rig::new();
    let (app, status) = (free_port(), free_port());
    let ready = rig.own_directory("tmp").join(".offhost/ready");
    let ready = ready.to_str().unwrap();
    let (app_text, status_text) = (app.to_string(), status.to_string());
    let script = format!("{OPEN}{script}");
    let own = ["pod", "--status-port", &status_text, "--ready-file", ready];
    let listen = ["--listen-port", &app_text];
    let program = ["--", PYTHON, "-I", "-S", "-c", &script, ready, &rig.marker];
    let words = [&own[..], &listen, flags, &program].concat();
    let mut child = rig.start(&mut rig.helper(&words));
    assert_eq!(wait_for_line(&mut child), "[0, 1, 2, 3]\n");
    let status = BufReader::new(TcpStream::connect(("127.0.0.1", status)).unwrap());
    Served {
        rig,
        child,
        app,
        status,
    }
}

impl Served {
    fn hears(&mut self) -> Option<Report> {
        let mut line = String::new();
        self.status.read_line(&mut line).unwrap();
        serde_json::from_str(&line).ok()
    }
}

/// Proves: PK5 (P), SB6 (P)
#[test]
fn an_application_inherits_its_port_and_says_that_it_is_ready() {
    let script = "
s = socket.socket(fileno=3)
os.close(os.open(ready, os.O_CREAT))
c, _ = s.accept()
c.sendall(b'hello')
time.sleep(0.2)
";
    let mut served = serve(script, &[]);
    assert_eq!(served.hears(), Some(Report::Ready));
    let mut text = String::new();
    let mut stream = TcpStream::connect(("127.0.0.1", served.app)).unwrap();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    let heard = served.hears();
    let outcome = served.rig.finish(served.child);
    assert_eq!(outcome.ended(), (Some(0), None, None));
    assert_eq!(heard, outcome.message, "the port says what the Pod's status will");
}

/// Proves: PK5 (P)
#[test]
fn an_application_that_exits_at_once_was_never_ready() {
    let mut served = serve("time.sleep(0.3); sys.exit(3)", &[]);
    assert!(matches!(
        served.hears(),
        Some(Report::Ended { code: Some(3), .. })
    ));
    assert_eq!(served.rig.finish(served.child).code, Some(3));
}

/// Proves: PK5 (P), SB7 (P)
#[test]
fn an_application_is_ended_as_its_kind_wants() {
    let deaf = "
for n in (signal.SIGINT, signal.SIGTERM): signal.signal(n, lambda n, _: print(n, flush=True))
os.close(os.open(ready, os.O_CREAT))
while True: time.sleep(1)
";
    for (stop, told, least) in [("term", "15\n", 1), ("int", "2\n15\n", 6)] {
        let mut served = serve(deaf, &["--stop", stop, "--grace-seconds", "1"]);
        assert_eq!(served.hears(), Some(Report::Ready));
        let begin = Instant::now();
        kill(served.child.id(), "TERM");
        let outcome = served.rig.finish(served.child);
        assert_eq!(outcome.text(), told);
        let killed = (None, Some(libc::SIGKILL), Some(EndCause::Stopped));
        assert_eq!(outcome.ended(), killed);
        assert!(begin.elapsed() >= Duration::from_secs(least));
    }
}

/// Proves: PK5 (P)
#[test]
fn content_can_not_take_the_status_port() {
    let script = "
time.sleep(0.5)
for family, address in ((socket.AF_INET6, '::'), (socket.AF_INET, '0.0.0.0')):
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        s = socket.socket(family)
        s.setsockopt(socket.SOL_SOCKET, option, 1)
        try: s.bind((address, NUMBER)); s.listen(); print('taken')
        except OSError: pass
";
    let port = free_port();
    let rig = Rig::new();
    let ready = rig.own_directory("tmp").join(".offhost/ready");
    let script = format!("{OPEN}{}", script.replace("NUMBER", &port.to_string()));
    let words = [
        "pod",
        "--status-port",
        &port.to_string(),
        "--ready-file",
        ready.to_str().unwrap(),
        "--",
        PYTHON,
        "-I",
        "-S",
        "-c",
        &script,
        "x",
    ];
    let outcome = rig.finish(rig.start(&mut rig.helper(&words)));
    // Where it listens by itself it inherits nothing at all.
    assert_eq!(outcome.good(), "[0, 1, 2]\n");
}
