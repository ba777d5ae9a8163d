//! What the container of an application has beside a job's: its ports, and what the helper is told of it.
//!
//! It has no probes. One of the application's port would be answered by the kernel before the application is loaded, and
//! a request to it could start a session or a kernel. One of the helper's port would be answered from the first moment
//! on. The controller holds a connection to that port, and hears at once what a probe would find out later.

use k8s_openapi::api::core::v1::ContainerPort;

use super::dollars::literal;
use crate::names::{APP_PORT, STATUS_PORT};
use crate::plan::{Listen, ServePlan, StopSequence};

pub(super) fn ports() -> Vec<ContainerPort> {
    let port = |name: &str, number: u16| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number.into(),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    vec![port("app", APP_PORT), port("status", STATUS_PORT)]
}

/// The helper's flags.
pub(super) fn arguments(serve: &ServePlan) -> Vec<String> {
    let listen = match serve.listen {
        Listen::Inherited => Some(APP_PORT.to_string()),
        Listen::Unix(_) | Listen::Tcp(_) => None,
    };
    let stop = match serve.stop {
        StopSequence::Terminate => "term",
        StopSequence::Interrupt => "int",
    };
    let flags = [
        ("--listen-port", listen),
        ("--status-port", Some(STATUS_PORT.to_string())),
        ("--ready-file", Some(literal(&serve.ready_file))),
        ("--stop", Some(stop.to_owned())),
    ];
    let given = flags.into_iter().filter_map(|(name, value)| Some((name, value?)));
    given.flat_map(|(name, value)| [name.to_owned(), value]).collect()
}
