//! From what a manifest asks for to what can be served: deployed, planned, installed. Blocks.

use std::path::PathBuf;
use std::sync::Arc;

use super::form::{DeskAt, Forms};
use super::install;
use super::source::{Base, Source, lacks_packages, serving};
use crate::api::app::AppFile;
use crate::apps::{AppId, Bounds, bounds_of};
use crate::content::AppMode;
use crate::content::kinds::Nature;
use crate::data::{BundleOwner, ContentId, Store, Variant, layout, tree_digest};
use crate::gateway::form::Desk;
use crate::gateway::{FileServer, FilesAt, FilesRoute, Processes, RunsAs};
use crate::gather::{self, Listings};
use crate::local::deploy::{self, Opened, Request};
use crate::local::error::LocalError;
use crate::local::job;
use crate::local::server::Server;
use crate::local::trust;
use crate::names::CONTENT_PREFIX;
use crate::plan::{self, Mode};
use crate::settings::Settings;
use crate::visitors;

/// What a manifest asks for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The manifest.
    pub app: AppFile,
    /// The directory that its paths count from.
    pub base: PathBuf,
    /// The manifest's file.
    pub manifest: PathBuf,
}

impl Wish {
    /// The application.
    #[must_use]
    pub fn id(&self) -> AppId {
        AppId::from(self.app.metadata.name.as_str())
    }

    /// Its path at the gateway.
    #[must_use]
    pub fn path(&self) -> String {
        let name = &self.app.metadata.name;
        let given = self.app.spec.path.clone();
        given.unwrap_or_else(|| format!("{CONTENT_PREFIX}/{name}"))
    }

    /// Its own host name, if it has one.
    #[must_use]
    pub fn host(&self, settings: &Settings) -> Option<String> {
        let below = |domain: &String| format!("{}.{domain}", self.app.metadata.name);
        let given = self.app.spec.host.clone();
        given.or_else(|| settings.gateway.app_domain.as_ref().map(below))
    }
}

/// What can be served.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The content item.
    pub content: ContentId,
    /// The bundle.
    pub bundle: u64,
    /// The kind of content.
    pub mode: AppMode,
    /// What answers.
    pub serves: Serving,
}

/// What answers.
#[derive(Clone, Debug)]
pub enum Serving {
    /// Processes.
    Processes {
        /// What they are started from.
        source: Arc<Source>,
        /// How many.
        bounds: Bounds,
        /// How requests reach them.
        how: Processes,
    },
    /// Files; the bundle stays for as long as they are served.
    Files {
        /// What is sent.
        files: Arc<FilesAt>,
        /// Keeps the bundle.
        base: Arc<Base>,
    },
}

/// How far a preparation came.
#[derive(Debug)]
pub enum Step {
    /// It can be served.
    Done(Box<Prepared>),
    /// Packages have to be installed first, for which there is a queue.
    Lacks,
}

/// Prepares what a manifest asks for; packages are installed only where it `may_install`.
///
/// # Errors
/// Why it can not be served, in one sentence.
pub fn prepare(
    server: &Server,
    files: (&Arc<FileServer>, &Arc<Forms>),
    runs_as: &RunsAs,
    wish: &Wish,
    may_install: bool,
) -> Result<Step, LocalError> {
    visitors::rule_of(wish.app.spec.access.as_ref(), server.settings.access_limits())?;
    let base = base(server, wish)?;
    if base.facts.app_mode.kind().nature != Nature::Application {
        if wish.app.spec.run_as_current_user {
            let accounts = gather::accounts(Mode::Local, &server.settings, None)?;
            plan::check_current_user(base.facts.app_mode, &server.settings, &accounts)?;
        }
        return Ok(Step::Done(Box::new(of_files(server, files, wish, base)?)));
    }
    let bounds = bounds_of(&wish.app.spec, &server.settings.scheduler.apps)?;
    let plan = base.plan(server, "KEY", None, &Listings::default())?;
    if lacks_packages(&plan) {
        if !may_install {
            return Ok(Step::Lacks);
        }
        install::run(server, &base, &wish.app.metadata.name)?;
    }
    give(server, &base)?;
    let store = Store::new(&server.data);
    let keep = server.settings.applications.bundle_retention_limit;
    if let Err(error) = store.retain_bundles(&base.content, keep) {
        tracing::warn!(content = %base.content, %error, "older bundles stay");
    }
    let deployment = base.deployment(server)?;
    let defaults = &server.settings.scheduler.apps;
    let how = Processes {
        runs_as: wish.app.spec.run_as_current_user.then(|| runs_as.clone()),
        ..Processes::of(&wish.app.spec, base.facts.app_mode, defaults)
    };
    Ok(Step::Done(Box::new(Prepared {
        content: base.content.clone(),
        bundle: base.bundle,
        mode: base.facts.app_mode,
        serves: Serving::Processes {
            source: Arc::new(Source {
                app: wish.id(),
                deployment,
                init_timeout: bounds.init_timeout,
                base,
            }),
            bounds,
            how,
        },
    })))
}

/// Deploys the bundle where it is named by path, and marks it as in use.
fn base(server: &Server, wish: &Wish) -> Result<Base, LocalError> {
    let mut spec = wish.app.spec.clone();
    let store = Store::new(&server.data);
    let request = Request {
        spec: spec.as_job(&wish.app.metadata.name),
        serve: None,
        manifest: Some(wish.manifest.clone()),
        base: wish.base.clone(),
        name: wish.app.metadata.name.clone(),
    };
    let content = match &spec.content {
        Some(content) => ContentId::parse(content)?,
        None => ContentId::parse(&wish.app.metadata.name)?,
    };
    check_trust(&store, wish, &content)?;
    let bundle = match spec.bundle.path.clone() {
        Some(path) => deployed(server, &request, &path, &content)?,
        None => {
            let mut request = request.clone();
            request.spec.content = Some(content.to_string());
            job::existing(&store, &request)?.1
        }
    };
    let content_image = store.content(&content)?.defaults.take_into(&mut spec.run_as);
    let in_use = store.use_bundle(&content, bundle)?;
    let facts = deploy::facts(in_use.path(), &spec.as_job(&wish.app.metadata.name))?;
    Ok(Base {
        content,
        bundle,
        spec,
        facts,
        prefix: wish.path(),
        content_image,
        in_use,
    })
}

/// Others than administrators do not decide as whom content runs, nor what runs as an account that a content item has.
fn check_trust(store: &Store<'_>, wish: &Wish, content: &ContentId) -> Result<(), LocalError> {
    let mut spec = wish.app.spec.as_job(&wish.app.metadata.name);
    // What was never deployed has no defaults.
    let own = store
        .content(content)
        .ok()
        .and_then(|known| known.defaults.run_as);
    spec.run_as = spec.run_as.or(own);
    trust::check(Some(&wish.manifest), &spec)?;
    if wish.app.spec.run_as_current_user {
        trust::check_account(Some(&wish.manifest), "its visitors")?;
    }
    Ok(())
}

/// What could not be used is not deployed: what is in force stays in force.
fn deployed(server: &Server, request: &Request, path: &str, content: &ContentId) -> Result<u64, LocalError> {
    let opened = deploy::open(request, path, || Ok(server.data.ensure("apps")?))?;
    deploy::facts(&opened.tree, &request.spec)?;
    if let Some(bundle) = in_force(server, content, &opened) {
        return Ok(bundle);
    }
    deploy::deploy(&server.data, content, true, &opened)
}

/// The bundle in force, if it was made of the same files: what processes have written in it since is theirs (AP1), and
/// no reason to begin anew with each start of the server.
fn in_force(server: &Server, content: &ContentId, opened: &Opened) -> Option<u64> {
    let store = Store::new(&server.data);
    let bundle = store.active(content).ok()??;
    let record = store.bundle_record(content, bundle).ok()?;
    let same = record.source == opened.source && tree_digest(&opened.tree).ok()? == record.digest;
    same.then_some(bundle)
}

/// Gives the bundle to the account of its processes, which write in it, and to the shared group where they have several
/// accounts (AP1).
fn give(server: &Server, base: &Base) -> Result<(), LocalError> {
    let plan = base.plan(server, "KEY", None, &Listings::default())?;
    let Some(process) = serving(&plan) else {
        return Ok(());
    };
    let shared = process.serve.as_ref().and_then(|serve| serve.shared_group);
    let owner = BundleOwner {
        uid: process.identity.uid,
        gid: shared.unwrap_or(process.identity.gid),
        is_shared: shared.is_some(),
    };
    let store = Store::new(&server.data);
    Ok(store.give_bundle(&base.content, base.bundle, owner)?)
}

fn of_files(
    server: &Server,
    (files, forms): (&Arc<FileServer>, &Arc<Forms>),
    wish: &Wish,
    base: Base,
) -> Result<Prepared, LocalError> {
    let base = Arc::new(base);
    let name = wish.app.metadata.name.clone();
    let desk = DeskAt::of(forms, &name, &base).map(|desk| desk as Arc<dyn Desk>);
    let route = match base.facts.app_mode.kind().nature {
        Nature::Files => {
            let main = base.facts.entrypoint.as_ref().map(PathBuf::from);
            FilesRoute::bundle(base.in_use.path().to_owned(), base.bundle, main)
        }
        _ => {
            let variant = Variant::parse(wish.app.spec.variant.as_deref().unwrap_or("default"))?;
            FilesRoute::active(server.data.path(layout::variant(&base.content, &variant)))
        }
    };
    let files = FilesAt::new(files.clone(), route, name, wish.path()).with_desk(desk);
    Ok(Prepared {
        content: base.content.clone(),
        bundle: base.bundle,
        mode: base.facts.app_mode,
        serves: Serving::Files {
            files: Arc::new(files),
            base,
        },
    })
}
