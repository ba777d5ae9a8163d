//! The table of routes: an immutable snapshot that each request reads without a lock. A change copies one small part of
//! it, so that it costs the same at ten and at ten thousand routes.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::route::{Entry, Route};
use crate::apps::AppId;

/// Parts of the table; each holds few routes even where there are ten thousand.
const SHARDS: usize = 512;

/// What a host and a path lead to.
#[derive(Debug)]
pub enum Found {
    /// An application.
    Route(Arc<Entry>),
    /// The path without the slash at its end, or the root of an application's own host: to be sent to the path.
    Slash(Arc<Entry>),
    /// An application with a host of its own, asked for at another.
    OtherHost(Arc<Entry>),
    /// Nothing.
    Nothing,
}

/// Why a route was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Two applications at one address.
    #[error(
        "'{name}' can not be served at '{address}': '{other}' is served there already; give one of them another \
         spec.path or spec.host"
    )]
    Taken {
        /// The newcomer.
        name: String,
        /// The address.
        address: String,
        /// Who has it.
        other: String,
    },
    /// Not a path.
    #[error(
        "'{name}' can not be served at '{path}': a path begins with a slash, ends without one, and has no empty part"
    )]
    Path {
        /// The application.
        name: String,
        /// What is no path.
        path: String,
    },
}

type Shard = Vec<(u64, Arc<Entry>)>;

/// One state of the table. The key of a route is its own host, or nothing, and its path.
struct Snapshot {
    shards: Box<[Arc<Shard>; SHARDS]>,
    /// Hosts of applications, and the path that is meant by the root of each: that of its oldest route.
    hosts: Box<[Arc<HostShard>; SHARDS]>,
    /// Most parts that the path of any route has had: no longer prefix of a request is looked up.
    deepest: usize,
}

type HostShard = Vec<(u64, Arc<Entry>)>;

impl Snapshot {
    fn empty() -> Self {
        Self {
            shards: Box::new(std::array::from_fn(|_| Arc::default())),
            hosts: Box::new(std::array::from_fn(|_| Arc::default())),
            deepest: 0,
        }
    }
}

/// The table.
pub struct Routes {
    current: ArcSwap<Snapshot>,
    hasher: RandomState,
    /// What the table is made of, for changes alone.
    known: Mutex<Known>,
}

/// Routes in force by application, and by address.
#[derive(Default)]
struct Known {
    by_app: HashMap<AppId, Arc<Entry>>,
    by_host: HashMap<String, BTreeMap<u64, Arc<Entry>>>,
    number: u64,
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Routes").finish_non_exhaustive()
    }
}

impl Default for Routes {
    fn default() -> Self {
        Self {
            current: ArcSwap::from_pointee(Snapshot::empty()),
            hasher: RandomState::new(),
            known: Mutex::default(),
        }
    }
}

impl Routes {
    /// Adds a route or puts it in the place of the application's former one.
    ///
    /// # Errors
    /// [`Refused`]: another application has the address, and keeps it; the former route of this one is gone.
    pub fn set(&self, route: Route) -> Result<(), Refused> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = self.copy();
        if let Some(former) = known.by_app.get(&route.app) {
            let same_place = former.route.path == route.path && former.route.host == route.host;
            if !same_place {
                let former = former.clone();
                self.take_out(&mut known, &mut next, &former);
            }
        }
        let done = self.put_in(&mut known, &mut next, route);
        self.current.store(Arc::new(next));
        done
    }

    /// Removes the route of an application.
    pub fn remove(&self, app: &AppId) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(former) = known.by_app.get(app).cloned() else {
            return;
        };
        let mut next = self.copy();
        self.take_out(&mut known, &mut next, &former);
        self.current.store(Arc::new(next));
    }

    /// The route of an application.
    #[must_use]
    pub fn of(&self, app: &AppId) -> Option<Arc<Entry>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.by_app.get(app).cloned()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .by_app
            .len()
    }

    /// What a host, in lower case and without a port, and the path of a request as its bytes spell it lead to.
    #[must_use]
    pub fn find(&self, host: &str, path: &str) -> Found {
        let table = self.current.load();
        if let Some(of_host) = self.host(&table, host) {
            return match self.longest(&table, host, path) {
                Some(found) => found,
                None if path == "/" => Found::Slash(of_host),
                None => Found::Nothing,
            };
        }
        match self.longest(&table, "", path) {
            Some(Found::Route(entry) | Found::Slash(entry)) if entry.route.host.is_some() => {
                Found::OtherHost(entry)
            }
            Some(found) => found,
            None => Found::Nothing,
        }
    }

    /// The route with the longest path that the request's begins with, by whole parts.
    fn longest(&self, table: &Snapshot, host: &str, path: &str) -> Option<Found> {
        let mut best = None;
        let slashes = path.bytes().enumerate().skip(1).filter(|(_, byte)| *byte == b'/');
        let ends = slashes.map(|(at, _)| at).take(table.deepest).chain([path.len()]);
        for (depth, end) in ends.enumerate() {
            if depth >= table.deepest {
                break;
            }
            if let Some(entry) = self.exact(table, host, &path[..end]) {
                best = Some(if end == path.len() {
                    Found::Slash(entry)
                } else {
                    Found::Route(entry)
                });
            }
        }
        best
    }

    fn exact(&self, table: &Snapshot, host: &str, path: &str) -> Option<Arc<Entry>> {
        let hash = self.hash(host, path);
        let shard = &table.shards[shard_of(hash)];
        let mut found = shard.iter().filter(|(other, _)| *other == hash);
        found
            .find(|(_, entry)| {
                entry.route.path == path && (host.is_empty() || entry.route.host.as_deref() == Some(host))
            })
            .map(|(_, entry)| entry.clone())
    }

    fn host(&self, table: &Snapshot, host: &str) -> Option<Arc<Entry>> {
        let hash = self.hasher.hash_one(host);
        let shard = &table.hosts[shard_of(hash)];
        let mut found = shard.iter().filter(|(other, _)| *other == hash);
        found
            .find(|(_, entry)| entry.route.host.as_deref() == Some(host))
            .map(|(_, entry)| entry.clone())
    }

    fn hash(&self, host: &str, path: &str) -> u64 {
        self.hasher.hash_one((host, path))
    }

    fn copy(&self) -> Snapshot {
        let current = self.current.load();
        Snapshot {
            shards: current.shards.clone(),
            hosts: current.hosts.clone(),
            deepest: current.deepest,
        }
    }

    fn put_in(&self, known: &mut Known, next: &mut Snapshot, route: Route) -> Result<(), Refused> {
        let unusable = || Refused::Path {
            name: route.name.clone(),
            path: route.path.clone(),
        };
        let depth = depth_of(&route.path).ok_or_else(unusable)?;
        // Also on the shared host each path is one application's: there it redirects to the own host.
        if let Some(other) = self.holder(next, &route) {
            return Err(Refused::Taken {
                name: route.name,
                address: route.path,
                other: other.route.name.clone(),
            });
        }
        let entry = Arc::new(Entry::new(route.clone()).ok_or_else(unusable)?);
        next.deepest = next.deepest.max(depth);
        replace(&mut next.shards, self.hash("", &route.path), &entry);
        if let Some(host) = &route.host {
            replace(&mut next.shards, self.hash(host, &route.path), &entry);
            let of_host = known.by_host.entry(host.clone()).or_default();
            let place = of_host.iter().find(|(_, other)| other.route.app == route.app);
            let number = place.map_or(known.number, |(number, _)| *number);
            known.number += 1;
            of_host.insert(number, entry.clone());
            self.set_host(known, next, host);
        }
        known.by_app.insert(route.app, entry);
        Ok(())
    }

    /// Another application at this route's address.
    fn holder(&self, table: &Snapshot, route: &Route) -> Option<Arc<Entry>> {
        let found = self.exact(table, "", &route.path)?;
        (found.route.app != route.app).then_some(found)
    }

    fn take_out(&self, known: &mut Known, next: &mut Snapshot, entry: &Entry) {
        let route = &entry.route;
        known.by_app.remove(&route.app);
        delete(&mut next.shards, self.hash("", &route.path), &route.app);
        if let Some(host) = &route.host {
            delete(&mut next.shards, self.hash(host, &route.path), &route.app);
            if let Some(of_host) = known.by_host.get_mut(host) {
                of_host.retain(|_, other| other.route.app != route.app);
            }
            self.set_host(known, next, host);
        }
    }

    /// Lets the root of a host mean its oldest route.
    fn set_host(&self, known: &mut Known, next: &mut Snapshot, host: &str) {
        let hash = self.hasher.hash_one(host);
        let oldest = known
            .by_host
            .get(host)
            .and_then(|of_host| of_host.values().next());
        let shard = Arc::make_mut(&mut next.hosts[shard_of(hash)]);
        shard.retain(|(_, entry)| entry.route.host.as_deref() != Some(host));
        match oldest {
            Some(oldest) => shard.push((hash, oldest.clone())),
            None => drop(known.by_host.remove(host)),
        }
    }
}

fn shard_of(hash: u64) -> usize {
    usize::try_from(hash % SHARDS as u64).expect("a remainder is smaller than its divisor")
}

fn replace(shards: &mut [Arc<Shard>; SHARDS], hash: u64, entry: &Arc<Entry>) {
    let shard = Arc::make_mut(&mut shards[shard_of(hash)]);
    shard.retain(|(other, old)| *other != hash || old.route.app != entry.route.app);
    shard.push((hash, entry.clone()));
}

fn delete(shards: &mut [Arc<Shard>; SHARDS], hash: u64, app: &AppId) {
    let shard = Arc::make_mut(&mut shards[shard_of(hash)]);
    shard.retain(|(other, old)| *other != hash || old.route.app != *app);
}

/// How many parts a path has; `None` where it is none.
fn depth_of(path: &str) -> Option<usize> {
    let parts = path.strip_prefix('/')?.split('/');
    let is_part = |part: &str| !part.is_empty() && !matches!(part, "." | "..");
    parts.clone().all(is_part).then(|| parts.count())
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
