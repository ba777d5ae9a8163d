//! One application at a gateway: its processes, and those who wait.

mod news;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};

use super::Shared;
use crate::apps::{AppId, Failure, Moment, Seated, Shelf, Want};
use crate::gateway::backend::{AppState, Claim, NoSeat, Purpose, Seat, SessionClaim};

/// What a visitor is told.
pub(super) enum Answer {
    Seat(Seat),
    None(NoSeat),
    /// Later.
    Wait(Ticket),
}

#[derive(Debug)]
struct Waiter {
    session: Option<SessionClaim>,
    want: Want,
    call: oneshot::Sender<Result<Seat, NoSeat>>,
}

#[derive(Debug, Default)]
struct Inner {
    shelf: Shelf,
    failed: Option<Failure>,
    held: Option<Failure>,
    /// Those who wait for a seat that is free, in order.
    waiters: BTreeMap<u64, Waiter>,
    /// Those who came back to a process of which the hub has yet to tell whether it is there.
    returning: BTreeMap<u64, Waiter>,
    next: u64,
    /// The most who waited at once since the hub was told.
    peak: u32,
    /// Whether it is in the list of those of which the hub is to be told.
    is_dirty: bool,
    /// Whether a task looks after pages whose WebSocket does not come.
    is_swept: bool,
    /// Whether the hub has named it since the link began.
    is_named: bool,
    is_removed: bool,
}

impl Inner {
    fn waiting(&self) -> u32 {
        u32::try_from(self.waiters.len()).unwrap_or(u32::MAX)
    }

    fn is_full(&self, shared: &Shared) -> bool {
        self.waiters.len() + self.returning.len() >= shared.options.queue_length as usize
    }
}

/// An application.
#[derive(Debug)]
pub(super) struct Desk {
    id: AppId,
    inner: Mutex<Inner>,
    state: watch::Sender<AppState>,
}

/// A place in the queue; dropped, it is given up.
#[derive(Debug)]
pub(super) struct Ticket {
    number: u64,
    desk: Arc<Desk>,
    shared: Arc<Shared>,
    called: oneshot::Receiver<Result<Seat, NoSeat>>,
}

impl Ticket {
    pub(super) async fn called(&mut self) -> Result<Seat, NoSeat> {
        (&mut self.called).await.unwrap_or(Err(NoSeat::Closing))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut inner = self.desk.lock();
        inner.returning.remove(&self.number);
        if inner.waiters.remove(&self.number).is_some() {
            self.desk.note(&mut inner, &self.shared, false);
        }
    }
}

/// Gives a seat back.
struct Guard {
    desk: Arc<Desk>,
    shared: Arc<Shared>,
    place: u64,
    session: Option<u128>,
    want: Want,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let now = self.shared.now();
        let mut inner = self.desk.lock();
        let has_free = inner.shelf.leave(self.place, self.session, self.want, now);
        self.desk.note(&mut inner, &self.shared, false);
        let calls = if has_free && !inner.waiters.is_empty() {
            self.desk.call_next(&mut inner, &self.shared, now)
        } else {
            Vec::new()
        };
        drop(inner);
        deliver(calls);
    }
}

type Call = (oneshot::Sender<Result<Seat, NoSeat>>, Result<Seat, NoSeat>);

/// Outside the lock: whoever has gone away gives the seat back, which takes it.
fn deliver(calls: Vec<Call>) {
    for (call, answer) in calls {
        let _gone = call.send(answer);
    }
}

impl Desk {
    pub(super) fn new(id: AppId) -> Self {
        Self {
            id,
            inner: Mutex::default(),
            state: watch::Sender::new(AppState::Idle),
        }
    }

    pub(super) fn id(&self) -> &AppId {
        &self.id
    }

    pub(super) fn watch(&self) -> watch::Receiver<AppState> {
        self.state.subscribe()
    }

    /// A seat for a visitor, a reason why there is none, or a place in the queue.
    pub(super) fn ask(self: &Arc<Self>, shared: &Arc<Shared>, claim: Claim) -> Answer {
        let now = shared.now();
        let want = want(claim.purpose);
        let mut inner = self.lock();
        if waits_for_news(&inner, shared, claim.session.as_ref()) {
            return self.queue(&mut inner, shared, claim.session, want, true);
        }
        let may_begin = inner.waiters.is_empty() && shared.is_leased(now);
        if let Some(seat) = self.seat(&mut inner, shared, claim.session.as_ref(), want, may_begin, now) {
            return Answer::Seat(seat);
        }
        match self.refusal(&inner, shared, claim.session.is_some()) {
            Some(reason) => {
                if reason == NoSeat::Queued {
                    // Who is sent away and comes back keeps the turn of the application.
                    inner.peak = inner.peak.max(inner.waiting() + 1);
                    self.note(&mut inner, shared, false);
                }
                Answer::None(reason)
            }
            None => self.queue(&mut inner, shared, claim.session, want, false),
        }
    }

    /// Why somebody does not even wait.
    fn refusal(&self, inner: &Inner, shared: &Shared, has_session: bool) -> Option<NoSeat> {
        if inner.is_removed {
            return Some(NoSeat::Unknown);
        }
        if shared.is_closing.load(std::sync::atomic::Ordering::Relaxed) {
            return Some(NoSeat::Closing);
        }
        if let Some(failure) = &inner.held {
            return Some(NoSeat::Held(failure.clone()));
        }
        if let Some(failure) = &inner.failed {
            return Some(NoSeat::Failed(failure.clone()));
        }
        // Requests without a session leave soon and make room; sessions stay.
        let full = match *self.state.borrow() {
            AppState::Busy => Some(NoSeat::Busy),
            AppState::Queued => Some(NoSeat::Queued),
            _ => None,
        };
        if has_session && full.is_some() && !inner.shelf.has_free() {
            return full;
        }
        inner.is_full(shared).then_some(NoSeat::QueueFull)
    }

    fn queue(
        self: &Arc<Self>,
        inner: &mut Inner,
        shared: &Arc<Shared>,
        session: Option<SessionClaim>,
        want: Want,
        is_returning: bool,
    ) -> Answer {
        let (call, called) = oneshot::channel();
        let number = inner.next;
        inner.next += 1;
        let waiter = Waiter { session, want, call };
        if is_returning {
            inner.returning.insert(number, waiter);
            shared.ask_news(self.clone());
        } else {
            self.enqueue(inner, shared, number, waiter);
        }
        Answer::Wait(Ticket {
            number,
            desk: self.clone(),
            shared: shared.clone(),
            called,
        })
    }

    fn enqueue(self: &Arc<Self>, inner: &mut Inner, shared: &Shared, number: u64, waiter: Waiter) {
        inner.waiters.insert(number, waiter);
        let waiting = inner.waiting();
        let is_first = inner.peak == 0;
        inner.peak = inner.peak.max(waiting);
        self.note(inner, shared, is_first);
    }

    fn seat(
        self: &Arc<Self>,
        inner: &mut Inner,
        shared: &Arc<Shared>,
        session: Option<&SessionClaim>,
        want: Want,
        may_begin: bool,
        now: Moment,
    ) -> Option<Seat> {
        let id = session.map(|session| session.id);
        let home = session.map(|session| (session.id, session.process.as_ref()));
        let Seated {
            place,
            process,
            address,
            is_new,
        } = inner.shelf.seat(home, want, may_begin, now)?;
        // Seats for the next are asked for before they come.
        self.note(inner, shared, may_begin && !inner.shelf.has_free());
        if !inner.is_swept && inner.shelf.page_due().is_some() {
            inner.is_swept = true;
            tokio::spawn(sweep(self.clone(), shared.clone()));
        }
        let guard = Guard {
            desk: self.clone(),
            shared: shared.clone(),
            place,
            session: id,
            want,
        };
        Some(Seat {
            process,
            address,
            new_session: is_new,
            guard: Box::new(guard),
        })
    }

    /// Seats those who wait, in order, as far as seats reach.
    fn call_next(self: &Arc<Self>, inner: &mut Inner, shared: &Arc<Shared>, now: Moment) -> Vec<Call> {
        let may_begin = shared.is_leased(now);
        let mut calls = Vec::new();
        while may_begin
            && inner.shelf.has_free()
            && let Some((_, waiter)) = inner.waiters.pop_first()
        {
            let session = waiter.session.as_ref();
            match self.seat(inner, shared, session, waiter.want, true, now) {
                Some(seat) => calls.push((waiter.call, Ok(seat))),
                None => calls.push((waiter.call, Err(NoSeat::Busy))),
            }
        }
        calls
    }

    /// Changes something and seats whoever can be seated then.
    pub(super) fn change<T>(self: &Arc<Self>, shared: &Arc<Shared>, what: impl FnOnce(&mut Shelf) -> T) -> T {
        let now = shared.now();
        let mut inner = self.lock();
        let result = what(&mut inner.shelf);
        let calls = self.call_next(&mut inner, shared, now);
        drop(inner);
        deliver(calls);
        result
    }

    /// Why somebody got no seat in time.
    pub(super) fn impatient(&self, shared: &Shared) -> NoSeat {
        if !shared.is_leased(shared.now()) {
            return NoSeat::Closing;
        }
        match *self.state.borrow() {
            AppState::Starting { since } => NoSeat::Starting { since },
            AppState::Queued => NoSeat::Queued,
            _ => NoSeat::Busy,
        }
    }

    /// Takes out those who wait, or those with a session among them.
    fn dismissed(
        self: &Arc<Self>,
        inner: &mut Inner,
        shared: &Shared,
        reason: &NoSeat,
        only_sessions: bool,
    ) -> Vec<Call> {
        let (gone, kept): (BTreeMap<u64, Waiter>, BTreeMap<u64, Waiter>) = std::mem::take(&mut inner.waiters)
            .into_iter()
            .partition(|(_, waiter)| !only_sessions || waiter.session.is_some());
        inner.waiters = kept;
        inner.peak = inner.waiting();
        if !gone.is_empty() {
            self.note(inner, shared, false);
        }
        gone.into_values()
            .map(|waiter| (waiter.call, Err(reason.clone())))
            .collect()
    }

    /// Notes that the hub is to be told.
    fn note(self: &Arc<Self>, inner: &mut Inner, shared: &Shared, is_urgent: bool) {
        // Another desk may have taken its place.
        if inner.is_removed {
            return;
        }
        let is_new = !std::mem::replace(&mut inner.is_dirty, true);
        if is_new || is_urgent {
            shared.note(is_new.then(|| self.clone()), is_urgent);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session of a process that is not known here may still have it: another gateway may have heard of the process first.
fn waits_for_news(inner: &Inner, shared: &Shared, session: Option<&SessionClaim>) -> bool {
    let home = session.and_then(|session| session.process.as_ref());
    home.is_some_and(|home| !inner.shelf.has(home)) && !inner.is_full(shared)
}

fn want(purpose: Purpose) -> Want {
    match purpose {
        Purpose::Page => Want::Page,
        Purpose::Request => Want::Request,
        Purpose::Socket => Want::Socket,
    }
}

/// Lets pages go whose WebSocket does not come, as long as there are any.
async fn sweep(desk: Arc<Desk>, shared: Arc<Shared>) {
    loop {
        let due = {
            let mut inner = desk.lock();
            let due = inner.shelf.page_due();
            inner.is_swept = due.is_some();
            due
        };
        let Some(due) = due else { return };
        tokio::time::sleep_until(shared.began + due).await;
        let now = shared.now();
        desk.change(&shared, |shelf| shelf.expire(now));
        let mut inner = desk.lock();
        desk.note(&mut inner, &shared, false);
    }
}
