//! The accounts of visitors: looked up in the name service as they come, so that whoever is not to run anything any more
//! does not, seconds later (CU2).

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sha2::{Digest, Sha256};

use crate::apps::AccountName;
use crate::gateway::{NoAccount, VisitorsAccounts};
use crate::gather;
use crate::local::recent::Recent;
use crate::plan::{self, Identity, Mode};
use crate::settings::Settings;
use crate::visitors::Visitor;

/// How long an answer holds. A page and all that it loads come within a moment, and are one question.
const HOLDS: Duration = Duration::from_secs(3);

type Answer = Result<AccountName, NoAccount>;

/// Looks up accounts of visitors.
#[derive(Debug)]
pub(super) struct Lookup {
    settings: Arc<Settings>,
    known: Recent<Answer>,
}

impl Lookup {
    /// Nothing is known yet.
    #[must_use]
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            known: Recent::new(HOLDS),
        }
    }
}

impl VisitorsAccounts for Lookup {
    fn account<'a>(&'a self, visitor: &'a Visitor) -> BoxFuture<'a, Answer> {
        Box::pin(async {
            let (settings, user) = (self.settings.clone(), visitor.user.clone());
            let looked = self
                .known
                .answer(&visitor.user, move |_| look_up(&settings, &user));
            looked.await.unwrap_or(Err(NoAccount::Unknown))
        })
    }
}

fn look_up(settings: &Settings, user: &str) -> Answer {
    let accounts = gather::accounts(Mode::Local, settings, [user]).map_err(|error| {
        tracing::error!(visitor = user, "{error}");
        NoAccount::Unknown
    })?;
    let identity = plan::visitor_identity(user, settings, &accounts).map_err(|error| {
        tracing::warn!(visitor = user, "nothing runs for a visitor: {error}");
        NoAccount::Refused(format!("Nothing can run for you here: {error}."))
    })?;
    Ok(AccountName::marked(user, mark(&identity)))
}

/// Changes with the ids of an account and its groups: then it has other processes than before.
fn mark(identity: &Identity) -> u32 {
    let mut hash = Sha256::new();
    for id in [identity.uid, identity.gid].iter().chain(&identity.groups) {
        hash.update(id.to_le_bytes());
    }
    let digest = hash.finalize();
    u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rstudio-connect.gcfg");
        std::fs::write(&path, "[Applications]\nRunAs = nobody\n").unwrap();
        let options = crate::settings::LoadOptions {
            config: Some(path),
            env: std::collections::BTreeMap::new(),
            ordinary_user: None,
        };
        crate::settings::load(options).unwrap().settings
    }

    fn identity(uid: u32, gid: u32, groups: &[u32]) -> Identity {
        Identity {
            user: "ana".to_owned(),
            uid,
            gid,
            groups: groups.to_vec(),
            home: None,
        }
    }

    /// Proves: CU3 (L)
    #[test]
    fn an_account_made_anew_and_one_that_left_a_group_have_other_processes() {
        let before = mark(&identity(1000, 1000, &[1000, 70]));
        assert_eq!(before, mark(&identity(1000, 1000, &[1000, 70])));
        for other in [
            identity(1001, 1000, &[1000, 70]),
            identity(1000, 1000, &[1000]),
            identity(1000, 70, &[1000, 70]),
        ] {
            assert_ne!(before, mark(&other));
        }
    }

    /// Proves: CU2 (L)
    #[tokio::test]
    async fn root_and_unknown_accounts_are_refused_with_the_reason() {
        let lookup = Lookup::new(settings());
        for (user, reason) in [
            ("root", "root never runs content"),
            ("no-such-account", "is not known to this machine"),
            ("0", "is not known to this machine"),
            ("65534", "is not known to this machine"),
            ("a b", "names no account"),
        ] {
            let visitor = Visitor {
                user: user.to_owned(),
                groups: Vec::new(),
                uid: None,
            };
            let refused = lookup.account(&visitor).await;
            let is_told = matches!(&refused, Err(NoAccount::Refused(why)) if why.contains(reason));
            assert!(is_told, "{user}: {refused:?}");
        }
    }
}
