//! Questions of gateways that have nothing to do with seats: the hub hands them on, and the answers back.

use std::fmt;

use tokio::sync::mpsc;

use crate::apps::AppId;
use crate::apps::wire::ToGateway;
use crate::asked::{Question, Reply};

/// Answers what gateways ask about the results of visitors.
pub trait Clerk: Send + Sync + fmt::Debug + 'static {
    /// Answers a question, at once or later. A question that nobody answers is asked again by the next link.
    fn ask(&self, app: AppId, question: Question, teller: Teller);
}

/// Takes the answer to one question back to who asked.
#[derive(Debug)]
pub struct Teller {
    to: mpsc::Sender<ToGateway>,
    number: u64,
}

impl Teller {
    pub(super) fn new(to: mpsc::Sender<ToGateway>, number: u64) -> Self {
        Self { to, number }
    }

    /// Answers. A gateway that has gone meanwhile asks the next hub.
    pub fn tell(self, reply: Reply) {
        let number = self.number;
        let _gone = self.to.try_send(ToGateway::Answered { number, reply });
    }
}
