//! Finds R, as the sandbox shows it (GB2), and what it is told to do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Allowed, FoundR, LIBRARY, Order, Scene, Workshop};
use crate::builds::cluster::work::Work;
use crate::builds::command::Output;
use crate::builds::doctor::signs;
use crate::builds::error::BuildError;
use crate::builds::view::Seen;
use crate::data::{IoFailure, new_key};
use crate::runtimes::{Version, usual_r};

/// How long R may take to tell its version.
const ASK_LIMIT: Duration = Duration::from_mins(2);

impl Workshop {
    /// Makes an archive of the source.
    pub(super) fn build_command(&self, seen: &Seen, order: &Order<'_>) -> Vec<String> {
        let source = seen.source.join(order.subdirectory);
        let mut words = vec![
            self.r.path.display().to_string(),
            "CMD".to_owned(),
            "build".to_owned(),
            "--no-manual".to_owned(),
        ];
        if !order.products.vignettes {
            words.push("--no-build-vignettes".to_owned());
        }
        words.push(source.display().to_string());
        words
    }

    /// Makes a binary archive of that.
    pub(super) fn binary_command(&self, seen: &Seen, archive: &Path) -> Vec<String> {
        let library = format!("--library={}", seen.output.join(LIBRARY).display());
        let r = self.r.path.display().to_string();
        let archive = archive.display().to_string();
        vec![
            r,
            "CMD".to_owned(),
            "INSTALL".to_owned(),
            "--build".to_owned(),
            library,
            archive,
        ]
    }

    /// The first R that answers where builds run.
    pub(super) fn find_r(&self) -> Result<FoundR, BuildError> {
        let off = |why: String| {
            let causes: String = match self.launcher {
                Some(_) => signs()
                    .causes()
                    .iter()
                    .map(|cause| format!("; {cause}"))
                    .collect(),
                None => String::new(),
            };
            BuildError::Off { why, causes }
        };
        let mut refusals = Vec::new();
        for path in self.candidates() {
            match self.ask(&path) {
                Ok(version) => return Ok(FoundR { path, version }),
                // The sandbox is the same for each R.
                Err(BuildError::Launch(error)) => return Err(off(error.to_string())),
                Err(error) => refusals.push(format!("{}: {error}", path.display())),
            }
        }
        Err(off(match refusals.is_empty() {
            true => "there is no R in the usual places; install it, or name its home as Server.RVersion"
                .to_owned(),
            false => refusals.join("; "),
        }))
    }

    fn candidates(&self) -> Vec<PathBuf> {
        if self.settings.r_version.is_empty() {
            return usual_r();
        }
        let program = |home: &PathBuf| match home.ends_with("bin/R") {
            true => home.clone(),
            false => home.join("bin/R"),
        };
        self.settings.r_version.iter().map(program).collect()
    }

    pub(super) fn ask(&self, r: &Path) -> Result<String, BuildError> {
        let space = self.space()?;
        let exposed = space.exposed(Some(&space.exposed(None).output));
        let file = tempfile::tempfile()
            .map_err(|error| IoFailure::new("make a file in", std::env::temp_dir(), error))?;
        let output = Output::new(file, false);
        let argv = vec![
            r.display().to_string(),
            "--vanilla".to_owned(),
            "--no-echo".to_owned(),
            "-e".to_owned(),
        ];
        let question = "cat('version:', as.character(getRversion()), '')".to_owned();
        let argv = argv.into_iter().chain([question]).collect();
        let scene = Scene {
            hidden: &self.hidden(&[])?,
            exposed: &exposed,
            work: &Work::new("R", "the version of R".to_owned(), &[&new_key()]),
            allowed: &Allowed {
                time: ASK_LIMIT,
                limits: self.settings.limits,
                group: space.key(),
            },
        };
        self.run("R", argv, &scene, &output)?;
        let said = output.said();
        let version = said
            .split("version: ")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next());
        match version.map(Version::parse) {
            Some(Ok(_)) => Ok(version.unwrap_or_default().to_owned()),
            _ => Err(BuildError::Failed {
                what: "R",
                how: "told no version".to_owned(),
                said,
                code: Some(0),
                timed_out: false,
            }),
        }
    }
}
