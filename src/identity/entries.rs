//! Lines of the tables of accounts and groups, as `getent` prints them. Pure.

use std::path::PathBuf;

/// One account of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEntry {
    /// Name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home directory, as the table names it.
    pub home: PathBuf,
}

/// One group of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupEntry {
    /// Name.
    pub name: String,
    /// Group id.
    pub gid: u32,
    /// Accounts that the table names as members; those whose primary group it is are not among them.
    pub members: Vec<String>,
}

/// Reads `name:password:uid:gid:comment:home:shell`.
#[must_use]
pub(super) fn user(line: &str) -> Option<UserEntry> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, ..] = fields[..] else {
        return None;
    };
    (!name.is_empty()).then_some(())?;
    Some(UserEntry {
        name: name.to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: PathBuf::from(home),
    })
}

/// Reads `name:password:gid:member,member`.
#[must_use]
pub(super) fn group(line: &str) -> Option<GroupEntry> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, gid, members] = fields[..] else {
        return None;
    };
    let members = members.split(',').filter(|member| !member.is_empty());
    Some(GroupEntry {
        name: name.to_owned(),
        gid: gid.parse().ok()?,
        members: members.map(str::to_owned).collect(),
    })
}

/// Reads the ids after the name of an account: all groups that list it.
#[must_use]
pub(super) fn groups(line: &str, name: &str) -> Option<Vec<u32>> {
    let ids = line.strip_prefix(name)?;
    if !ids.is_empty() && !ids.starts_with(' ') {
        return None;
    }
    ids.split_ascii_whitespace().map(|id| id.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: RA6 (L)
    #[test]
    fn lines_are_read_whole_or_not_at_all() {
        let ana = user("ana:x:1001:1002:Ana, Room 7:/home/ana:/bin/sh").unwrap();
        assert_eq!((ana.name.as_str(), ana.uid, ana.gid), ("ana", 1001, 1002));
        assert_eq!(ana.home, PathBuf::from("/home/ana"));
        for bad in [
            "",
            "ana",
            "ana:x:1001:1002:c",
            "ana:x:-1:1:c:/h:/s",
            ":x:1:1:c:/h:/s",
            "ana:x:4294967296:1:c:/h:/s",
        ] {
            assert_eq!(user(bad), None, "{bad}");
        }
        let team = group("team:x:70:ana,CORP\\ben").unwrap();
        assert_eq!((team.gid, team.members.len()), (70, 2));
        assert_eq!(group("team:x:70:").unwrap().members, Vec::<String>::new());
        assert_eq!(group("team:x:70"), None);
        assert_eq!(
            groups("ana                   70 1002", "ana"),
            Some(vec![70, 1002])
        );
        assert_eq!(groups("ana", "ana"), Some(vec![]));
        assert_eq!(groups("anabel 70", "ana"), None);
        assert_eq!(groups("ana 70 x", "ana"), None);
    }
}
