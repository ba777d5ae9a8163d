//! One talk, shared by what carries it, by who delivers to it, and by the bridge to the process.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::framing::{Close, Frame};
use super::numbered::Message;
use super::talk::{Next, Receiver, Talk, Ticket};
use crate::apps::AppId;
use crate::gateway::tunnel::{End, Limits};
use crate::visitors::Tag;

/// How long a page may take between two answers that it receives with.
const DELAY: Duration = Duration::from_secs(5);

/// How long what may last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Silence.
    pub(super) limits: Limits,
    /// How long a broken connection may take to come back.
    pub(super) reconnect: Duration,
}

/// How a line came to its end.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) close: Close,
    pub(super) end: End,
}

/// Whose a line is: no other visitor may take part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Owner {
    /// The visitor's session, where there was one.
    pub(super) session: Option<u128>,
    /// Who it is, where somebody has logged in.
    pub(super) visitor: Option<Tag>,
}

/// A talk and everybody who waits for something of it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) app: AppId,
    /// The name that its page gave it; none where it does not come back.
    pub(super) name: Option<String>,
    /// Whose it is.
    pub(super) owner: Owner,
    pub(super) rules: Rules,
    state: Mutex<State>,
    /// The bridge waits for messages of the page, for room for those of the process, and for a change.
    said: Notify,
    room: Notify,
    changed: Notify,
    /// Those who deliver wait for room.
    taken: Notify,
}

#[derive(Debug)]
struct State {
    talk: Talk,
    /// Whoever receives.
    waker: Option<Waker>,
    is_socket: bool,
    /// Names of its sessions, oldest first.
    sessions: Vec<String>,
    /// When something last came from the process, and from the page.
    heard: (Instant, Instant),
    /// Since when nobody receives.
    idle: Instant,
}

impl Line {
    pub(super) fn new(app: AppId, name: Option<String>, owner: Owner, rules: Rules) -> Self {
        let now = Instant::now();
        Self {
            app,
            owner,
            rules,
            state: Mutex::new(State {
                talk: Talk::new(name.is_some()),
                waker: None,
                is_socket: false,
                sessions: Vec::new(),
                heard: (now, now),
                idle: now,
            }),
            name,
            said: Notify::new(),
            room: Notify::new(),
            changed: Notify::new(),
            taken: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the talk, and wakes everybody who may have waited for that.
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let (done, waker) = {
            let mut state = self.state();
            let done = work(&mut state);
            (done, state.waker.take())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.said.notify_one();
        self.room.notify_one();
        self.changed.notify_waiters();
        self.taken.notify_waiters();
        done
    }

    /// Whether this visitor may take part.
    pub(super) fn is_of(&self, other: Owner) -> bool {
        let Owner { session, visitor } = self.owner;
        visitor == other.visitor && (session.is_none() || session == other.session)
    }

    /// Remembers a session; gives the oldest where there are more than `most`.
    pub(super) fn remember_session(&self, session: String, most: usize) -> Option<String> {
        let mut state = self.state();
        state.sessions.push(session);
        (state.sessions.len() > most).then(|| state.sessions.remove(0))
    }

    /// The sessions that are remembered.
    pub(super) fn sessions(&self) -> Vec<String> {
        std::mem::take(&mut self.state().sessions)
    }

    /// Something carries it from now on.
    pub(super) fn attach(&self, is_back: bool, is_socket: bool) -> Result<Ticket, Close> {
        self.with(|state| {
            let ticket = state.talk.attach(is_back)?;
            state.is_socket = is_socket;
            state.idle = Instant::now();
            Ok(ticket)
        })
    }

    /// Begins to receive.
    pub(super) fn begin(&self, ticket: Ticket, mark: &str) -> Result<Receiver, Close> {
        self.with(|state| state.talk.begin(ticket, mark))
    }

    /// A request with messages begins.
    pub(super) fn open(&self, ticket: Ticket, mark: &str) -> Result<(), Close> {
        self.with(|state| state.talk.open(ticket, mark))
    }

    /// A receiver has ended.
    pub(super) fn end(&self, ticket: Ticket, receiver: Receiver, is_whole: bool) {
        self.with(|state| {
            state.talk.end(ticket, receiver, is_whole);
            state.idle = Instant::now();
        });
    }

    /// The next frame for a receiver.
    pub(super) fn poll_frame(&self, cx: &mut Context<'_>, ticket: Ticket, receiver: Receiver) -> Poll<Frame> {
        let mut state = self.state();
        match state.talk.next(ticket, receiver) {
            Next::Frame(frame) => {
                drop(state);
                // What is not kept has made room.
                self.room.notify_one();
                self.changed.notify_waiters();
                Poll::Ready(frame)
            }
            Next::Wait => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Takes what the page says, as soon as there is room for it.
    pub(super) async fn deliver(&self, ticket: Ticket, packet: String) -> Result<(), Close> {
        loop {
            let taken = self.taken.notified();
            tokio::pin!(taken);
            taken.as_mut().enable();
            let has_room = {
                let state = self.state();
                state.talk.inbox_has_room() || state.talk.over().is_some() || state.talk.has_left()
            };
            if has_room {
                break;
            }
            taken.await;
        }
        self.with(|state| {
            state.heard.1 = Instant::now();
            state.talk.deliver(ticket, packet)
        })
    }

    /// The next message for the process; `None` where none will come any more.
    pub(super) async fn take(&self) -> Option<Message> {
        loop {
            {
                let mut state = self.state();
                if let Some(message) = state.talk.take() {
                    drop(state);
                    self.taken.notify_waiters();
                    return Some(message);
                }
                if state.talk.over().is_some() || state.talk.has_left() {
                    return None;
                }
            }
            self.said.notified().await;
        }
    }

    /// Waits until the process may say more.
    pub(super) async fn until_room(&self) {
        while !self.state().talk.has_room() {
            self.room.notified().await;
        }
    }

    /// The process has said something.
    pub(super) fn push(&self, message: Message) {
        self.with(|state| {
            state.heard.0 = Instant::now();
            state.talk.push(message);
        });
    }

    /// The process says no more.
    pub(super) fn finish(&self, close: Close) {
        self.with(|state| state.talk.finish(close));
    }

    /// Waits until it has to end, whatever the process does.
    pub(super) async fn until_ended(&self) -> Ended {
        loop {
            let changed = self.next_change();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let until = match self.verdict(Instant::now()) {
                Ok(until) => until,
                Err(ended) => return ended,
            };
            let timer = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = changed => {}
                () = timer => {}
            }
        }
    }

    /// When it has to be looked at again, or why it is to end.
    fn verdict(&self, now: Instant) -> Result<Option<Instant>, Ended> {
        let mut state = self.state();
        let ended = |code, reason: &str, end| Ended {
            close: Close::new(code, reason),
            end,
        };
        if let Some(close) = state.talk.over() {
            let close = close.clone();
            return Err(Ended {
                close,
                end: End::Process,
            });
        }
        if state.talk.is_attached() && !state.talk.has_receiver() && state.idle + DELAY <= now {
            state.talk.lose();
            state.idle = now;
        }
        if state.talk.has_left() {
            return Err(ended(1001, "The page has gone.", End::Visitor));
        }
        let back = match (state.talk.is_attached(), state.talk.has_receiver()) {
            (true, true) => None,
            (true, false) => Some(state.idle + DELAY),
            (false, _) => Some(state.idle + self.rules.reconnect),
        };
        if !state.talk.is_attached() && back.is_some_and(|back| back <= now) {
            return Err(ended(4706, "The page did not come back in time.", End::Visitor));
        }
        let (process, page) = state.heard;
        let limits = self.rules.limits;
        let silent = [
            limits.both.and_then(|limit| process.max(page).checked_add(limit)),
            limits.visitor.and_then(|limit| page.checked_add(limit)),
        ];
        let silent = silent.into_iter().flatten().min();
        if silent.is_some_and(|silent| silent <= now) {
            return Err(ended(4508, "Nothing was said for too long.", End::Silent));
        }
        Ok([back, silent].into_iter().flatten().min())
    }

    /// A change from now on, if it is enabled before anything is looked at: several wait, and each has to see it.
    fn next_change(&self) -> Notified<'_> {
        self.changed.notified()
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        loop {
            let changed = self.next_change();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if is_so(&self.state()) {
                return;
            }
            changed.await;
        }
    }

    /// Waits until it is carried by nothing that lasts while no connection is accepted any more.
    pub(super) async fn until_not_socket(&self) {
        self.until(|state| !(state.is_socket && state.talk.has_receiver()))
            .await;
    }

    /// Waits until nobody receives.
    pub(super) async fn until_unheard(&self) {
        self.until(|state| !state.talk.has_receiver()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PR2 (L, P)
    #[tokio::test]
    async fn everybody_who_waits_for_a_change_sees_it() {
        let rules = Rules {
            limits: Limits {
                both: None,
                visitor: None,
            },
            reconnect: Duration::from_secs(60),
        };
        let line = Line::new("app".into(), None, Owner::default(), rules);
        let ticket = line.attach(false, true).unwrap();
        line.begin(ticket, "").unwrap();
        // One that waits for something else must not be the only one to be woken.
        let waits = async {
            tokio::select! {
                biased;
                () = line.until_not_socket() => unreachable!("it is one"),
                ended = line.until_ended() => ended,
            }
        };
        let ends = async {
            tokio::task::yield_now().await;
            line.finish(Close::new(1000, "over"));
        };
        let both = async { tokio::join!(waits, ends) };
        let (ended, ()) = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
        assert_eq!(ended.close.code, 1000);
    }
}
