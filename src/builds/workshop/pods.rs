//! Builds as Pods (GB6): R found in an image, and one process of a build in a Pod of its own.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::{Builder, FoundR, From, Order, Scene, Workshop};
use crate::builds::cluster::outcome::Verdict;
use crate::builds::cluster::work::Work;
use crate::builds::cluster::{Cluster, Step, log_directory};
use crate::builds::command::Output;
use crate::builds::deliver;
use crate::builds::error::BuildError;
use crate::builds::view::Exposed;
use crate::builds::workspace::{self, BuildSpace};
use crate::data::{CopyOptions, IoFailure, copy_tree, new_key};
use crate::local::launcher::Ended;
use crate::local::signals;
use crate::plan::POD_PATH;
use crate::runtimes::LanguageName;
use crate::sandbox::{EndCause, Met};
use crate::settings::BuildSettings;

/// Of an output that is longer than twice this, the beginning and the end are read.
const MOST: u64 = 16 << 20;

impl Workshop {
    /// Finds R in a Pod and says so in the log.
    pub(super) fn open_with(
        cluster: Cluster,
        settings: BuildSettings,
        builder: Builder,
        secrets: Vec<std::path::PathBuf>,
    ) -> Result<Self, BuildError> {
        tracing::info!("attempting to detect the version of R in a Pod");
        let candidates: Vec<(String, std::path::PathBuf)> = cluster
            .choices()
            .iter()
            .filter_map(|choice| {
                let r = choice.interpreters.get(&LanguageName::R)?;
                Some((choice.runtime.clone(), r.path.clone().into()))
            })
            .collect();
        let mut workshop = Self {
            settings,
            builder,
            launcher: None,
            cluster: Some(cluster),
            secrets,
            r: FoundR {
                path: std::path::PathBuf::new(),
                version: String::new(),
            },
            // All processes of the account on a node would count, those of other Pods too.
            counts_processes: false,
        };
        let mut refusals = Vec::new();
        for (number, (image, path)) in candidates.into_iter().enumerate() {
            if let Some(cluster) = &mut workshop.cluster {
                cluster.choose(number);
            }
            match workshop.ask(&path) {
                Ok(version) => {
                    tracing::info!(image, "builds run as Pods");
                    return Ok(workshop.with(FoundR { path, version }));
                }
                Err(BuildError::Stopped) => return Err(BuildError::Stopped),
                Err(error) => refusals.push(format!("{} of image '{image}': {error}", path.display())),
            }
        }
        Err(BuildError::PodsOff {
            why: refusals.join("; "),
        })
    }

    /// Directories for one build: on the volume where it is a Pod.
    pub(super) fn space(&self) -> Result<BuildSpace, IoFailure> {
        BuildSpace::make(self.space_root())
    }

    fn space_root(&self) -> &Path {
        match &self.cluster {
            Some(cluster) => cluster.root(),
            None => &self.settings.temp_dir,
        }
    }

    /// Ends Pods that a builder before has left, and removes their directories. To be called by whoever holds the lock of
    /// `Git.BuilderDir`, before anything is built.
    ///
    /// # Errors
    /// The cluster does not allow it; nothing may be built then.
    pub fn end_left_over(&self) -> Result<(), BuildError> {
        let Some(cluster) = &self.cluster else {
            return Ok(());
        };
        cluster.end_left_over()?;
        Ok(workspace::sweep(self.space_root())?)
    }

    /// Runs a process of a build in a Pod, whose sandbox it would have here.
    pub(super) fn run_in_pod(
        &self,
        cluster: &Cluster,
        what: &'static str,
        argv: Vec<String>,
        scene: &Scene<'_>,
        output: &Output,
    ) -> Result<Ended, BuildError> {
        let log = scene.exposed.output.with_file_name(log_directory(what));
        std::fs::create_dir(&log).map_err(|error| IoFailure::new("make directory", &log, error))?;
        // Nothing has to write there: R works on a copy.
        let exposed = Exposed {
            source_is_own: false,
            ..scene.exposed.clone()
        };
        let scene = Scene {
            exposed: &exposed,
            ..*scene
        };
        let space = log.parent().and_then(Path::file_name).unwrap_or_default();
        let step = Step {
            what,
            sandbox: &self.sandbox(argv, &scene, POD_PATH),
            work: scene.work,
            key: &space.to_string_lossy(),
            log: &log,
            limit: scene.allowed.time,
        };
        let verdict = cluster.run(&step)?;
        read_log(&log, output);
        let ended = |code, signal, cause| Ended {
            code,
            signal,
            cause,
            layers: Vec::new(),
            met: Met::default(),
        };
        match verdict {
            Verdict::Process { code, signal } => Ok(ended(code, signal, None)),
            Verdict::TimedOut => Ok(ended(None, None, Some(EndCause::Timeout))),
            Verdict::Stopped => Ok(ended(None, None, Some(EndCause::Stopped))),
            Verdict::Cluster(_) if signals::ends() => Err(BuildError::Stopped),
            Verdict::Cluster(problem) => Err(BuildError::Pod {
                what,
                reason: problem.reason,
                message: problem.message,
            }),
        }
    }
}

/// What is built, as its Pods are called. Only a server builds the same thing under the same name: it alone holds the lock that
/// keeps another from doing so.
pub(super) fn work(order: &Order<'_>) -> Work {
    let subdirectory = order.subdirectory.display().to_string();
    let place = |of: String| match subdirectory.as_str() {
        "" => of,
        subdirectory => format!("{of} in {subdirectory}"),
    };
    let destination = order.destination.display().to_string();
    match &order.from {
        From::Git { url, state, .. } if !order.is_shown => {
            let (url, commit) = (url.as_str(), state.commit.as_str());
            let of = place(format!("{url} {} {commit}", state.label()));
            Work::new(url, of, &[url, &subdirectory, commit, &destination])
        }
        From::Git { url, state, .. } => {
            let of = place(format!("{} {} {}", url.as_str(), state.label(), state.commit));
            Work::new(url.as_str(), of, &[&new_key()])
        }
        From::Directory(directory) => {
            let of = directory.display().to_string();
            Work::new(&of, place(of.clone()), &[&new_key()])
        }
    }
}

/// A directory of this machine, which no Pod sees: copied to where the build can.
pub(super) fn copied(space: &BuildSpace, directory: &Path) -> Result<Exposed, BuildError> {
    copy_tree(directory, &space.source(), CopyOptions::default()).map_err(|error| BuildError::Copy {
        directory: directory.to_owned(),
        source: Box::new(error),
    })?;
    Ok(space.exposed(None))
}

/// Takes over what a process has said. What it has put in the place of its log is trusted in nothing.
fn read_log(log: &Path, output: &Output) {
    // A process that was never started has said nothing.
    let Ok(mut file) = deliver::open_plain(&log.join("build.log")) else {
        return;
    };
    output.follow((&mut file).take(MOST));
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let next = length.saturating_sub(MOST).max(MOST);
    if length > MOST && file.seek(SeekFrom::Start(next)).is_ok() {
        output.follow(file.take(MOST));
    }
}
