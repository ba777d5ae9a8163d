//! `offhost path`: paths of the machine to those of the sandbox and back (PW2).

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use super::args::PathArgs;
use super::failure::{Because, Failure};
use super::printer;
use crate::data::{AppDir, Direction, JobPaths, to_physical, to_sandbox, translate_line};
use crate::local::starters;
use crate::names::{MOUNT_DIR, MOUNT_RUNTIME};
use crate::reason::Reason;

pub(super) fn run(config: Option<PathBuf>, args: &PathArgs) -> Result<u8, Failure> {
    let loaded = super::settings::loaded(config)?;
    let data_dir = &loaded.settings.server.data_dir;
    let job = job_paths(data_dir, args)?;
    if args.path == "-" {
        return lines(data_dir, &job);
    }
    let path = Path::new(&args.path);
    let translated = if path.starts_with(MOUNT_DIR) || path.starts_with(MOUNT_RUNTIME) {
        to_physical(data_dir, path, &job).map(|path| path.display().to_string())
    } else {
        to_sandbox(data_dir, path)
    };
    let Some(translated) = translated else {
        let message = format!(
            "{}: no process sees it; name a path below {} or below {MOUNT_DIR}",
            args.path,
            data_dir.display()
        );
        return Err(Failure::new(Reason::InvalidInput, message));
    };
    printer::line(translated);
    Ok(0)
}

/// Translates every line of standard input: paths of the sandbox to those of the machine.
fn lines(data_dir: &Path, job: &JobPaths) -> Result<u8, Failure> {
    let mut out = std::io::stdout().lock();
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).because(Reason::InvalidInput)? == 0 {
            return Ok(0);
        }
        let written = match std::str::from_utf8(&line) {
            Ok(text) => {
                let text = translate_line(text, data_dir, job, Direction::ToPhysical);
                out.write_all(text.as_bytes())
            }
            // A log may hold anything.
            Err(_) => out.write_all(&line),
        };
        if written.is_err() {
            return Ok(0);
        }
    }
}

/// What the records say of the job that was named.
fn job_paths(data_dir: &Path, args: &PathArgs) -> Result<JobPaths, Failure> {
    let mut paths = JobPaths {
        content: args.content.clone(),
        runtime: Some(starters::digest()),
        ..JobPaths::default()
    };
    let Some(key) = &args.job else { return Ok(paths) };
    let record = find_record(data_dir, key, args.content.as_deref()).ok_or_else(|| {
        Failure::new(
            Reason::InvalidInput,
            format!(
                "no job '{key}' is known; see the jobs in {}/jobs",
                data_dir.display()
            ),
        )
    })?;
    let text = |name: &str| record.1[name].as_str().map(str::to_owned);
    paths.content = Some(record.0);
    paths.bundle = record.1["bundle"].as_u64().map(|bundle| bundle.to_string());
    paths.job_key = Some(key.clone());
    paths.variant = text("variant");
    paths.rendering = text("rendering");
    paths.app = if record.1["tag"] == "build_site" {
        AppDir::Output
    } else {
        AppDir::Copy
    };
    Ok(paths)
}

/// The content item and record of a job.
fn find_record(data_dir: &Path, key: &str, content: Option<&str>) -> Option<(String, serde_json::Value)> {
    // A key is one path component, and so is a content item.
    let plain = |name: &str| !name.is_empty() && !name.contains('/') && !name.starts_with('.');
    if !plain(key) || !content.is_none_or(plain) {
        return None;
    }
    let jobs = data_dir.join("jobs");
    let contents: Vec<String> = match content {
        Some(name) => vec![name.to_owned()],
        None => std::fs::read_dir(&jobs)
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect(),
    };
    contents.into_iter().find_map(|name| {
        let text = std::fs::read_to_string(jobs.join(&name).join(key).join("job.json")).ok()?;
        Some((name, serde_json::from_str(&text).ok()?))
    })
}
