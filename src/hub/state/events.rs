//! What the fleet, and whoever keeps the applications, tell the hub.

use super::{Entry, Orphan, State};
use crate::apps::wire::ToGateway;
use crate::apps::{Address, App, AppId, EndCause, Failure, Moment, ProcessId};
use crate::hub::FleetEvent;

impl State {
    pub(super) fn fleet_event(&mut self, event: FleetEvent, now: Moment) {
        match event {
            FleetEvent::AppSet { app, spec } => {
                if let Some(entry) = self.apps.get_mut(&app) {
                    entry.app.set_spec(spec);
                    entry.is_removed = false;
                } else {
                    self.apps.insert(app.clone(), Entry::new(App::new(spec)));
                    for orphan in self.orphans.remove(&app).unwrap_or_default() {
                        self.adopt(&app, orphan, now);
                    }
                }
                self.set_pools(&app);
                self.dirty.insert(app);
            }
            FleetEvent::AppGone { app } => self.remove_all(&app),
            FleetEvent::Adopted {
                app,
                process,
                deployment,
                address,
            } => {
                let orphan = Orphan {
                    process,
                    deployment,
                    address,
                };
                self.adopt(&app, orphan, now);
            }
            FleetEvent::Complete => self.complete(),
            FleetEvent::Placed { app, process, waits } => {
                if let Some(entry) = self.apps.get_mut(&app) {
                    entry.app.placed(&process, waits, now);
                    self.dirty.insert(app);
                }
            }
            FleetEvent::Ready {
                app,
                process,
                address,
            } => self.ready(app, process, address, now),
            FleetEvent::Failed {
                app,
                process,
                failure,
            } => self.gone(app, &process, Some(failure), now),
            FleetEvent::Ended {
                app,
                process,
                failure,
            } => self.gone(app, &process, failure, now),
        }
    }

    fn adopt(&mut self, app: &AppId, orphan: Orphan, now: Moment) {
        self.make_pool(app);
        let Some(entry) = self.apps.get_mut(app) else {
            if self.is_complete {
                self.fleet.end(app, &orphan.process, EndCause::Removed);
            } else {
                self.orphans.entry(app.clone()).or_default().push(orphan);
            }
            return;
        };
        let Orphan {
            process,
            deployment,
            address,
        } = orphan;
        let is_new = entry.app.adopt(process.clone(), deployment, address.clone(), now);
        if let Some(address) = address.filter(|_| is_new) {
            self.announce(app, process, address);
        }
        // Before anything is decided: whoever is decided about first must not take the room of those that run.
        self.count(app);
        self.dirty.insert(app.clone());
    }

    /// Everything from before is known; what belongs to nothing is ended.
    fn complete(&mut self) {
        if std::mem::replace(&mut self.is_complete, true) {
            return;
        }
        for (app, orphans) in std::mem::take(&mut self.orphans) {
            for orphan in orphans {
                self.fleet.end(&app, &orphan.process, EndCause::Removed);
            }
        }
        self.dirty.extend(self.apps.keys().cloned());
    }

    fn ready(&mut self, app: AppId, process: ProcessId, address: Address, now: Moment) {
        let Some(entry) = self.apps.get_mut(&app) else {
            return;
        };
        if entry.app.ready(&process, address.clone(), now) {
            self.announce(&app, process, address);
            self.dirty.insert(app);
        }
    }

    fn gone(&mut self, app: AppId, process: &ProcessId, failure: Option<Failure>, now: Moment) {
        let Some(entry) = self.apps.get_mut(&app) else {
            return;
        };
        if entry.app.gone(process, failure, now) {
            let (app, process) = (app.clone(), process.clone());
            self.gateways.send_all(&ToGateway::Gone { app, process });
        }
        self.dirty.insert(app);
    }

    fn announce(&mut self, app: &AppId, process: ProcessId, address: Address) {
        let app = app.clone();
        self.gateways.send_all(&ToGateway::Open {
            app,
            process,
            address,
            accepting: true,
        });
    }
}
