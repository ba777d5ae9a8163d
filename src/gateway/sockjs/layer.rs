//! What waits for a page: forgotten when it is handed out, or kept until the page has it.

use std::collections::VecDeque;

use super::framing::Close;
use super::numbered::{Bad, Message, Numbered, OVERHEAD, Received, WINDOW};

/// Messages of a process on their way.
#[derive(Debug)]
pub enum Layer {
    /// What is handed out is forgotten.
    Plain {
        /// What is not.
        waiting: VecDeque<String>,
        /// Its length.
        bytes: usize,
    },
    /// It is kept until the page has it.
    Numbered(Numbered),
}

impl Layer {
    /// One or the other.
    #[must_use]
    pub fn new(is_numbered: bool) -> Self {
        if is_numbered {
            return Self::Numbered(Numbered::default());
        }
        Self::Plain {
            waiting: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Whether what is handed out is forgotten.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Plain { .. })
    }

    /// What a page is told whose connection carries it no more: whether it may come back.
    #[must_use]
    pub fn replaced(&self) -> Close {
        if self.is_plain() {
            return Close::new(1002, "Connection interrupted");
        }
        Close::new(4600, "The connection was interrupted.")
    }

    /// The next for the page.
    pub fn say(&mut self) -> Option<String> {
        match self {
            Self::Numbered(numbered) => numbered.say(),
            Self::Plain { waiting, bytes } => {
                let text = waiting.pop_front()?;
                *bytes -= text.len() + OVERHEAD;
                Some(text)
            }
        }
    }

    /// Whether there is nothing more.
    #[must_use]
    pub fn has_said_all(&self) -> bool {
        match self {
            Self::Plain { waiting, .. } => waiting.is_empty(),
            Self::Numbered(numbered) => numbered.has_said_all(),
        }
    }

    /// Whether there may be more.
    #[must_use]
    pub fn has_room(&self) -> bool {
        match self {
            Self::Plain { bytes, .. } => *bytes < WINDOW,
            Self::Numbered(numbered) => numbered.has_room(),
        }
    }

    /// A message of the process.
    ///
    /// # Errors
    /// It can not be passed on.
    pub fn push(&mut self, message: Message) -> Result<(), Close> {
        match (self, message) {
            (Self::Numbered(numbered), message) => numbered.push(message),
            (Self::Plain { waiting, bytes }, Message::Text(text)) => {
                *bytes += text.len() + OVERHEAD;
                waiting.push_back(text);
            }
            (Self::Plain { .. }, Message::Binary(_)) => {
                return Err(Close::new(1003, "Only text can be passed on here."));
            }
        }
        Ok(())
    }

    /// What the page has sent.
    ///
    /// # Errors
    /// [`Bad`].
    pub fn receive(&mut self, packet: String) -> Result<Received, Bad> {
        match self {
            Self::Plain { .. } => Ok(Received::Message(Message::Text(packet))),
            Self::Numbered(numbered) => numbered.receive(&packet),
        }
    }
}
