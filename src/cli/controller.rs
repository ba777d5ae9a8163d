//! `offhost controller`: jobs of a cluster become Pods.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::failure::{Because, Failure};
use crate::cluster::client::Connect;
use crate::controller::run::{Options, RunError, run as control};
use crate::reason::Reason;
use crate::settings::{LoadOptions, load};
use crate::telemetry::logs::{self, LogFormat};

/// Arguments of `controller`.
#[derive(Debug, Args)]
pub struct ControllerArgs {
    /// Address that answers /livez, /readyz and /metrics
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Address that takes uploads of bundles
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8081")]
    pub upload_listen: SocketAddr,
    /// Address that takes the links of gateways
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8082")]
    pub hub_listen: SocketAddr,
    /// Form of log lines; text on a terminal and JSON elsewhere when not given
    #[arg(long, value_enum, value_name = "FORM")]
    pub log_format: Option<LogFormat>,
    /// Namespace to serve; Kubernetes.Namespace comes before it
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig; in a Pod its own cluster when not given
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Name that tells this controller from others; that of its Pod
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub pod_name: Option<String>,
    /// Namespace of its Pod
    #[arg(long, value_name = "NAME", env = "POD_NAMESPACE")]
    pub pod_namespace: Option<String>,
    /// Address of its Pod, at which gateways find it
    #[arg(long, value_name = "IP", env = "POD_IP")]
    pub pod_ip: Option<IpAddr>,
}

/// How long what blocks may go on after the end: storage that does not answer must not hold up the process.
const TO_END: Duration = Duration::from_secs(1);

pub(super) fn run(config: Option<PathBuf>, args: ControllerArgs) -> Result<u8, Failure> {
    logs::init(args.log_format.unwrap_or_else(LogFormat::usual));
    let options = LoadOptions {
        config,
        env: std::env::vars().collect(),
        // Whatever account it runs as, it is the server: no setting means that account's own.
        ordinary_user: None,
    };
    let options = Options {
        loaded: load(options).because(Reason::InvalidInput)?,
        listen: args.listen,
        upload_listen: args.upload_listen,
        hub_listen: args.hub_listen,
        pod_ip: args.pod_ip,
        pod_name: args.pod_name.unwrap_or_else(this_process),
        pod_namespace: args.pod_namespace,
        connect: Connect {
            context: args.context,
            namespace: args.namespace,
        },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .because(Reason::SandboxUnavailable)?;
    let ended = runtime.block_on(control(options));
    runtime.shutdown_timeout(TO_END);
    match ended {
        Ok(()) => Ok(0),
        Err(error) => {
            let reason = match &error {
                RunError::Volume(_) => Reason::DataUnavailable,
                RunError::Lease(_) | RunError::Broken(_) => Reason::Interrupted,
                _ => Reason::InvalidInput,
            };
            Err(Failure::new(reason, error))
        }
    }
}

/// Tells this process from every other where it runs in no Pod.
pub(super) fn this_process() -> String {
    let host = rustix::system::uname();
    format!("{}-{}", host.nodename().to_string_lossy(), std::process::id())
}
