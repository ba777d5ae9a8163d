//! `offhost serve`: the server of this machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::failure::{Because, Failure};
use crate::local::serve::lock::LockError;
use crate::local::serve::run::{self, Options, RunError};
use crate::reason::Reason;
use crate::telemetry::logs::{self, LogFormat};

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(
    after_help = "What is served lies in a directory of manifests, each a ContentApp or a ContentJob. SIGTERM ends the server in order, a second one \
    at once; SIGHUP reads manifests and certificates again."
)]
pub struct ServeArgs {
    /// Directory of manifests; Server.ManifestDir, or content.d beside the settings file, when not given
    #[arg(long, value_name = "DIR")]
    pub manifests: Option<PathBuf>,
    /// Address that answers /livez, /readyz and /metrics
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3938")]
    pub admin_listen: SocketAddr,
    /// Form of log lines; text on a terminal and JSON elsewhere when not given
    #[arg(long, value_enum, value_name = "FORM")]
    pub log_format: Option<LogFormat>,
}

/// How long what blocks may go on after the end.
const TO_END: Duration = Duration::from_secs(1);

pub(super) fn run(config: Option<PathBuf>, args: ServeArgs) -> Result<u8, Failure> {
    logs::init(args.log_format.unwrap_or_else(LogFormat::usual));
    let options = Options {
        loaded: super::settings::loaded(config)?,
        manifests: args.manifests,
        admin: args.admin_listen,
    };
    let opened = run::open(options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .because(Reason::SandboxUnavailable)?;
    let ended = runtime.block_on(run::run(opened));
    runtime.shutdown_timeout(TO_END);
    ended?;
    Ok(0)
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let reason = match &error {
            RunError::Local(error) => error.reason(),
            RunError::Lock(LockError::Io(_)) | RunError::Io(_) | RunError::Keys(_) => Reason::DataUnavailable,
            _ => Reason::InvalidInput,
        };
        Self::new(reason, error)
    }
}
