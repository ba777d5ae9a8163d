//! Looks accounts and groups up through the system's name service (IO). Done before any namespace is entered,
//! so that a library of the content's file system is never loaded (the class of CVE-2019-14271).

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::entries::UserEntry;
use super::{Account, Accounts, NameService, NameServiceError};

/// How long an account is known that runs only elsewhere: plans for Pods are made again and again.
const KNOWN: Duration = Duration::from_secs(3);
/// Accounts that are known at once.
const MOST_KNOWN: usize = 1000;

/// Which home directories count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Homes {
    /// Those that exist on this machine, where the process will run.
    Existing,
    /// All that the table of accounts names: the process will run elsewhere, in a place made for it (RA5).
    Listed,
}

/// Accounts could not be looked up.
#[derive(Debug, Error)]
pub enum GatherError {
    /// The name service gave no answer.
    #[error(transparent)]
    NameService(#[from] NameServiceError),
    /// The groups of this process could not be read.
    #[error("the groups of this process can not be read; run `id` to see whether the system can tell them")]
    OwnGroups {
        /// What the system said.
        #[source]
        source: rustix::io::Errno,
    },
}

/// Looks up each account (by name or number) and each group. What does not exist is left out of the result:
/// the rules that need it say so, in their own words. What runs on this machine is looked up anew each time; for Pods an
/// answer holds some seconds.
///
/// # Errors
/// The name service does not answer.
pub fn gather(accounts: &[&str], groups: &[&str], homes: Homes) -> Result<Accounts, GatherError> {
    let look = || gather_from(&NameService::default(), accounts, groups, homes);
    if homes == Homes::Existing {
        return look();
    }
    let key = (owned(accounts), owned(groups));
    let known = || RECENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((found, at)) = known().get(&key)
        && at.elapsed() < KNOWN
    {
        return Ok(found.clone());
    }
    let found = look()?;
    let mut recent = known();
    if recent.len() >= MOST_KNOWN {
        recent.clear();
    }
    recent.insert(key, (found.clone(), Instant::now()));
    Ok(found)
}

type Asked = (Vec<String>, Vec<String>);

static RECENT: LazyLock<Mutex<HashMap<Asked, (Accounts, Instant)>>> = LazyLock::new(Mutex::default);

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// As [`gather`], from a name service that is asked in another way.
///
/// # Errors
/// As for [`gather`].
pub fn gather_from(
    service: &NameService,
    accounts: &[&str],
    groups: &[&str],
    homes: Homes,
) -> Result<Accounts, GatherError> {
    let mut found = Accounts {
        ordinary_user: ordinary_user(service)?,
        ..Accounts::default()
    };
    for asked in accounts {
        if let Some(user) = service.user(asked)? {
            let account = account_of(service, user, homes)?;
            found.accounts.insert((*asked).to_owned(), account);
        }
    }
    for asked in groups {
        if let Some(group) = service.group(asked)? {
            found.groups.insert((*asked).to_owned(), group.gid);
        }
    }
    Ok(found)
}

fn account_of(service: &NameService, user: UserEntry, homes: Homes) -> Result<Account, GatherError> {
    let listed = service.groups_of(&user.name)?;
    // The primary group counts even where the name service has no entry for it.
    let groups: BTreeSet<u32> = listed.into_iter().chain([user.gid]).collect();
    Ok(Account {
        uid: user.uid,
        gid: user.gid,
        groups: groups.into_iter().collect(),
        home: is_home(&user.home, homes).then_some(user.home),
        name: user.name,
    })
}

/// The account this program runs as, unless that is root. An ordinary user can not change their groups,
/// so the ones the process really has are taken, not those of the name service.
fn ordinary_user(service: &NameService) -> Result<Option<Account>, GatherError> {
    let uid = rustix::process::geteuid().as_raw();
    if uid == 0 {
        return Ok(None);
    }
    let gid = rustix::process::getegid().as_raw();
    let own = rustix::process::getgroups().map_err(|source| GatherError::OwnGroups { source })?;
    let groups: BTreeSet<u32> = own.iter().map(|group| group.as_raw()).chain([gid]).collect();
    let user = service.user(&uid.to_string())?;
    let (name, home) = match user {
        Some(user) => (user.name, Some(user.home)),
        None => (uid.to_string(), None),
    };
    Ok(Some(Account {
        name,
        uid,
        gid,
        groups: groups.into_iter().collect(),
        home: home.filter(|home| is_home(home, Homes::Existing)),
    }))
}

/// Whether a directory is a home: `/`, `/nonexistent` and, on this machine, places that do not exist stand for "none" in
/// account tables.
fn is_home(home: &Path, homes: Homes) -> bool {
    let named = home.is_absolute() && home.parent().is_some() && !home.starts_with("/nonexistent");
    named && (homes == Homes::Listed || home.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: RA6 (L)
    #[test]
    fn finds_by_name_and_by_number_and_leaves_out_the_rest() {
        let found = gather(
            &["root", "0", "no-such-account", "-1", "a\0b"],
            &["root", "no-such\0group"],
            Homes::Existing,
        )
        .expect("root is known everywhere");
        assert_eq!(found.accounts.keys().collect::<Vec<_>>(), ["0", "root"]);
        let root = &found.accounts["root"];
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&root.gid));
        assert_eq!(found.accounts["0"], *root);
        assert_eq!(found.groups.keys().collect::<Vec<_>>(), ["root"]);
    }

    /// Proves: RA5 (P)
    #[test]
    fn a_home_elsewhere_need_not_exist_here() {
        // Debian's account for what needs none, whose home exists nowhere; and one that is made with another system.
        let homes = |homes| gather(&["nobody", "games"], &[], homes).expect("no account has odd groups");
        for account in homes(Homes::Existing).accounts.values() {
            assert!(
                account.home.as_ref().is_none_or(|home| home.is_dir()),
                "{account:?}"
            );
        }
        if let Some(nobody) = homes(Homes::Listed).accounts.get("nobody") {
            assert!(
                nobody
                    .home
                    .as_ref()
                    .is_none_or(|home| !home.starts_with("/nonexistent"))
            );
        }
        if let Some(games) = homes(Homes::Listed).accounts.get("games") {
            assert!(games.home.is_some(), "{games:?}");
        }
    }
}
