//! Applications whose visitors' accounts have processes of their own: which pools there are, and what one has of the
//! application beside the others. Decisions are in `apps::pools`.

use std::collections::{BTreeMap, VecDeque};

use super::{Entry, State};
use crate::apps::wire::ToGateway;
use crate::apps::{App, AppId, Moment, Others, Part, Scene, others, yields};

/// The pools of one application, that of its fallback account included.
#[derive(Debug, Default)]
pub(super) struct Pools {
    parts: BTreeMap<AppId, Part>,
    /// Pools where somebody waits for a process that another one has, in order.
    queue: VecDeque<AppId>,
    yields: BTreeMap<AppId, u32>,
}

impl State {
    /// Makes the pool that somebody waits for, if its application has such. Whether it is there.
    pub(super) fn make_pool(&mut self, id: &AppId) -> bool {
        if self.apps.contains_key(id) {
            return true;
        }
        let Some(app) = id.account().map(|_| id.application()) else {
            return false;
        };
        let of = self.apps.get(&app).filter(|entry| !entry.is_removed);
        let Some(spec) = of.map(|entry| entry.app.spec()).filter(|spec| spec.has_pools) else {
            return false;
        };
        let pool = Entry::new(App::new(spec.of_pool()));
        self.apps.insert(id.clone(), pool);
        self.pools
            .entry(app)
            .or_default()
            .parts
            .insert(id.clone(), Part::default());
        true
    }

    /// The application is to be otherwise, and all pools with it.
    pub(super) fn set_pools(&mut self, app: &AppId) {
        let Some(spec) = self.apps.get(app).map(|entry| entry.app.spec().clone()) else {
            return;
        };
        if spec.has_pools {
            let pools = self.pools.entry(app.clone()).or_default();
            pools.parts.entry(app.clone()).or_default();
        }
        for id in self.visitors_pools(app) {
            if let Some(entry) = self.apps.get_mut(&id) {
                entry.app.set_spec(spec.of_pool());
                if spec.has_pools {
                    entry.is_removed = false;
                }
            }
            if !spec.has_pools {
                self.remove(&id);
            }
            self.dirty.insert(id);
        }
    }

    /// The application is served no more, and no pool of it.
    pub(super) fn remove_all(&mut self, app: &AppId) {
        self.remove(app);
        for id in self.visitors_pools(app) {
            self.remove(&id);
        }
    }

    fn remove(&mut self, id: &AppId) {
        if let Some(entry) = self.apps.get_mut(id) {
            entry.is_removed = true;
            entry.said = None;
            self.gateways.send_all(&ToGateway::Removed { app: id.clone() });
            self.dirty.insert(id.clone());
        }
    }

    fn visitors_pools(&self, app: &AppId) -> Vec<AppId> {
        let parts = self.pools.get(app).map(|pools| pools.parts.keys());
        let ids = parts.into_iter().flatten().filter(|id| *id != app);
        ids.cloned().collect()
    }

    /// What the other pools of an application have, and how many processes this one gives up for them.
    pub(super) fn around(&self, id: &AppId) -> (Others, u32) {
        let Some(pools) = self.pools.get(&id.application()) else {
            return (Others::default(), 0);
        };
        // As they are now: what was noted may be of before an event that is not decided about yet.
        let now = pools.parts.keys().filter(|other| *other != id);
        let now = now.filter_map(|other| Some((other.clone(), self.part(other)?)));
        let mut others = others(&now.collect(), id);
        if pools.queue.front().is_some_and(|first| first != id) {
            // Those who wait longer come first.
            others.all = u32::MAX;
        }
        (others, pools.yields.get(id).copied().unwrap_or_default())
    }

    fn part(&self, id: &AppId) -> Option<Part> {
        let scene = Scene {
            gateways: &[],
            is_settled: self.is_settled,
            slots: 0,
            others: Others::default(),
            yields: 0,
        };
        self.apps.get(id).map(|entry| entry.app.part(&scene))
    }

    /// Notes what a pool has now, and looks again at those whom that concerns.
    pub(super) fn note_part(&mut self, id: &AppId) {
        let app = id.application();
        if !self.pools.contains_key(&app) {
            return;
        }
        let Some(part) = self.part(id) else { return };
        let Some(pools) = self.pools.get_mut(&app) else {
            return;
        };
        let Some(entry) = self.apps.get(id) else { return };
        let first = pools.queue.front().cloned();
        let waits = entry.app.is_crowded() && part.presses && !entry.is_removed;
        if !waits {
            pools.queue.retain(|waiting| waiting != id);
        } else if !pools.queue.contains(id) {
            pools.queue.push_back(id.clone());
        }
        let is_news = pools.parts.get(id) != Some(&part) || pools.queue.front() != first.as_ref();
        if is_news {
            pools.parts.insert(id.clone(), part);
            let others = pools.parts.keys().filter(|other| *other != id);
            self.dirty.extend(others.cloned());
        }
        let yields = yields(&pools.parts);
        if yields != pools.yields {
            self.dirty.extend(pools.parts.keys().cloned());
            pools.yields = yields;
        }
    }

    /// Whether a pool has nothing that must be remembered; then it is made again for who comes next.
    pub(super) fn is_forgotten(&self, id: &AppId, now: Moment) -> bool {
        id.account().is_some() && self.apps.get(id).is_some_and(|entry| entry.app.is_forgotten(now))
    }

    /// A pool, or an application, is there no more.
    pub(super) fn forget(&mut self, id: &AppId) {
        self.apps.remove(id);
        self.timers.set(id, None);
        let app = id.application();
        if let Some(pools) = self.pools.get_mut(&app) {
            pools.parts.remove(id);
            pools.queue.retain(|waiting| waiting != id);
            pools.yields.remove(id);
            self.dirty.extend(pools.parts.keys().cloned());
            if pools.parts.is_empty() {
                self.pools.remove(&app);
            }
        }
    }
}
