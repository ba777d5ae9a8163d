//! The processes of one application that run as one account: a pool (CU3). To the hub and to gateways each pool is an
//! application of its own, so that no visitor can be seated at another account's process. What pools of an application
//! have in common is here: its bound of processes, and who gives way to whom.

use std::collections::BTreeMap;

use super::app::Moment;
use super::types::{AccountName, AppId, AppSpec};

/// Parts an application from the account in the name of a pool. No application's name holds it.
const SEPARATOR: char = '@';

impl AppId {
    /// The pool of this application whose processes run as an account.
    #[must_use]
    pub fn pool(&self, account: &AccountName) -> Self {
        Self::from(format!("{self}{SEPARATOR}{account}"))
    }

    /// The application that a pool belongs to; an application belongs to itself.
    #[must_use]
    pub fn application(&self) -> Self {
        match self.as_str().split_once(SEPARATOR) {
            Some((application, _)) => Self::from(application),
            None => self.clone(),
        }
    }

    /// The account of a pool.
    #[must_use]
    pub fn account(&self) -> Option<AccountName> {
        let (_, account) = self.as_str().split_once(SEPARATOR)?;
        Some(AccountName::from(account))
    }
}

impl AccountName {
    /// An account with a mark that changes when its ids or groups do: its processes are not those of before then.
    #[must_use]
    pub fn marked(name: &str, mark: u32) -> Self {
        Self::from(format!("{name}/{mark:08x}"))
    }

    /// The account's name.
    #[must_use]
    pub fn user(&self) -> &str {
        self.as_str()
            .rsplit_once('/')
            .map_or(self.as_str(), |(user, _)| user)
    }
}

impl AppSpec {
    /// What a visitor's pool is to be: as the application, but without processes that nobody has asked for.
    #[must_use]
    pub fn of_pool(&self) -> Self {
        let mut spec = self.clone();
        spec.bounds.min_processes = 0;
        spec
    }
}

/// What the other pools of an application have of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// Processes of the current deployment that are there to meet demand.
    pub open: u32,
    /// Processes of the current deployment, those that drain and end included.
    pub all: u32,
    /// Processes that end, or could at once.
    pub spare: u32,
}

/// What one pool has of its application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Processes of the current deployment that are there to meet demand.
    pub open: u32,
    /// Processes of the current deployment, those that drain and end included.
    pub all: u32,
    /// Processes of it that end.
    pub ending: u32,
    /// Processes that nobody uses and nobody who waits would need, with when each was last used; `false` stands before
    /// those that are being given up already.
    pub idle: Vec<(bool, Moment)>,
    /// Whether somebody waits here, and the others have all processes.
    pub presses: bool,
}

/// What the others have, for one of the pools.
#[must_use]
pub fn others(parts: &BTreeMap<AppId, Part>, pool: &AppId) -> Others {
    let mut others = Others::default();
    for (_, part) in parts.iter().filter(|(id, _)| *id != pool) {
        others.open = others.open.saturating_add(part.open);
        others.all = others.all.saturating_add(part.all);
        let idle = u32::try_from(part.idle.len()).unwrap_or(u32::MAX);
        others.spare = others.spare.saturating_add(part.ending).saturating_add(idle);
    }
    others
}

/// How many processes each pool is to give up, for those where somebody waits: those that were not used for longest, as
/// many as do not end anyway. What is only there for comfort gives way to need, and never the other way round.
#[must_use]
pub fn yields(parts: &BTreeMap<AppId, Part>) -> BTreeMap<AppId, u32> {
    let waiting = parts.values().filter(|part| part.presses).count();
    let ending: u32 = parts.values().map(|part| part.ending).sum();
    let needed = waiting.saturating_sub(ending as usize);
    let mut idle: Vec<(bool, Moment, &AppId)> = parts
        .iter()
        .flat_map(|(id, part)| part.idle.iter().map(move |(stays, at)| (*stays, *at, id)))
        .collect();
    idle.sort();
    let mut given = BTreeMap::new();
    for (_, _, id) in idle.into_iter().take(needed) {
        *given.entry(id.clone()).or_default() += 1;
    }
    given
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Proves: CU3 (L)
    #[test]
    fn a_pool_has_a_name_that_no_application_and_no_other_account_has() {
        let app = AppId::from("sales");
        assert_eq!((app.application(), app.account()), (app.clone(), None));
        for name in ["ana", "ana@corp.example", "CORP\\ana", "svc$"] {
            let account = AccountName::marked(name, 7);
            let pool = app.pool(&account);
            assert_eq!(pool.application(), app);
            assert_eq!(pool.account(), Some(account.clone()));
            assert_eq!(account.user(), name);
        }
        let other = app.pool(&AccountName::marked("ana", 8));
        assert_ne!(
            other,
            app.pool(&AccountName::marked("ana", 7)),
            "its groups changed"
        );
    }

    /// Proves: CU3 (L)
    #[test]
    fn who_was_not_used_for_longest_gives_way_and_no_more_than_needed() {
        let at = Duration::from_secs;
        let part = |ending, idle: &[(bool, u64)]| Part {
            open: 2,
            all: 2 + ending,
            ending,
            idle: idle.iter().map(|(stays, time)| (*stays, at(*time))).collect(),
            presses: false,
        };
        let mut parts = BTreeMap::from([
            (AppId::from("a@x"), part(0, &[(true, 9), (true, 5)])),
            (AppId::from("a@y"), part(0, &[(true, 3)])),
        ]);
        let given = |parts: &BTreeMap<AppId, Part>, waiting| {
            let mut parts = parts.clone();
            let waits = |n| {
                (
                    AppId::from(format!("a@w{n}")),
                    Part {
                        presses: true,
                        ..Part::default()
                    },
                )
            };
            parts.extend((0..waiting).map(waits));
            let given = yields(&parts);
            ["a@x", "a@y"].map(|id| given.get(&AppId::from(id)).copied().unwrap_or(0))
        };
        assert_eq!(given(&parts, 0), [0, 0]);
        assert_eq!(given(&parts, 1), [0, 1]);
        assert_eq!(given(&parts, 2), [1, 1]);
        assert_eq!(given(&parts, 9), [2, 1]);
        assert_eq!(others(&parts, &"a@x".into()).spare, 1);
        // One that is being given up already is not exchanged for another.
        parts.insert("a@x".into(), part(0, &[(false, 9), (true, 5)]));
        assert_eq!(given(&parts, 1), [1, 0]);
        // One that ends is room for one who waits.
        parts.insert("a@x".into(), part(1, &[(true, 5)]));
        assert_eq!(given(&parts, 1), [0, 0]);
        assert_eq!(
            others(&parts, &"a@y".into()),
            Others {
                open: 2,
                all: 3,
                spare: 2
            }
        );
    }
}
