//! What an account may run here: the rules of `identity` and `current_user` asked for one account, for whoever wants to
//! see them rather than to run something.

use serde::Serialize;

use super::{Identity, identity};
use crate::identity::Accounts;
use crate::settings::{Provider, Settings};

/// What an account may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The account, by the name or number that was asked for.
    pub asked: String,
    /// The account, where it may run content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Content that names no account, and installations.
    pub is_default: bool,
    /// Content that names it in `runAs`.
    pub run_as: May,
    /// What its owner visits, as the visitor's account.
    pub current_user: May,
}

/// Whether it may, and why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct May {
    /// Whether it may.
    pub may: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}

impl May {
    fn of<T>(result: Result<T, impl ToString>) -> Self {
        let why_not = result.err().map(|error| error.to_string());
        Self {
            may: why_not.is_none(),
            why_not,
        }
    }
}

/// What the account may run.
#[must_use]
pub fn standing(asked: &str, settings: &Settings, accounts: &Accounts) -> Standing {
    let default = identity::default(settings, accounts);
    let content = identity::content(asked, settings, accounts);
    let visitor = allowed(settings, accounts).and_then(|()| {
        let found = identity::visitor(asked, settings, accounts);
        found.map(|_| ()).map_err(|error| error.to_string())
    });
    let is_default = match (&default, &content) {
        (Ok(default), Ok(content)) => default.uid == content.uid,
        _ => false,
    };
    Standing {
        asked: asked.to_owned(),
        is_default,
        identity: content.as_ref().ok().cloned(),
        run_as: May::of(content),
        current_user: May::of(visitor),
    }
}

/// Whether anything runs as its visitors.
fn allowed(settings: &Settings, accounts: &Accounts) -> Result<(), String> {
    if !settings.applications.run_as_current_user {
        return Err("Applications.RunAsCurrentUser is not set".to_owned());
    }
    if settings.authentication.provider != Provider::Pam {
        return Err("Authentication.Provider is not pam, so that no visitor has an account".to_owned());
    }
    match &accounts.ordinary_user {
        Some(own) => Err(format!(
            "this server runs as '{}', and only root can change accounts",
            own.name
        )),
        None => Ok(()),
    }
}
