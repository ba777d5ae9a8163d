//! What Git builds take from `rstudio-pm.gcfg`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Built, Reader, parse_small};
use crate::settings::resolve::Resolved;
use crate::settings::typed_builds::{BuildLimits, BuildPods, BuildSettings};
use crate::settings::values;

/// Builds [`BuildSettings`]; `config` is the settings file.
pub(in crate::settings) fn builds(resolved: &Resolved, config: Option<&Path>) -> Built<BuildSettings> {
    const GIT: &str = "Git";
    let from = Reader(resolved);
    let storage = resolved.named("FileStorage", "Location").into_iter();
    let storage = storage.map(|entry| PathBuf::from(&entry.found.value));
    Ok(BuildSettings {
        data_dir: from.path("Server", "DataDir"),
        temp_dir: from.path("Server", "TempDir"),
        sock_file_dir: from.path("Server", "SockFileDir"),
        r_version: from.paths("Server", "RVersion"),
        sqlite_dir: from.path("SQLite", "Dir"),
        storage: storage.filter(|path| !path.as_os_str().is_empty()).collect(),
        builder_dir: from.path(GIT, "BuilderDir"),
        poll_interval: from.parsed(GIT, "PollInterval", values::parse_duration)?,
        build_retries: from.parsed(GIT, "BuildRetries", parse_small)?.max(1),
        build_concurrency: from.parsed(GIT, "BuildConcurrency", parse_small)?.max(1),
        allow_unsandboxed: from.switch(GIT, "AllowUnsandboxedGitBuilds")?,
        limits: limits(&from)?,
        pods: match resolved.choice(GIT, "BuildExecutor") {
            Some("kubernetes") => Some(Box::new(from.build_pods()?)),
            _ => None,
        },
        config_file: config.map(Path::to_owned),
    })
}

fn limits(from: &Reader<'_>) -> Built<BuildLimits> {
    const SANDBOX: &str = "Sandbox";
    Ok(BuildLimits {
        memory: from.parsed(SANDBOX, "MemoryLimit", values::parse_size)?,
        cpu_millis: from.parsed(SANDBOX, "CPULimit", values::parse_thousandths)?,
        processes: from.parsed(SANDBOX, "ProcessLimit", values::parse_count)?,
        file_size: from.parsed(SANDBOX, "FileSizeLimit", values::parse_size)?,
        open_files: from.parsed(SANDBOX, "OpenFilesLimit", values::parse_count)?,
    })
}

impl Reader<'_> {
    fn build_pods(&self) -> Built<BuildPods> {
        let start = self.parsed("Kubernetes", "StartTimeout", values::parse_duration)?;
        Ok(BuildPods {
            kubernetes: self.pods()?,
            scheduler: self.build_resources()?,
            runtimes_file: self.optional_path("ExecutionEnvironments", "ConfigFilePath"),
            start_timeout: start.max(Duration::from_secs(1)),
        })
    }
}
