//! Whether the visitors of an application can have processes of their own accounts (CU1, CU4).

use thiserror::Error;

use super::Mode;
use crate::content::AppMode;
use crate::content::kinds::KINDS;
use crate::identity::Accounts;
use crate::settings::{Provider, Settings};

/// Why visitors can not have processes of their own accounts.
#[derive(Debug, Error)]
pub enum CurrentUserError {
    /// Running as the visitor's account is for other kinds of content (CU1).
    #[error(
        "spec.runAsCurrentUser is set, and content of kind '{app_mode}' can not run as its visitor's account; only {kinds} can: remove it"
    )]
    Kind {
        /// The kind.
        app_mode: &'static str,
        /// Those that can.
        kinds: String,
    },
    /// The server does not allow it (CU1).
    #[error(
        "spec.runAsCurrentUser is set, and Applications.RunAsCurrentUser is not; set that to true, or remove the field"
    )]
    Off,
    /// Only who logs in with the password of an account has that account (CU4).
    #[error(
        "spec.runAsCurrentUser is set, and visitors do not log in with accounts of this machine; set Authentication.Provider to pam, or remove the field"
    )]
    Provider,
    /// Pods run as accounts that are known beforehand (CU4).
    #[error(
        "spec.runAsCurrentUser is set, and in Pods content can not run as its visitor's account: there is no log-in with that account there; serve it with 'offhost serve', or remove the field"
    )]
    Pod,
    /// An ordinary user has one account (SB9).
    #[error(
        "spec.runAsCurrentUser is set, and this server runs as '{own}'; only root can run content as somebody else"
    )]
    Ordinary {
        /// The server's account.
        own: String,
    },
}

/// Refuses what can not be had, with the reason.
pub(super) fn check(
    mode: Mode,
    app_mode: AppMode,
    settings: &Settings,
    accounts: &Accounts,
) -> Result<(), CurrentUserError> {
    if mode == Mode::Pod {
        return Err(CurrentUserError::Pod);
    }
    if !app_mode.may_run_as_visitor() {
        let kinds = KINDS.iter().filter(|kind| kind.mode.may_run_as_visitor());
        let kinds: Vec<&str> = kinds.map(|kind| kind.name).collect();
        return Err(CurrentUserError::Kind {
            app_mode: app_mode.name(),
            kinds: kinds.join(", "),
        });
    }
    if !settings.applications.run_as_current_user {
        return Err(CurrentUserError::Off);
    }
    if settings.authentication.provider != Provider::Pam {
        return Err(CurrentUserError::Provider);
    }
    match &accounts.ordinary_user {
        Some(own) => Err(CurrentUserError::Ordinary {
            own: own.name.clone(),
        }),
        None => Ok(()),
    }
}
