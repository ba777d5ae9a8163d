//! Which account's processes a visitor gets (CU1, CU2).

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::notice::Notice;
use super::route::Processes;
use super::service::Visit;
use crate::apps::{AccountName, Failure};
use crate::reason::Reason;
use crate::visitors::Visitor;

/// Knows the accounts of visitors.
pub trait VisitorsAccounts: Send + Sync + fmt::Debug {
    /// The account of a visitor.
    fn account<'a>(&'a self, visitor: &'a Visitor) -> BoxFuture<'a, Result<AccountName, NoAccount>>;
}

/// Why a visitor has no account to run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAccount {
    /// It is missing, root, or outside the shared group: one sentence for the visitor.
    Refused(String),
    /// It can not be looked up at present.
    Unknown,
}

/// Who knows the accounts of an application's visitors. Equal to itself alone.
#[derive(Clone, Debug)]
pub struct RunsAs(pub Arc<dyn VisitorsAccounts>);

impl PartialEq for RunsAs {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for RunsAs {}

/// The account whose processes the visitor gets; none where they are the application's own: for everybody, or for those
/// who are not known.
pub(super) async fn account(visit: &Visit<'_>, processes: &Processes) -> Result<Option<AccountName>, Notice> {
    let (Some(runs_as), Some(visitor)) = (&processes.runs_as, &visit.visitor) else {
        return Ok(None);
    };
    match runs_as.0.account(visitor).await {
        Ok(account) => Ok(Some(account)),
        Err(NoAccount::Refused(sentence)) => Err(Notice::Refused(sentence)),
        Err(NoAccount::Unknown) => Err(Notice::Held(unknown())),
    }
}

fn unknown() -> Failure {
    Failure {
        reason: Reason::DataUnavailable.name().to_owned(),
        message: "your account can not be looked up at present; try again in a while".to_owned(),
        process: None,
        exit_code: None,
    }
}
