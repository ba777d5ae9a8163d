//! Who visits: by the word of a reverse proxy, or by a log-in with a password at the gateway's own page.

mod audit;
mod cookies;
mod gate;
mod logins;
mod page;
mod posted;
mod proxied;
mod store;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName};

use super::keyring::Keyring;
use super::peer::{Peer, Public};
use crate::visitors::{LoginId, NotTold, ProxiedRefused, Visitor};

pub(super) use cookies::{FORM, LOGIN};
pub(super) use gate::{identify, refuse};
pub use logins::{LogIns, LogInsOptions};
pub(super) use page::serve;
pub use proxied::Proxied;
pub use store::{LoginStore, MemoryLogins, StoreError};

/// An answer that takes no longer is not looked after.
const SHORT: Duration = Duration::from_secs(1);

/// How visitors say who they are.
#[derive(Debug, Default)]
pub enum Door {
    /// They do not.
    #[default]
    Open,
    /// A reverse proxy says it.
    Proxy(Proxied),
    /// They log in here.
    Page(Box<LogIns>),
}

/// Somebody who is known.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) visitor: Arc<Visitor>,
    /// The log-in, where it was made here.
    pub(super) login: Option<LoginId>,
}

/// Why it can not be told who somebody is. Nobody is let in then.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotKnown {
    #[error(transparent)]
    Proxy(#[from] ProxiedRefused),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Account(#[from] NotTold),
}

impl Door {
    /// Who asks.
    pub(super) async fn who(
        &self,
        keys: &Keyring,
        peer: &Peer,
        public: &Public,
        headers: &HeaderMap,
    ) -> Result<Option<Known>, NotKnown> {
        match self {
            Self::Open => Ok(None),
            Self::Proxy(proxied) => Ok(proxied.who(peer, headers)?.map(|visitor| Known {
                visitor: Arc::new(visitor),
                login: None,
            })),
            Self::Page(logins) => Ok(logins.who(keys, public.is_https, headers).await?),
        }
    }

    /// Takes out what only the proxy may say, in every spelling: content is told otherwise.
    pub(super) fn hide(&self, headers: &mut HeaderMap) {
        let Self::Proxy(proxied) = self else {
            return;
        };
        let is_hidden = |name: &&HeaderName| proxied.is_named(name.as_str());
        let hidden: Vec<HeaderName> = headers.keys().filter(is_hidden).cloned().collect();
        for name in hidden {
            headers.remove(name);
        }
    }

    /// Whether a cookie is the proxy's: whoever has it is the visitor, so content neither gets nor sets it.
    pub(super) fn hides_cookie(&self, name: &[u8]) -> bool {
        matches!(self, Self::Proxy(proxied) if proxied.is_cookie(name))
    }

    /// Removes what does not count any more, for as long as it is polled.
    pub(super) async fn sweep(&self) {
        if let Self::Page(logins) = self {
            logins.sweep().await;
        }
    }

    /// As [`Door::over`], for an answer: most are over before anything is asked.
    pub(super) async fn over_later(&self, login: LoginId) {
        tokio::time::sleep(SHORT).await;
        self.over(Some(login)).await;
    }

    /// Returns when a log-in is over; never where there is none.
    pub(super) async fn over(&self, login: Option<LoginId>) {
        match (self, login) {
            (Self::Page(logins), Some(login)) => logins.over(login).await,
            _ => std::future::pending().await,
        }
    }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
