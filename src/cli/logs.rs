//! `offhost logs`: the output of a job, of the data directory or of a cluster.

use std::path::PathBuf;

use clap::Args;

use super::cluster;
use super::failure::Failure;
use super::printer::Progress;
use crate::cluster::client::{Connect, connect};
use crate::cluster::error::ClusterError;
use crate::cluster::logs::{Wanted, show};
use crate::data::DataDir;
use crate::local;
use crate::local::error::LocalError;
use crate::reason::Reason;

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The job
    #[arg(value_name = "JOB|CONTENT/KEY")]
    pub job: String,
    /// Go on until the job is over
    #[arg(short, long)]
    pub follow: bool,
    /// Number of the attempt; the last one when not given
    #[arg(long, value_name = "NUMBER")]
    pub attempt: Option<i32>,
    /// Namespace of the cluster; that of the context when not given
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig; the current one when not given
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

pub(super) fn run(config: Option<PathBuf>, args: &LogsArgs) -> Result<u8, Failure> {
    // Names of Kubernetes have no slash.
    let only_here = args.job.contains('/');
    let only_there = args.namespace.is_some() || args.context.is_some() || args.attempt.is_some();
    if only_here || !only_there {
        match here(config, args) {
            Ok(true) => return Ok(0),
            Ok(false) if only_here => return Err(unknown(args)),
            Err(failure) if only_here => return Err(failure),
            // What is not known here is asked of the cluster.
            Ok(false) => {}
            Err(failure) if failure.reason == Reason::DataUnavailable => return Err(failure),
            Err(_) => {}
        }
    }
    there(args)
}

fn unknown(args: &LogsArgs) -> Failure {
    Failure::new(
        Reason::InvalidInput,
        format!(
            "the data directory has no job '{}'; see the jobs with: offhost content jobs CONTENT",
            args.job
        ),
    )
}

/// Whether the data directory knows the job; then its output was shown.
fn here(config: Option<PathBuf>, args: &LogsArgs) -> Result<bool, Failure> {
    let loaded = super::settings::loaded(config)?;
    let path = &loaded.settings.server.data_dir;
    if !path.is_dir() {
        return Ok(false);
    }
    let data = DataDir::open(path).map_err(LocalError::from)?;
    let Some(job) = local::logs::find(&data, &args.job) else {
        return Ok(false);
    };
    local::logs::show(&data, &job, args.follow, &mut std::io::stdout().lock())?;
    Ok(true)
}

fn there(args: &LogsArgs) -> Result<u8, Failure> {
    let wanted = Wanted {
        attempt: args.attempt,
        follow: args.follow,
    };
    let connect_to = Connect {
        context: args.context.clone(),
        namespace: args.namespace.clone(),
    };
    cluster::block_on(async {
        let connection = connect(&connect_to).await.map_err(ClusterError::from)?;
        let progress = Progress::new();
        let shown = show(&connection, &args.job, wanted, &mut std::io::stdout(), &progress).await;
        progress.pause();
        Ok(shown.map(|()| 0)?)
    })
}
