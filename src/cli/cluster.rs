//! `offhost run --cluster` and `offhost content deploy --cluster`: content of this machine, done on a cluster.

use std::path::Path;

use super::args::{ClusterArgs, RunArgs};
use super::failure::{Because, Failure};
use super::printer::{self, Progress};
use crate::api::job::{Activation, Metadata, TaskKind};
use crate::cluster::client::{Connect, Connection, connect};
use crate::cluster::error::ClusterError;
use crate::cluster::jobs::Seen;
use crate::cluster::pack::{self, Packed};
use crate::cluster::submit::{self, Order};
use crate::cluster::wait::Teller;
use crate::content::BundleFacts;
use crate::data::new_key;
use crate::local::deploy::{self, Request};
use crate::reason::Reason;

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        Self {
            reason: error.reason(),
            exit_code: error.exit_code(),
            message: error.to_string(),
        }
    }
}

impl Teller for Progress {
    fn told(&self, sentence: &str) {
        self.step(sentence);
    }

    fn sent(&self, bytes: u64, of: u64) {
        self.bytes(bytes, of);
    }

    fn pause(&self) {
        Self::pause(self);
    }
}

/// Runs something that waits for the network.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.because(Reason::SandboxUnavailable)?.block_on(work)
}

/// Deploys a directory or archive.
pub(super) fn deploy(source: &Path, content: Option<String>, place: &ClusterArgs) -> Result<u8, Failure> {
    let progress = Progress::new();
    let (mut request, path) = super::content::request(source, content)?;
    request.spec.task = Some(TaskKind::Deploy);
    let (packed, facts) = pack(&mut request, &path, &progress)?;
    for inferred in &facts.inferred {
        progress.done(&format!("note: {inferred}"));
    }
    let job = submit::job("deploy", &new_key(), None, request.spec, Some(&packed));
    let order = Order {
        job,
        packed: Some(packed),
        service: place.service.clone(),
    };
    block_on(async {
        let connection = connect(&in_namespace_of(place, None))
            .await
            .map_err(ClusterError::from)?;
        let name = sent(&connection, &order, &progress).await?;
        if place.no_wait {
            printer::line(format!("contentjob/{name} created"));
            return Ok(0);
        }
        let ended = submit::finish(&connection, &name, None, &progress).await;
        progress.pause();
        let status = ended?.status;
        printer::line(format!(
            "content/{} deployed as bundle {} ({})",
            status.content.unwrap_or_default(),
            status.bundle.unwrap_or_default(),
            facts.app_mode.kind().title
        ));
        Ok(0)
    })
}

/// Runs a job.
pub(super) fn run(args: &RunArgs) -> Result<u8, Failure> {
    let progress = Progress::new();
    let metadata = deploy::metadata(&args.job.target)?;
    let mut request = super::run::job(&args.job)?;
    if args.no_activate {
        request.spec.activation = Activation::Manual;
    }
    let packed = match request.spec.bundle.path.clone() {
        Some(path) => Some(pack(&mut request, &path, &progress)?.0),
        None => None,
    };
    let job = submit::job(
        "run",
        &new_key(),
        metadata.as_ref(),
        request.spec,
        packed.as_ref(),
    );
    let order = Order {
        job,
        packed,
        service: args.place.service.clone(),
    };
    if args.dry_run {
        progress.pause();
        let text = serde_saphyr::to_string(&order.job).because(Reason::InvalidInput)?;
        printer::line(text.trim_end());
        return Ok(0);
    }
    let place = in_namespace_of(&args.place, metadata.as_ref());
    block_on(async {
        let connection = connect(&place).await.map_err(ClusterError::from)?;
        let name = sent(&connection, &order, &progress).await?;
        if args.place.no_wait {
            printer::line(format!("contentjob/{name} created"));
            return Ok(0);
        }
        let mut output = std::io::stdout();
        let ended = submit::finish(&connection, &name, Some(&mut output), &progress).await;
        progress.pause();
        let seen = ended?;
        progress.done(&format!("job {name} succeeded"));
        tell_result(&seen, &progress);
        Ok(0)
    })
}

/// Packs the content that the request names by path. Nothing is sent that could not be used.
fn pack(request: &mut Request, path: &str, progress: &Progress) -> Result<(Packed, BundleFacts), Failure> {
    progress.step("packing the content");
    let opened = deploy::open(request, path, || Ok(std::env::temp_dir()))?;
    let facts = deploy::facts(&opened.tree, &request.spec)?;
    let content = deploy::content_id(&request.spec, &opened.source)?;
    request.spec.content = Some(content.to_string());
    let packed = if opened.source.is_dir() {
        pack::pack(&opened.source)
    } else {
        pack::take(&opened.source)
    };
    Ok((packed.map_err(ClusterError::from)?, facts))
}

/// The namespace of the command line, else that of the job file.
fn in_namespace_of(place: &ClusterArgs, metadata: Option<&Metadata>) -> Connect {
    let of_file = || metadata.and_then(|metadata| metadata.namespace.clone());
    Connect {
        context: place.context.clone(),
        namespace: place.namespace.clone().or_else(of_file),
    }
}

async fn sent(connection: &Connection, order: &Order, progress: &Progress) -> Result<String, Failure> {
    let sent = submit::send(connection, order, progress).await;
    progress.pause();
    Ok(sent?)
}

/// The last line of standard output is the path of the result, as it is for a job of this machine.
fn tell_result(seen: &Seen, progress: &Progress) {
    let Some(result) = &seen.status.result else {
        return;
    };
    let number = result.number;
    progress.done(&if result.activated {
        format!("result {number} is served now")
    } else {
        format!("result {number} is kept")
    });
    if let Some(path) = &result.path {
        printer::line(path);
    }
}
