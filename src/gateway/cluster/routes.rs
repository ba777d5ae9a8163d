//! From a `ContentApp` as the API server has it to its route.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kube::ResourceExt;

use super::form::Desks;
use crate::api::app_resource::ContentApp;
use crate::api::app_status::{ContentAppStatus, READY};
use crate::api::job::ContentJobSpec;
use crate::apps::{AppId, AppPlace, Failure};
use crate::content::dir::DirFiles;
use crate::content::kinds::{self, Nature};
use crate::content::{AppMode, gather};
use crate::data::{ContentId, Variant, layout};
use crate::gateway::form::Desk;
use crate::gateway::{FileServer, FilesAt, FilesRoute, Processes, Route, Serves};
use crate::reason::{Progress, Reason};
use crate::settings::Settings;
use crate::visitors::{AccessRule, rule_of};

/// Makes routes.
#[derive(Clone, Debug)]
pub(super) struct Maker {
    pub(super) settings: Arc<Settings>,
    pub(super) files: Arc<FileServer>,
    pub(super) desks: Arc<Desks>,
}

impl Maker {
    /// The route of an application. Blocks: the manifest of static content is read.
    pub(super) fn route(&self, app: &ContentApp) -> Route {
        let name = app.name_any();
        let domain = self.settings.gateway.app_domain.as_deref();
        let place = AppPlace::of(&name, &app.spec, domain);
        // What can not be held is not shown, whatever was in force before.
        let (access, serves) = match rule_of(app.spec.access.as_ref(), self.settings.access_limits()) {
            Ok(rule) => (rule, self.serves(app, &name, &place.path)),
            Err(_) => (AccessRule::All, Serves::Held(held(app.status.as_ref()))),
        };
        Route {
            app: AppId::from(app.metadata.uid.as_deref().unwrap_or_default()),
            access,
            serves,
            name,
            path: place.path,
            host: place.host,
        }
    }

    fn serves(&self, app: &ContentApp, name: &str, path: &str) -> Serves {
        let Some(status) = &app.status else {
            return Serves::Held(held(None));
        };
        let mode = status
            .app_mode
            .as_deref()
            .and_then(|name| kinds::of_job(name).ok());
        let Some(mode) = mode else {
            return Serves::Held(held(Some(status)));
        };
        if mode.kind().nature == Nature::Application {
            // Why nothing may run, if nothing may, the hub says.
            let defaults = &self.settings.scheduler.apps;
            return Serves::Processes(Processes::of(&app.spec, mode, defaults));
        }
        let desk = match mode.kind().nature {
            Nature::Document => self.desk(app, status, name, path),
            _ => None,
        };
        // Where nothing was rendered yet, the form can be answered all the same.
        let has_form = desk.is_some() && reason(status) == Some(Reason::NothingToServe);
        let is_served = is_ready(status) || has_form;
        let files = is_served.then(|| self.files(app, status, mode)).flatten();
        match files {
            Some(route) => Serves::Files(Arc::new(
                FilesAt::new(self.files.clone(), route, name.to_owned(), path.to_owned()).with_desk(desk),
            )),
            None => Serves::Held(held(Some(status))),
        }
    }

    fn desk(
        &self,
        app: &ContentApp,
        status: &ContentAppStatus,
        name: &str,
        path: &str,
    ) -> Option<Arc<dyn Desk>> {
        let content = ContentId::parse(status.content.as_deref()?).ok()?;
        let bundle = layout::parse_number(status.bundle.as_deref()?)?;
        self.desks.of(app, (name, path), &content, bundle)
    }

    fn files(&self, app: &ContentApp, status: &ContentAppStatus, mode: AppMode) -> Option<FilesRoute> {
        let content = ContentId::parse(status.content.as_deref()?).ok()?;
        let root = &self.settings.server.data_dir;
        if mode.kind().nature == Nature::Document {
            let variant = Variant::parse(app.spec.variant.as_deref().unwrap_or("default")).ok()?;
            return Some(FilesRoute::active(root.join(layout::variant(&content, &variant))));
        }
        let number = layout::parse_number(status.bundle.as_deref()?)?;
        let bundle = root.join(layout::bundle(&content, number));
        let main = main_file(&bundle, &app.spec.as_job(&app.name_any()));
        Some(FilesRoute::bundle(bundle, number, main))
    }
}

/// The main file that the manifest of static content names.
fn main_file(bundle: &Path, spec: &ContentJobSpec) -> Option<PathBuf> {
    let files = DirFiles::open(bundle).ok()?;
    let facts = gather(&files, spec).ok()?;
    facts.entrypoint.map(PathBuf::from)
}

fn is_ready(status: &ContentAppStatus) -> bool {
    let mut conditions = status.conditions.iter();
    conditions.any(|condition| condition.type_ == READY && condition.status == "True")
}

fn reason(status: &ContentAppStatus) -> Option<Reason> {
    let mut ready = status
        .conditions
        .iter()
        .filter(|condition| condition.type_ == READY);
    ready.find_map(|condition| Reason::from_name(&condition.reason))
}

/// What visitors are told where nothing is served.
fn held(status: Option<&ContentAppStatus>) -> Failure {
    let reason = status.and_then(reason);
    let message = match reason {
        None => "this was deployed a moment ago and is being looked at; come back in some seconds",
        Some(Reason::Suspended) => "this is suspended by its publisher",
        Some(Reason::NothingToServe) => "this has not been rendered yet",
        Some(Reason::AwaitingUpload | Reason::ReferenceNotFound) => "this has not been deployed yet",
        Some(_) => "this can not be served as it is; its publisher finds the reason in its status",
    };
    Failure {
        reason: reason
            .map_or_else(|| Progress::Pending.name(), Reason::name)
            .to_owned(),
        message: message.to_owned(),
        process: None,
        exit_code: None,
    }
}
