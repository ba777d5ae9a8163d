//! A process outside every sandbox, of the same account, that holds the secret in every way a process can.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::support::{PYTHON, Rig};

/// Ends when dropped.
#[derive(Debug)]
pub(crate) struct Outsider {
    child: Child,
    /// Name of its abstract socket, at which it tells the secret.
    pub(crate) socket: String,
}

impl Outsider {
    pub(crate) fn start(rig: &Rig) -> Self {
        let socket = format!("offhost-outsider-{}", rig.uid);
        let mut child = Command::new(PYTHON)
            .args(["-I", "-S", "-c", include_str!("attacks/outsider.py")])
            .arg(rig.data())
            .arg(&socket)
            .env("SECRET", &rig.secret)
            .uid(rig.uid)
            .gid(rig.uid)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "ready\n");
        Self { child, socket }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
