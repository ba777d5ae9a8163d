//! What a gateway asks of who renders with answers.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::apps::Failure;
use crate::asked::{Line, Owner};
use crate::content::form::{Answers, Form};
use crate::gateway::backend::AppState;
use crate::gateway::route::Files;

/// The parameters of one document, and the results that visitors have asked for with them.
pub trait Desk: Send + Sync + fmt::Debug {
    /// What is asked.
    fn form(&self) -> &Form;

    /// The day, where the server is: `2024-12-31`.
    fn today(&self) -> String;

    /// For how many days a result is kept; none where it is kept for ever.
    fn days(&self) -> Option<u64>;

    /// Asks for a result; gives its id. The same answers of the same visitor have one result.
    fn ask(&self, owner: Owner, address: IpAddr, answers: Answers) -> BoxFuture<'_, Result<String, Refused>>;

    /// What a visitor has asked for, the newest first; none where nobody can tell at present.
    fn results<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Option<Vec<Line>>>;

    /// One of the results of a visitor; none where it is not theirs, as where it is not there.
    fn look<'a>(&'a self, owner: &'a Owner, id: &'a str) -> BoxFuture<'a, Option<Look>>;
}

/// Why nothing is rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too much was asked for; one sentence for people.
    Busy(String),
    /// These answers can not be handed to a render here; one sentence for people.
    Unfit(String),
    /// The server can not; its log says why.
    Failed,
}

/// A result.
#[derive(Clone, Debug)]
pub enum Look {
    /// It is being made.
    Waiting(watch::Receiver<AppState>),
    /// It could not be made.
    Failed(Failure),
    /// It is there.
    Done(Arc<dyn Files>),
    /// Nobody can tell at present, whosever it is and whether it is there or not.
    Untold,
}
