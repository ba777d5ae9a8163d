//! The processes of an application as a gateway sees them: where a visitor is seated.
//!
//! A seat is an open WebSocket, a page that was asked for a moment ago and whose WebSocket has not come yet, or, where a
//! session has neither, its requests in flight together; of visitors without a session, each request. A new session needs a
//! seat that the hub has granted; one that comes back has its place whatever the number.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::app::Moment;
use super::types::{Address, ProcessId};
use super::wire::SeatUse;

/// How long a page keeps a seat for the WebSocket that follows.
pub const PAGE_HOLD: Duration = Duration::from_secs(10);

/// What a seat is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// A page that a person opens.
    Page,
    /// Any other request.
    Request,
    /// A WebSocket.
    Socket,
}

/// A visitor with a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seated {
    /// Number of the place, for [`Shelf::leave`].
    pub place: u64,
    /// The process.
    pub process: ProcessId,
    /// Where it answers.
    pub address: Address,
    /// Whether the session begins here.
    pub is_new: bool,
}

#[derive(Debug, Default)]
struct Hold {
    sockets: u32,
    requests: u32,
    page_until: Option<Moment>,
}

impl Hold {
    fn seats(&self) -> u32 {
        let held = self.sockets + u32::from(self.page_until.is_some());
        if held == 0 {
            u32::from(self.requests > 0)
        } else {
            held
        }
    }
}

#[derive(Debug)]
struct Place {
    process: ProcessId,
    address: Address,
    is_accepting: bool,
    granted: u32,
    used: u32,
    /// What other gateways used when seats were last granted.
    others: u32,
    sessions: HashMap<u128, Hold>,
    /// Whether the hub has to be told.
    is_changed: bool,
    /// Whether the hub has named it since the link began.
    is_named: bool,
}

impl Place {
    fn has_free(&self) -> bool {
        self.is_accepting && self.used < self.granted
    }

    fn free(&self) -> u32 {
        self.granted.saturating_sub(self.used)
    }

    fn uses(&self) -> SeatUse {
        SeatUse {
            process: self.process.clone(),
            granted: self.granted,
            used: self.used,
            sessions: u32::try_from(self.sessions.len()).unwrap_or(u32::MAX),
        }
    }

    /// Takes a seat; whether a page begins to hold it.
    fn seat(&mut self, session: Option<u128>, want: Want, now: Moment) -> bool {
        self.is_changed = true;
        let Some(session) = session else {
            self.used += 1;
            return false;
        };
        let hold = self.sessions.entry(session).or_default();
        let before = hold.seats();
        let held_page = hold.page_until.is_some();
        match want {
            Want::Socket => {
                // The seat of the page passes on to its socket.
                hold.page_until = None;
                hold.sockets += 1;
            }
            Want::Request => hold.requests += 1,
            Want::Page => {
                hold.requests += 1;
                hold.page_until = Some(now + PAGE_HOLD);
            }
        }
        self.used = self.used + hold.seats() - before;
        want == Want::Page && !held_page
    }

    fn leave(&mut self, session: Option<u128>, want: Want, now: Moment) {
        self.is_changed = true;
        let Some(session) = session else {
            self.used = self.used.saturating_sub(1);
            return;
        };
        let Some(hold) = self.sessions.get_mut(&session) else {
            return;
        };
        let before = hold.seats();
        match want {
            Want::Socket => hold.sockets = hold.sockets.saturating_sub(1),
            Want::Request => hold.requests = hold.requests.saturating_sub(1),
            Want::Page => {
                hold.requests = hold.requests.saturating_sub(1);
                if hold.page_until.is_some() {
                    hold.page_until = Some(now + PAGE_HOLD);
                }
            }
        }
        self.settle(session, before);
    }

    /// Counts a session anew.
    fn settle(&mut self, session: u128, before: u32) {
        let Some(hold) = self.sessions.get(&session) else {
            return;
        };
        let after = hold.seats();
        self.used = (self.used + after).saturating_sub(before);
        if after == 0 {
            self.sessions.remove(&session);
        }
    }

    /// Lets a page go if its time is over; otherwise until when it is held.
    fn expire(&mut self, session: u128, now: Moment) -> Option<Moment> {
        let hold = self.sessions.get_mut(&session)?;
        let until = hold.page_until?;
        if until > now {
            return Some(until);
        }
        let before = hold.seats();
        hold.page_until = None;
        self.is_changed = true;
        self.settle(session, before);
        None
    }
}

/// The processes of one application at one gateway.
#[derive(Debug, Default)]
pub struct Shelf {
    places: BTreeMap<u64, Place>,
    next: u64,
    /// Pages that hold a seat, by when they are to be looked at.
    pages: BTreeSet<(Moment, u64, u128)>,
}

impl Shelf {
    /// A seat for a visitor. `home` is the process of a session that began before; `may_begin` whether the gateway may spend
    /// seats on new sessions at present. After it, [`Self::page_due`] may be earlier.
    pub fn seat(
        &mut self,
        session: Option<(u128, Option<&ProcessId>)>,
        want: Want,
        may_begin: bool,
        now: Moment,
    ) -> Option<Seated> {
        let id = session.map(|(id, _)| id);
        let known = session.and_then(|(id, home)| self.home(id, home));
        let number = match known {
            Some(number) => number,
            None if may_begin => self.emptiest()?,
            None => return None,
        };
        let place = self.places.get_mut(&number)?;
        if place.seat(id, want, now)
            && let Some(session) = id
        {
            self.pages.insert((now + PAGE_HOLD, number, session));
        }
        Some(Seated {
            place: number,
            process: place.process.clone(),
            address: place.address.clone(),
            is_new: id.is_some() && known.is_none(),
        })
    }

    /// Gives a seat back. Whether a new visitor may be seated now.
    pub fn leave(&mut self, number: u64, session: Option<u128>, want: Want, now: Moment) -> bool {
        let Some(place) = self.places.get_mut(&number) else {
            return false;
        };
        place.leave(session, want, now);
        place.has_free()
    }

    /// When the next page is to be looked at.
    #[must_use]
    pub fn page_due(&self) -> Option<Moment> {
        self.pages.first().map(|(due, _, _)| *due)
    }

    /// Lets pages go whose WebSocket did not come.
    pub fn expire(&mut self, now: Moment) {
        while let Some(page) = self.pages.first().copied().filter(|(due, _, _)| *due <= now) {
            self.pages.remove(&page);
            let (_, number, session) = page;
            let place = self.places.get_mut(&number);
            if let Some(until) = place.and_then(|place| place.expire(session, now)) {
                self.pages.insert((until, number, session));
            }
        }
    }

    /// Whether a new visitor can be seated.
    #[must_use]
    pub fn has_free(&self) -> bool {
        self.places.values().any(Place::has_free)
    }

    /// Whether a process is there.
    #[must_use]
    pub fn has(&self, process: &ProcessId) -> bool {
        self.number(process).is_some()
    }

    /// A process answers, or has changed.
    pub fn open(&mut self, process: ProcessId, address: Address, is_accepting: bool) {
        if let Some(place) = self.place(&process) {
            place.address = address;
            place.is_accepting = is_accepting;
            place.is_named = true;
            return;
        }
        let place = Place {
            process,
            address,
            is_accepting,
            granted: 0,
            used: 0,
            others: 0,
            sessions: HashMap::new(),
            is_changed: false,
            is_named: true,
        };
        self.next += 1;
        self.places.insert(self.next, place);
    }

    /// A process is gone, with the seats of all who had one.
    pub fn gone(&mut self, process: &ProcessId) {
        if let Some(number) = self.number(process) {
            self.places.remove(&number);
        }
    }

    /// Seats to spend.
    pub fn grant(&mut self, process: &ProcessId, seats: u32, others: u32) {
        if let Some(place) = self.place(process) {
            place.granted = place.granted.saturating_add(seats);
            place.others = others;
        }
    }

    /// Gives up so many seats if they are free; how many it were.
    pub fn recall(&mut self, process: &ProcessId, seats: u32) -> u32 {
        self.place(process).map_or(0, |place| {
            let given = seats.min(place.free());
            place.granted -= given;
            given
        })
    }

    /// Gives up the free seats of processes that drain.
    pub fn returns(&mut self) -> Vec<(ProcessId, u32)> {
        let draining = self.places.values_mut().filter(|place| !place.is_accepting);
        let give = |place: &mut Place| {
            let seats = place.free();
            place.granted -= seats;
            (seats > 0).then(|| (place.process.clone(), seats))
        };
        draining.filter_map(give).collect()
    }

    /// Gives up all seats, as the hub may give them to others from now on. Who sits there stays, and nobody follows.
    pub fn forfeit(&mut self) {
        for place in self.places.values_mut() {
            place.granted = 0;
        }
    }

    /// What has changed since the last call.
    pub fn changes(&mut self) -> Vec<SeatUse> {
        let changed = self.places.values_mut().filter(|place| place.is_changed);
        changed
            .map(|place| {
                place.is_changed = false;
                place.uses()
            })
            .collect()
    }

    /// Everything that is held, for a hub that does not know. What it does not name until [`Self::synced`] is gone.
    pub fn held(&mut self) -> Vec<SeatUse> {
        for place in self.places.values_mut() {
            place.is_changed = false;
            place.is_named = false;
        }
        let held = self
            .places
            .values()
            .filter(|place| place.granted > 0 || place.used > 0);
        held.map(Place::uses).collect()
    }

    /// The hub has told everything.
    pub fn synced(&mut self) {
        self.places.retain(|_, place| place.is_named);
    }

    /// The process that a session has its place at.
    fn home(&self, session: u128, home: Option<&ProcessId>) -> Option<u64> {
        if let Some(process) = home {
            return self.number(process);
        }
        self.places
            .iter()
            .find(|(_, place)| place.sessions.contains_key(&session))
            .map(|(number, _)| *number)
    }

    /// The process with the fewest seats taken, of those that have one to spend.
    fn emptiest(&self) -> Option<u64> {
        self.places
            .iter()
            .filter(|(_, place)| place.has_free())
            .min_by_key(|(_, place)| u64::from(place.used) + u64::from(place.others))
            .map(|(number, _)| *number)
    }

    fn number(&self, process: &ProcessId) -> Option<u64> {
        self.places
            .iter()
            .find(|(_, place)| place.process == *process)
            .map(|(number, _)| *number)
    }

    fn place(&mut self, process: &ProcessId) -> Option<&mut Place> {
        self.places.values_mut().find(|place| place.process == *process)
    }
}
