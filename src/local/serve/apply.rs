//! What the keeper does about applications: prepares what is asked for and puts it in force.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::ended;
use super::entry::{Entry, Problem, Work};
use super::keeper::{Keeper, News};
use super::prepare::{self, Prepared, Serving, Step, Wish};
use super::stamp::{self, Stamp};
use crate::data::{ContentId, Store};
use crate::hub::FleetEvent;
use crate::local::error::LocalError;
use crate::local::server::Server;
use crate::reason::Reason;

/// What is looked at to see whether an application has to be deployed again.
#[derive(Debug)]
pub(super) enum Look {
    /// A directory or an archive.
    Source(PathBuf),
    /// Which bundle of a content item is in force.
    Active(String),
}

impl Look {
    pub(super) fn stamp(&self, server: &Server) -> Option<Stamp> {
        match self {
            Self::Source(path) => stamp::of(path),
            Self::Active(content) => {
                let content = ContentId::parse(content).ok()?;
                Store::new(&server.data).active(&content).ok()?
            }
        }
    }
}

/// What is looked at for a wish; none where its bundle is named by its number.
fn look(wish: &Wish) -> Option<Look> {
    let spec = &wish.app.spec;
    match (&spec.bundle.path, &spec.bundle.id) {
        (Some(path), _) => Some(Look::Source(wish.base.join(path))),
        (None, Some(_)) => None,
        (None, None) => {
            let name = spec.content.as_ref().unwrap_or(&wish.app.metadata.name);
            Some(Look::Active(name.clone()))
        }
    }
}

impl Keeper {
    pub(super) fn looks(&self) -> Vec<(String, Look)> {
        let looks = self.apps.iter();
        looks
            .filter_map(|(name, entry)| Some((name.clone(), look(&entry.wish)?)))
            .collect()
    }

    pub(super) fn follow_apps(&mut self, wishes: BTreeMap<String, (String, Wish)>) {
        let gone: Vec<String> = self
            .apps
            .keys()
            .filter(|name| !wishes.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            self.end_app(&name);
        }
        for (name, (file, wish)) in wishes {
            match self.apps.get_mut(&name) {
                Some(entry) if entry.wish.app == wish.app => {
                    (entry.file, entry.wish.manifest) = (file, wish.manifest);
                }
                Some(entry) => {
                    let is_access_new = entry.wish.app.spec.access != wish.app.spec.access;
                    (entry.wish, entry.file, entry.problem) = (wish, file, None);
                    if is_access_new {
                        // Who may not see it any more does not see it while it is prepared.
                        self.publish(&name);
                    }
                    self.begin(&name, false);
                }
                None => {
                    tracing::info!(app = %name, "an application is served");
                    self.apps.insert(name.clone(), Entry::new(wish, file));
                    self.publish(&name);
                    self.begin(&name, false);
                }
            }
        }
        self.place_displaced();
        self.count();
        self.tell_served();
    }

    fn end_app(&mut self, name: &str) {
        if let Some(entry) = self.apps.remove(name) {
            let app = entry.wish.id();
            tracing::info!(%app, "an application is served no more");
            self.routes.remove(&app);
            self.hub.tell(FleetEvent::AppGone { app: app.clone() });
            self.fleet.forget(&app);
        }
    }

    /// Begins to prepare an application; one preparation of it at a time.
    fn begin(&mut self, name: &str, may_install: bool) {
        let Some(entry) = self.apps.get_mut(name) else {
            return;
        };
        if entry.work != Work::Rests {
            entry.work = Work::RunsAgain;
            return;
        }
        entry.work = Work::Runs;
        entry.doing = if may_install {
            "is waiting for its packages to be installed"
        } else {
            "is being prepared"
        };
        let queue = if may_install { &self.slow } else { &self.quick };
        let (queue, server, news) = (queue.clone(), self.server.clone(), self.news.clone());
        let (name, wish) = (name.to_owned(), entry.wish.clone());
        let (files, forms) = (self.files.clone(), self.forms.clone());
        let runs_as = self.runs_as.clone();
        tokio::spawn(async move {
            let Ok(turn) = queue.acquire_owned().await else {
                return;
            };
            tokio::task::spawn_blocking(move || {
                let stamp = look(&wish).and_then(|look| look.stamp(&server));
                let result = prepare::prepare(&server, (&files, &forms), &runs_as, &wish, may_install);
                let result = result.map(|step| match step {
                    Step::Done(prepared) => Some(prepared),
                    Step::Lacks => None,
                });
                drop(turn);
                let content = result.as_ref().ok().and_then(Option::as_ref);
                let content = content.map(|prepared| prepared.content.clone());
                drop(news.send(News::Prepared { name, result, stamp }));
                // What is served does not wait for the index.
                if let Some(content) = content
                    && let Err(error) = server.index().note(&content)
                {
                    tracing::debug!(%content, "{error}; the index of content follows later");
                }
            });
        });
    }

    pub(super) fn prepared(
        &mut self,
        name: &str,
        result: Result<Option<Box<Prepared>>, LocalError>,
        stamp: Option<Stamp>,
    ) {
        let Some(entry) = self.apps.get_mut(name) else {
            return;
        };
        let again = entry.work == Work::RunsAgain;
        entry.work = Work::Rests;
        if again {
            return self.begin(name, false);
        }
        entry.stamps = (stamp, stamp);
        match result {
            Ok(None) => {
                self.begin(name, true);
                self.publish(name);
            }
            Ok(Some(prepared)) => {
                entry.problem = None;
                tracing::info!(app = %name, content = %prepared.content, bundle = prepared.bundle, kind = prepared.mode.name(), "an application can be served");
                entry.current = Some(Arc::new(*prepared));
                self.put_in_force(name);
                self.tell_served();
            }
            Err(LocalError::Stopped) => {}
            Err(error) => {
                let kept = if entry.current.is_some() {
                    "; what was in force stays"
                } else {
                    ""
                };
                tracing::warn!(app = %name, reason = error.reason().name(), "{error}{kept}");
                entry.problem = Some(Problem::new(
                    error.reason(),
                    error.to_string(),
                    ended::public(&error),
                ));
                self.publish(name);
            }
        }
        self.count();
    }

    /// Lets new sessions come to what was prepared; older processes drain (AP2).
    fn put_in_force(&mut self, name: &str) {
        let Some(entry) = self.apps.get(name) else {
            return;
        };
        let app = entry.wish.id();
        match (
            entry.spec(),
            entry.current.as_ref().map(|current| &current.serves),
        ) {
            (Some(spec), Some(Serving::Processes { source, .. })) => {
                self.fleet.add(source.clone());
                self.hub.tell(FleetEvent::AppSet { app, spec });
                self.fleet.prune();
            }
            _ => {
                self.hub.tell(FleetEvent::AppGone { app: app.clone() });
                self.fleet.forget(&app);
            }
        }
        self.publish(name);
    }

    /// Tells the gateway where the application is and what answers there.
    fn publish(&mut self, name: &str) {
        let Some(entry) = self.apps.get_mut(name) else {
            return;
        };
        let refused = self.routes.set(entry.route(&self.server.settings)).err();
        entry.is_displaced = refused.is_some();
        if let Some(refused) = refused {
            let message = refused.to_string();
            if entry
                .problem
                .as_ref()
                .is_none_or(|known| known.message != message)
            {
                tracing::warn!(app = %name, "{message}");
                entry.problem = Some(Problem::new(
                    Reason::InvalidInput,
                    message,
                    "another one has its address",
                ));
            }
        }
    }

    /// An address may have become free.
    fn place_displaced(&mut self) {
        let displaced = self.apps.iter().filter(|(_, entry)| entry.is_displaced);
        let names: Vec<String> = displaced.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.publish(&name);
            if let Some(entry) = self.apps.get_mut(&name).filter(|entry| !entry.is_displaced) {
                entry.problem = None;
                self.publish(&name);
            }
        }
    }

    /// A look at the source of an application. One that is just being written counts when it is quiet.
    pub(super) fn source_seen(&mut self, name: &str, seen: Option<Stamp>) {
        let Some(entry) = self.apps.get_mut(name) else {
            return;
        };
        let (deployed, before) = entry.stamps;
        entry.stamps.1 = seen;
        let is_quiet = before == seen || entry.source().is_none();
        if seen != deployed && is_quiet && entry.work == Work::Rests {
            entry.stamps.0 = seen;
            self.begin(name, false);
        }
    }

    /// Tries again what failed long enough ago.
    pub(super) fn try_failed(&mut self) {
        let now = Instant::now();
        let due = |entry: &Entry| {
            let is_due = entry
                .problem
                .as_ref()
                .is_some_and(|problem| problem.retry_at <= now);
            is_due && entry.work == Work::Rests
        };
        let failed = self.apps.iter().filter(|(_, entry)| due(entry));
        let names: Vec<String> = failed.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.begin(&name, false);
        }
    }

    /// Prepares everything again, as an administrator asks for.
    pub(super) fn try_all(&mut self) {
        let names: Vec<String> = self.apps.keys().cloned().collect();
        for name in names {
            self.begin(&name, false);
        }
    }

    /// Prepares what serves a content item of which a job has just deployed or made something.
    pub(super) fn try_content(&mut self, content: &str) {
        let of =
            |name: &String, entry: &Entry| entry.wish.app.spec.content.as_ref().unwrap_or(name) == content;
        let names: Vec<String> = self
            .apps
            .iter()
            .filter(|(name, entry)| of(name, entry))
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            self.begin(&name, false);
        }
    }

    fn count(&self) {
        let problems = self.apps.values().filter(|entry| entry.problem.is_some()).count();
        let served = self.apps.values().filter(|entry| entry.current.is_some()).count();
        for (state, count) in [
            ("known", self.apps.len()),
            ("served", served),
            ("problem", problems),
        ] {
            let gauge = self.tally.apps.get_or_create(&super::tally::ByState { state });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}
