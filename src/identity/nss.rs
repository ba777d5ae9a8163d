//! Looks accounts and groups up through the system's name service (IO). Done before any namespace is entered,
//! so that a library of the content's file system is never loaded (the class of CVE-2019-14271).

use std::collections::BTreeSet;
use std::path::PathBuf;

use thiserror::Error;
use uzers::os::unix::UserExt;

use super::{Account, AccountSpec, Accounts};

/// An account was found, but not all that a process needs to know of it.
#[derive(Debug, Error)]
pub enum GatherError {
    /// The name service gave no list of groups; it may hold more than this program can read (1024).
    #[error("the groups of account '{account}' can not be read; check that the name service answers for it")]
    Groups {
        /// The account.
        account: String,
    },
    /// The groups of this process could not be read.
    #[error("the groups of this process can not be read; run `id` to see whether the system can tell them")]
    OwnGroups {
        /// What the system said.
        #[source]
        source: rustix::io::Errno,
    },
}

/// Looks up each account (by name or number) and each group. What does not exist is left out of the result:
/// the rules that need it say so, in their own words.
///
/// # Errors
/// When an account exists, but its groups can not be read.
pub fn gather(accounts: &[&str], groups: &[&str]) -> Result<Accounts, GatherError> {
    let mut found = Accounts {
        ordinary_user: ordinary_user()?,
        ..Accounts::default()
    };
    for asked in accounts {
        if let Some(user) = find_user(asked) {
            found.accounts.insert((*asked).to_owned(), account_of(&user)?);
        }
    }
    for asked in groups {
        // A NUL would be cut off in the C library's eyes, and another group would be found.
        if !asked.contains('\0')
            && let Some(group) = uzers::get_group_by_name(*asked)
        {
            found.groups.insert((*asked).to_owned(), group.gid());
        }
    }
    Ok(found)
}

fn find_user(asked: &str) -> Option<uzers::User> {
    match AccountSpec::parse(asked).ok()? {
        AccountSpec::Name(name) => uzers::get_user_by_name(&name),
        AccountSpec::Uid(uid) => uzers::get_user_by_uid(uid),
    }
}

fn account_of(user: &uzers::User) -> Result<Account, GatherError> {
    let name = user.name().to_string_lossy().into_owned();
    let listed =
        uzers::get_user_groups(user.name(), user.primary_group_id()).ok_or_else(|| GatherError::Groups {
            account: name.clone(),
        })?;
    // The primary group counts even where the name service has no entry for it.
    let groups: BTreeSet<u32> = listed
        .iter()
        .map(uzers::Group::gid)
        .chain([user.primary_group_id()])
        .collect();
    Ok(Account {
        name,
        uid: user.uid(),
        gid: user.primary_group_id(),
        groups: groups.into_iter().collect(),
        home: existing_home(user),
    })
}

/// The account this program runs as, unless that is root. An ordinary user can not change their groups,
/// so the ones the process really has are taken, not those of the name service.
fn ordinary_user() -> Result<Option<Account>, GatherError> {
    let uid = uzers::get_effective_uid();
    if uid == 0 {
        return Ok(None);
    }
    let gid = uzers::get_effective_gid();
    let own = rustix::process::getgroups().map_err(|source| GatherError::OwnGroups { source })?;
    let groups: BTreeSet<u32> = own.iter().map(|group| group.as_raw()).chain([gid]).collect();
    let user = uzers::get_user_by_uid(uid);
    Ok(Some(Account {
        name: user.as_ref().map_or_else(
            || uid.to_string(),
            |user| user.name().to_string_lossy().into_owned(),
        ),
        uid,
        gid,
        groups: groups.into_iter().collect(),
        home: user.as_ref().and_then(existing_home),
    }))
}

/// The home directory, if it is one: `/` and places that do not exist stand for "none" in account tables.
fn existing_home(user: &uzers::User) -> Option<PathBuf> {
    let home = user.home_dir();
    (home.is_absolute() && home.parent().is_some() && home.is_dir()).then(|| home.to_path_buf())
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
        )
        .expect("root is known everywhere");
        assert_eq!(found.accounts.keys().collect::<Vec<_>>(), ["0", "root"]);
        let root = &found.accounts["root"];
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&root.gid));
        assert_eq!(found.accounts["0"], *root);
        assert_eq!(found.groups.keys().collect::<Vec<_>>(), ["root"]);
    }
}
