//! What a page and a process say to each other, whatever carries it: what waits for either, who receives at present, and how
//! it ends.

use std::collections::VecDeque;

use super::framing::{Close, Frame};
use super::layer::Layer;
use super::numbered::{Bad, Message, Received};

/// Bytes that wait for the process before the page is made to wait.
const INBOX: usize = 256 * 1024;
/// Bytes of one frame, unless a message alone has more.
const BATCH: usize = 64 * 1024;

/// What carries a talk at present; another takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// An answer that is received with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver(u64);

/// What a receiver gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A frame.
    Frame(Frame),
    /// Nothing yet.
    Wait,
}

#[derive(Debug)]
struct Attached {
    ticket: Ticket,
    has_opened: bool,
    receiver: Option<Receiver>,
    /// The marks of the last requests that received and that sent.
    marks: (String, String),
}

/// A page and a process.
#[derive(Debug)]
pub struct Talk {
    layer: Layer,
    inbox: VecDeque<Message>,
    inbox_bytes: usize,
    attached: Option<Attached>,
    /// Tickets and receivers so far.
    count: u64,
    over: Option<Close>,
    has_left: bool,
}

/// Whether a mark is the one before, which it replaces.
fn is_again(last: &mut String, mark: &str) -> bool {
    let is_again = !mark.is_empty() && last == mark;
    mark.clone_into(last);
    is_again
}

impl Talk {
    /// One whose messages survive a break, or are forgotten when they are handed out.
    #[must_use]
    pub fn new(is_numbered: bool) -> Self {
        Self {
            layer: Layer::new(is_numbered),
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            attached: None,
            count: 0,
            over: None,
            has_left: false,
        }
    }

    /// Something else carries it from now on: what did so before is told on its next request.
    ///
    /// # Errors
    /// It can not go on over this one.
    pub fn attach(&mut self, is_back: bool) -> Result<Ticket, Close> {
        match &mut self.layer {
            Layer::Plain { .. } if self.count == 0 => {}
            Layer::Plain { .. } => return Err(self.layer.replaced()),
            Layer::Numbered(numbered) if is_back => numbered.go_on(),
            Layer::Numbered(numbered) if numbered.is_nascent() => numbered.begin_again(),
            Layer::Numbered(_) => return Err(Close::new(4705, "The connection has begun already.")),
        }
        self.count += 1;
        let ticket = Ticket(self.count);
        self.attached = Some(Attached {
            ticket,
            has_opened: false,
            receiver: None,
            marks: Default::default(),
        });
        Ok(ticket)
    }

    /// What carried it is broken.
    pub fn detach(&mut self, ticket: Ticket) {
        if self.current(ticket).is_some() {
            self.attached = None;
            // What was handed out may not have arrived, and is not kept.
            self.has_left |= self.layer.is_plain();
        }
    }

    /// Whatever carries it is broken.
    pub fn lose(&mut self) {
        if let Some(ticket) = self.attached.as_ref().map(|attached| attached.ticket) {
            self.detach(ticket);
        }
    }

    fn current(&mut self, ticket: Ticket) -> Option<&mut Attached> {
        self.attached
            .as_mut()
            .filter(|attached| attached.ticket == ticket)
    }

    /// Whether something carries it.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.attached.is_some()
    }

    /// Whether something carries it and is being received with.
    #[must_use]
    pub fn has_receiver(&self) -> bool {
        self.attached
            .as_ref()
            .is_some_and(|attached| attached.receiver.is_some())
    }

    /// Begins to receive, with a request that bears a mark, unless that is empty. A browser may send one again whose answer
    /// was lost, and does not say so.
    ///
    /// # Errors
    /// Another one receives, this no longer carries it, or what the mark was given before is lost.
    pub fn begin(&mut self, ticket: Ticket, mark: &str) -> Result<Receiver, Close> {
        let receiver = Receiver(self.count + 1);
        let gone = self.layer.replaced();
        let Some(attached) = self.current(ticket) else {
            return Err(gone);
        };
        if is_again(&mut attached.marks.0, mark) {
            self.lose();
            return Err(gone);
        }
        if attached.receiver.is_some() {
            return Err(Close::new(2010, "Another connection still open"));
        }
        attached.receiver = Some(receiver);
        self.count += 1;
        Ok(receiver)
    }

    /// The next frame.
    pub fn next(&mut self, ticket: Ticket, receiver: Receiver) -> Next {
        let gone = self.layer.replaced();
        let Some(attached) = self
            .current(ticket)
            .filter(|attached| attached.receiver == Some(receiver))
        else {
            return Next::Frame(Frame::Close(gone));
        };
        if !attached.has_opened {
            attached.has_opened = true;
            return Next::Frame(Frame::Open);
        }
        let messages = self.batch();
        if !messages.is_empty() {
            return Next::Frame(Frame::Messages(messages));
        }
        match &self.over {
            Some(close) if self.layer.has_said_all() => Next::Frame(Frame::Close(close.clone())),
            _ => Next::Wait,
        }
    }

    fn batch(&mut self) -> Vec<String> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH {
            let Some(packet) = self.layer.say() else { break };
            bytes += packet.len();
            batch.push(packet);
        }
        batch
    }

    /// A receiver has ended, with all it was given or cut off.
    pub fn end(&mut self, ticket: Ticket, receiver: Receiver, is_whole: bool) {
        let Some(attached) = self
            .current(ticket)
            .filter(|attached| attached.receiver == Some(receiver))
        else {
            return;
        };
        attached.receiver = None;
        if !is_whole {
            self.detach(ticket);
        }
    }

    /// A request with messages begins, which bears a mark, unless that is empty.
    ///
    /// # Errors
    /// This no longer carries it, or it was sent before and nothing tells what of it has come.
    pub fn open(&mut self, ticket: Ticket, mark: &str) -> Result<(), Close> {
        let gone = self.layer.replaced();
        let is_plain = self.layer.is_plain();
        let Some(attached) = self.current(ticket) else {
            return Err(gone);
        };
        // Numbers tell.
        if is_again(&mut attached.marks.1, mark) && is_plain {
            self.lose();
            return Err(gone);
        }
        Ok(())
    }

    /// A message or packet of the page.
    ///
    /// # Errors
    /// This no longer carries it, or the page sends nonsense, which ends it.
    pub fn deliver(&mut self, ticket: Ticket, packet: String) -> Result<(), Close> {
        let gone = self.layer.replaced();
        if self.current(ticket).is_none() {
            return Err(gone);
        }
        let message = match self.layer.receive(packet) {
            Ok(Received::Message(message)) => message,
            Ok(Received::Nothing) => return Ok(()),
            Ok(Received::Bye) => {
                self.has_left = true;
                return Ok(());
            }
            Err(Bad::Gap) => {
                self.lose();
                return Err(gone);
            }
            Err(bad) => {
                let close = Close::new(4704, &format!("The page sent {bad}."));
                self.has_left = true;
                self.finish(close.clone());
                return Err(close);
            }
        };
        // Who listens no more is not spoken to.
        if self.over.is_none() {
            self.inbox_bytes += message.weight();
            self.inbox.push_back(message);
        }
        Ok(())
    }

    /// Whether the page may say more.
    #[must_use]
    pub fn inbox_has_room(&self) -> bool {
        self.inbox_bytes < INBOX
    }

    /// The next message for the process.
    pub fn take(&mut self) -> Option<Message> {
        let message = self.inbox.pop_front()?;
        self.inbox_bytes -= message.weight();
        Some(message)
    }

    /// Whether the process may say more.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.layer.has_room()
    }

    /// A message of the process.
    pub fn push(&mut self, message: Message) {
        if let Err(close) = self.layer.push(message) {
            self.finish(close);
        }
    }

    /// The process says no more; the first reason counts.
    pub fn finish(&mut self, close: Close) {
        self.over.get_or_insert(close);
    }

    /// Why the process says no more.
    #[must_use]
    pub fn over(&self) -> Option<&Close> {
        self.over.as_ref()
    }

    /// Whether the page has gone and will not come back.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.has_left
    }
}

#[cfg(test)]
#[path = "talk_tests.rs"]
mod tests;
