//! What is outside of the cluster: an Ingress controller's stand-in before the gateways, what visits them there, and servers
//! that Pods reach.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::app::Way;
use crate::release::Release;
use crate::{api, cluster};

/// A program that ends with the test.
pub(crate) struct Running(Child);

impl Running {
    #[track_caller]
    pub(crate) fn begin(command: &mut Command) -> Self {
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} can not be started: {error}"));
        Self(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address of this machine that Pods reach: the one that it has towards a node.
pub(crate) fn own_address() -> String {
    let nodes = api::list("/api/v1/nodes");
    let mut addresses = nodes[0]["status"]["addresses"].as_array().unwrap().iter();
    let node = addresses.find(|address| address["type"] == "InternalIP").unwrap();
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Nothing is sent: it only asks for the way.
    socket.connect((node["address"].as_str().unwrap(), 1)).unwrap();
    socket.local_addr().unwrap().ip().to_string()
}

/// Where the visitors' scripts and the programs are; `tests/cluster/up` has fetched them, as nothing is reached from here.
#[track_caller]
pub(crate) fn fetched(what: &str) -> String {
    let found = cluster::run(&mut Command::new(cluster::repository("tests/serve/fetch")));
    let found: Value = serde_json::from_str(&found).unwrap();
    found[what].as_str().unwrap().to_owned()
}

/// Runs one of the visitors' scripts, and gives what it says.
#[track_caller]
pub(crate) fn visit(script: &str, arguments: &[&str]) -> String {
    let script = Path::new(&fetched("scripts")).join(script);
    cluster::run(Command::new("node").arg(script).args(arguments))
}

/// `HOST:PORT` of each gateway's Pod.
#[track_caller]
pub(crate) fn gateways(release: &Release, port: u16) -> Vec<String> {
    let pods = api::list(&Way::gateway_pods(release));
    let address = |pod: &Value| format!("{}:{port}", pod["status"]["podIP"].as_str().unwrap());
    pods.iter()
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
        .map(address)
        .collect()
}

/// Gives each request to the next gateway.
pub(crate) struct Ingress {
    pub(crate) port: u16,
    _running: Running,
}

impl Ingress {
    /// On a port of this machine, any with 0; with TLS where keys are given.
    #[track_caller]
    pub(crate) fn begin(port: u16, gateways: &[String], keys: Option<&Path>) -> Self {
        let script = Path::new(&fetched("scripts")).join("ingress.js");
        let mut command = Command::new("node");
        command.arg(script).arg(port.to_string()).arg(gateways.join(","));
        command.args(keys).stdout(Stdio::piped());
        let mut running = Running::begin(&mut command);
        let mut line = String::new();
        let told = running.0.stdout.take().unwrap();
        BufReader::new(told).read_line(&mut line).unwrap();
        let port = line.trim().parse();
        Self {
            port: port.unwrap_or_else(|_| panic!("{command:?} does not listen: {line}")),
            _running: running,
        }
    }
}
