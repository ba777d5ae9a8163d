//! `offhost gateway`: visitors reach the applications of a cluster.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::failure::{Because, Failure};
use crate::cluster::client::Connect;
use crate::gateway::cluster::run::{Options, run as serve};
use crate::reason::Reason;
use crate::settings::{LoadOptions, load};
use crate::telemetry::logs::{self, LogFormat};

/// Arguments of `gateway`.
#[derive(Debug, Args)]
pub struct GatewayArgs {
    /// Address that visitors come to; HTTP.Listen when not given
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Address that answers /livez, /readyz and /metrics
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub admin_listen: SocketAddr,
    /// Address that other gateways pass on requests to, of pages whose connection lives here; none when not given
    #[arg(long, value_name = "ADDRESS")]
    pub peer_listen: Option<SocketAddr>,
    /// Form of log lines; text on a terminal and JSON elsewhere when not given
    #[arg(long, value_enum, value_name = "FORM")]
    pub log_format: Option<LogFormat>,
    /// Namespace to serve; Kubernetes.Namespace comes before it
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig; in a Pod its own cluster when not given
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Name that tells this gateway from others; that of its Pod
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub pod_name: Option<String>,
    /// Namespace of its Pod
    #[arg(long, value_name = "NAME", env = "POD_NAMESPACE")]
    pub pod_namespace: Option<String>,
    /// Address of its Pod, where other gateways reach it
    #[arg(long, value_name = "IP", env = "POD_IP")]
    pub pod_ip: Option<IpAddr>,
}

/// How long what blocks may go on after the end.
const TO_END: Duration = Duration::from_secs(1);

pub(super) fn run(config: Option<PathBuf>, args: GatewayArgs) -> Result<u8, Failure> {
    logs::init(args.log_format.unwrap_or_else(LogFormat::usual));
    let options = LoadOptions {
        config,
        env: std::env::vars().collect(),
        // Whatever account it runs as, it is the server's gateway.
        ordinary_user: None,
    };
    let options = Options {
        loaded: load(options).because(Reason::InvalidInput)?,
        listen: args.listen,
        admin: args.admin_listen,
        pod_name: args.pod_name.unwrap_or_else(super::controller::this_process),
        pod_namespace: args.pod_namespace,
        peers: args.peer_listen,
        pod_ip: args.pod_ip,
        connect: Connect {
            context: args.context,
            namespace: args.namespace,
        },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .because(Reason::SandboxUnavailable)?;
    let ended = runtime.block_on(serve(options));
    runtime.shutdown_timeout(TO_END);
    ended.map(|()| 0).because(Reason::InvalidInput)
}
