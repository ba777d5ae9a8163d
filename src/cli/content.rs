//! `offhost content`: deployments and results.

use std::path::{Path, PathBuf};

use super::args::Format;
use super::args_content::ContentCommand;
use super::failure::{Because, Failure};
use super::{content_index, content_jobs, printer};
use crate::api::job::ContentJobSpec;
use crate::data::{self, ContentId, DataDir, Renders, ResultState, Store, Variant, layout};
use crate::local::deploy::{self, Request};
use crate::local::error::LocalError;
use crate::reason::Reason;
use crate::settings::Settings;

pub(super) fn run(config: Option<PathBuf>, command: ContentCommand) -> Result<u8, Failure> {
    if let ContentCommand::Deploy {
        source,
        content,
        place,
    } = &command
        && place.cluster
    {
        return super::cluster::deploy(source, content.clone(), place);
    }
    let loaded = super::settings::loaded(config)?;
    let path = &loaded.settings.server.data_dir;
    if loaded.data_dir_is_personal
        && let Some(parent) = path.parent()
    {
        std::fs::create_dir_all(parent).because(Reason::DataUnavailable)?;
    }
    let data = if loaded.data_dir_is_personal {
        DataDir::open_or_make(path)
    } else {
        DataDir::open(path)
    };
    let data = data.map_err(LocalError::from)?;
    match command {
        ContentCommand::Deploy { source, content, .. } => {
            let content = deploy(&data, &source, content)?;
            content_index::note(&data, &loaded.settings, &content);
            Ok(0)
        }
        ContentCommand::List(args) => list(&data, &loaded.settings, args.output),
        ContentCommand::History { content, output } => {
            content_index::history(&data, &loaded.settings, &content, output.output)
        }
        ContentCommand::Results { content, output } => results(&data, &content, output.output),
        ContentCommand::Jobs { content, output } => {
            content_jobs::list(&data, &loaded.settings, &content, output.output)
        }
        ContentCommand::Set { content, defaults } => {
            content_jobs::set(&data, &loaded.settings, &content, &defaults)
        }
        ContentCommand::Activate {
            content,
            result,
            variant,
        } => {
            let number = number(&result)?;
            let (id, renders) = renders(&data, &content, &variant)?;
            renders.activate(number).map_err(LocalError::from)?;
            printer::line(format!("result/{number} of {content} activated"));
            content_index::note(&data, &loaded.settings, &id);
            Ok(0)
        }
        ContentCommand::Remove {
            content,
            result: Some(result),
            variant,
        } => {
            let number = number(&result)?;
            let (id, renders) = renders(&data, &content, &variant)?;
            renders.remove(number).map_err(LocalError::from)?;
            printer::line(format!("result/{number} of {content} removed"));
            content_index::note(&data, &loaded.settings, &id);
            Ok(0)
        }
        ContentCommand::Remove {
            content,
            result: None,
            ..
        } => {
            let id = ContentId::parse(&content).map_err(LocalError::from)?;
            Store::new(&data).remove(&id).map_err(LocalError::from)?;
            printer::line(format!("content/{content} removed"));
            content_index::note(&data, &loaded.settings, &id);
            Ok(0)
        }
    }
}

fn number(text: &str) -> Result<u64, Failure> {
    layout::parse_number(text).ok_or_else(|| {
        Failure::new(
            Reason::InvalidInput,
            format!("'{text}' is not the number of a result; see offhost content results"),
        )
    })
}

fn renders<'a>(data: &'a DataDir, content: &str, variant: &str) -> Result<(ContentId, Renders<'a>), Failure> {
    let content = ContentId::parse(content).map_err(LocalError::from)?;
    let variant = Variant::parse(variant).map_err(LocalError::from)?;
    Store::new(data).content(&content).map_err(LocalError::from)?;
    Ok((content.clone(), Renders::new(data, content, variant)))
}

/// The request that a directory or archive becomes, and its path.
pub(super) fn request(source: &Path, content: Option<String>) -> Result<(Request, String), Failure> {
    let mut spec = ContentJobSpec {
        content,
        ..ContentJobSpec::default()
    };
    let path = source.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::new(
            Reason::InvalidInput,
            format!("{}: is not UTF-8; rename it", source.display()),
        )
    })?;
    spec.bundle.path = Some(path.clone());
    let request = Request {
        spec,
        serve: None,
        manifest: None,
        base: PathBuf::new(),
        name: path.clone(),
    };
    Ok((request, path))
}

fn deploy(data: &DataDir, source: &Path, content: Option<String>) -> Result<ContentId, Failure> {
    let (request, path) = request(source, content)?;
    let opened = deploy::open(&request, &path, || Ok(data.ensure("apps")?))?;
    let facts = deploy::facts(&opened.tree, &request.spec)?;
    let content = deploy::content_id(&request.spec, &opened.source)?;
    let bundle = deploy::deploy(data, &content, request.spec.content.is_some(), &opened)?;
    for inferred in &facts.inferred {
        printer::note(format!("note: {inferred}"));
    }
    printer::line(format!(
        "content/{content} deployed as bundle {bundle} ({})",
        facts.app_mode.kind().title
    ));
    Ok(content)
}

fn list(data: &DataDir, settings: &Settings, format: Format) -> Result<u8, Failure> {
    let entries = Store::new(data).list().map_err(LocalError::from)?;
    let known = content_index::Known::of(data, settings);
    let entries: Vec<_> = entries.into_iter().map(|entry| known.line(entry)).collect();
    if format == Format::Json {
        printer::json(&entries);
        return Ok(0);
    }
    let head = [
        "CONTENT", "BUNDLE", "BUNDLES", "SOURCE", "CREATED", "KIND", "ACCESS", "ACCOUNT",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for line in entries {
        let entry = line.entry;
        rows.push(vec![
            entry.content.to_string(),
            or_dash(entry.active.map(|bundle| bundle.to_string())),
            entry.bundles.len().to_string(),
            entry.record.source.display().to_string(),
            entry.record.created.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            or_dash(line.kind),
            or_dash(line.access),
            or_dash(line.run_as),
        ]);
    }
    printer::table(&rows);
    Ok(0)
}

fn results(data: &DataDir, content: &str, format: Format) -> Result<u8, Failure> {
    let id = ContentId::parse(content).map_err(LocalError::from)?;
    let store = Store::new(data);
    store.content(&id).map_err(LocalError::from)?;
    let mut all = Vec::new();
    for variant in data::variants(data, &id).map_err(LocalError::from)? {
        let renders = Renders::new(data, id.clone(), variant.clone());
        for entry in renders.list().map_err(LocalError::from)? {
            all.push((variant.clone(), renders.path(entry.number), entry));
        }
    }
    if format == Format::Json {
        let rows: Vec<_> = all
            .iter()
            .map(|(variant, path, entry)| serde_json::json!({ "variant": variant, "path": path, "result": entry }))
            .collect();
        printer::json(&rows);
        return Ok(0);
    }
    let mut rows = vec![
        ["RESULT", "VARIANT", "STATE", "FILES", "BYTES", "PATH", "FINISHED"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for (variant, path, entry) in all {
        let record = entry.record.as_ref();
        let of = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        rows.push(vec![
            entry.number.to_string(),
            variant.to_string(),
            match entry.state {
                _ if entry.active => "served",
                ResultState::Finished => "kept",
                _ => "unfinished",
            }
            .to_owned(),
            of(record.map(|record| record.files.to_string())),
            of(record.map(|record| record.bytes.to_string())),
            path.display().to_string(),
            of(record.map(|record| record.finished.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())),
        ]);
    }
    printer::table(&rows);
    Ok(0)
}
