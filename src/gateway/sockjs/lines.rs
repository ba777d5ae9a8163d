//! All lines of a gateway, by the names that pages give them and by their sessions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::address::LineName;
use super::framing::Close;
use super::line::{Line, Owner, Rules};
use super::talk::Ticket;
use crate::apps::AppId;
use crate::gateway::peers::Sought;

/// Sessions of one line that are remembered: those before the last are only told that they are over.
const SESSIONS: usize = 4;

type Key = (AppId, String);

/// All lines.
#[derive(Debug, Default)]
pub struct Lines(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    open: usize,
    named: HashMap<Key, Arc<Line>>,
    sessions: HashMap<Key, Session>,
}

/// A session of a client.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) line: Arc<Line>,
    pub(super) ticket: Ticket,
    /// One body with messages is read at a time: the next waits where it is.
    pub(super) sending: Arc<tokio::sync::Mutex<()>>,
}

/// Who asks, and for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller<'a> {
    pub(super) app: &'a AppId,
    /// Who they are.
    pub(super) owner: Owner,
    /// The line that is named.
    pub(super) line: Option<LineName<'a>>,
    /// The session; none for a WebSocket, which is its own.
    pub(super) session: Option<&'a str>,
    pub(super) rules: Rules,
}

/// A session that was found or made.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) session: Session,
    /// Whether its line is new: it needs a bridge.
    pub(super) is_new: bool,
}

impl Lines {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of this name, if it is the visitor's.
    pub(super) fn session(&self, caller: &Caller<'_>) -> Option<Session> {
        let session = (caller.app.clone(), caller.session?.to_owned());
        let found = self.table().sessions.get(&session).cloned()?;
        found.line.is_of(caller.owner).then_some(found)
    }

    /// Whether there is this session, or this line; whose it is, whoever gets the request finds out.
    pub(in crate::gateway) fn has(&self, sought: Sought<'_>) -> bool {
        let table = self.table();
        let key = |name: &str| (sought.app.clone(), name.to_owned());
        let has_session = sought
            .session
            .is_some_and(|session| table.sessions.contains_key(&key(session)));
        has_session
            || sought
                .line
                .is_some_and(|line| table.named.contains_key(&key(line)))
    }

    /// Makes a session, at the line that is named or at a new one, of which there may be so many.
    ///
    /// # Errors
    /// There is no such line, it can not be gone on with, or there are too many.
    pub(super) fn join(&self, caller: &Caller<'_>, most: usize) -> Result<Joined, Close> {
        let mut table = self.table();
        let name = caller.line.map(|line| (caller.app.clone(), line.id.to_owned()));
        let known = name.as_ref().and_then(|name| table.named.get(name).cloned());
        // What is somebody else's is not to be taken from them by its name, either.
        let session = caller.session.map(|id| (caller.app.clone(), id.to_owned()));
        let named = session.and_then(|session| table.sessions.get(&session));
        let mut lines = known.iter().chain(named.map(|session| &session.line));
        if lines.any(|line| !line.is_of(caller.owner)) {
            return Err(Close::new(4705, "The connection is not known here any more."));
        }
        let is_back = caller.line.is_some_and(|line| line.is_back);
        let (line, is_new) = match known {
            Some(line) => (line, false),
            None if is_back => return Err(Close::new(4705, "The connection is not known here any more.")),
            None if table.open >= most => return Err(Close::new(4501, "There are too many connections.")),
            None => {
                let named = caller.line.map(|line| line.id.to_owned());
                let line = Line::new(caller.app.clone(), named, caller.owner, caller.rules);
                (Arc::new(line), true)
            }
        };
        let ticket = line.attach(is_back, caller.session.is_none())?;
        if is_new {
            table.open += 1;
            if let Some(name) = name {
                table.named.insert(name, line.clone());
            }
        }
        let session = Session {
            line,
            ticket,
            sending: Arc::default(),
        };
        if let Some(id) = caller.session {
            table.remember(caller.app, id, &session);
        }
        Ok(Joined { session, is_new })
    }

    /// Forgets a line that has ended.
    pub(super) fn forget(&self, line: &Arc<Line>) {
        let mut table = self.table();
        table.open -= 1;
        if let Some(name) = &line.name {
            let key = (line.app.clone(), name.clone());
            if table
                .named
                .get(&key)
                .is_some_and(|other| Arc::ptr_eq(other, line))
            {
                table.named.remove(&key);
            }
        }
        for session in line.sessions() {
            table.drop_session(line, session);
        }
    }
}

impl Table {
    fn remember(&mut self, app: &AppId, id: &str, session: &Session) {
        let line = &session.line;
        self.sessions
            .insert((app.clone(), id.to_owned()), session.clone());
        if let Some(oldest) = line.remember_session(id.to_owned(), SESSIONS) {
            self.drop_session(line, oldest);
        }
    }

    fn drop_session(&mut self, line: &Arc<Line>, session: String) {
        let key = (line.app.clone(), session);
        // Another line may have taken the name.
        if self
            .sessions
            .get(&key)
            .is_some_and(|other| Arc::ptr_eq(&other.line, line))
        {
            self.sessions.remove(&key);
        }
    }
}
