//! `/proc/self/mountinfo` and the question it answers: where else is this directory mounted?
//! A masked directory that is also mounted elsewhere is not hidden.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// One line of mountinfo, as far as it matters here. It borrows from the text: on a machine with a thousand mounts the
/// pieces of the table would be most of a launch's allocations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MountEntry<'a> {
    /// Mount id.
    pub(crate) id: u64,
    /// `major:minor` of the file system.
    pub(crate) device: &'a str,
    /// Path within the file system that is shown.
    pub(crate) root: Cow<'a, Path>,
    /// Where it is shown.
    pub(crate) mount_point: Cow<'a, Path>,
    /// Kind of file system.
    pub(crate) kind: &'a str,
}

/// Reads the lines that can be read; the kernel writes no others.
#[must_use]
pub(crate) fn parse(text: &str) -> Vec<MountEntry<'_>> {
    text.lines().filter_map(parse_line).collect()
}

/// `ID PARENT DEVICE ROOT POINT OPTIONS [FIELD...] - KIND SOURCE OPTIONS`, see proc_pid_mountinfo(5). No field holds a blank.
fn parse_line(line: &str) -> Option<MountEntry<'_>> {
    let mut fields = line.split(' ');
    let id = fields.next()?.parse().ok()?;
    let device = fields.nth(1)?;
    let root = unescape(fields.next()?);
    let mount_point = unescape(fields.next()?);
    fields.find(|field| *field == "-")?;
    Some(MountEntry {
        id,
        device,
        root,
        mount_point,
        kind: fields.next()?,
    })
}

/// Undoes the kernel's octal escapes of blank, tab, newline and backslash.
fn unescape(field: &str) -> Cow<'_, Path> {
    if !field.as_bytes().contains(&b'\\') {
        return Cow::Borrowed(Path::new(field));
    }
    let text = field
        .replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\");
    Cow::Owned(PathBuf::from(text))
}

/// Every place but `/proc` itself where a procfs is shown.
pub(crate) fn other_procs<'a>(entries: &'a [MountEntry<'a>]) -> impl Iterator<Item = &'a Path> {
    let procs = entries.iter().filter(|entry| entry.kind == "proc");
    procs
        .map(|entry| entry.mount_point.as_ref())
        .filter(|at| !at.starts_with("/proc"))
}

/// A second way to a masked directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Alias {
    /// The masked directory itself, seen through another mount.
    Same(PathBuf),
    /// A mount of something inside the masked directory.
    Inside(PathBuf),
}

/// Every other way to `path`, which lies in the mount `mount_id`. Mounts below `path` are hidden with it.
#[must_use]
pub(crate) fn aliases(entries: &[MountEntry<'_>], path: &Path, mount_id: u64) -> Vec<Alias> {
    let Some(own) = entries.iter().find(|entry| entry.id == mount_id) else {
        return Vec::new();
    };
    let Ok(below) = path.strip_prefix(&own.mount_point) else {
        return Vec::new();
    };
    let masked = join(&own.root, below);
    let others = entries
        .iter()
        .filter(|entry| entry.id != mount_id && entry.device == own.device);
    others
        .filter_map(|entry| {
            if let Ok(rest) = masked.strip_prefix(&entry.root) {
                Some(Alias::Same(join(&entry.mount_point, rest)))
            } else if entry.root.starts_with(&masked) {
                Some(Alias::Inside(entry.mount_point.to_path_buf()))
            } else {
                None
            }
        })
        .filter(|alias| {
            let (Alias::Same(at) | Alias::Inside(at)) = alias;
            !at.starts_with(path)
        })
        .collect()
}

/// `Path::join` without the trailing slash that joining an empty path leaves.
fn join(base: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() {
        base.to_owned()
    } else {
        base.join(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "22 1 8:1 / / rw - ext4 /dev/a rw
30 22 8:1 /srv/data /mnt/alias rw - ext4 /dev/a rw
31 22 8:1 /srv/data/db /mnt/inner rw - ext4 /dev/a rw
32 22 8:1 / /mnt/whole\\040disk rw - ext4 /dev/a rw
33 22 8:2 /srv/data /mnt/other rw - ext4 /dev/b rw
34 22 8:1 /srv/data/db /srv/data/inside rw - ext4 /dev/a rw";

    /// Proves: SB5 (L), FS1 (L)
    #[test]
    fn every_other_way_to_a_directory_is_found() {
        let found = aliases(&parse(TABLE), Path::new("/srv/data"), 22);
        assert_eq!(
            found,
            [
                Alias::Same("/mnt/alias".into()),
                Alias::Inside("/mnt/inner".into()),
                Alias::Same("/mnt/whole disk/srv/data".into()),
            ]
        );
    }

    /// Proves: SB5 (L)
    #[test]
    fn procs_elsewhere_are_found() {
        let table = "22 1 8:1 / / rw - ext4 /dev/a rw
23 22 0:5 / /proc rw,nosuid shared:5 master:1 - proc proc rw
24 23 0:5 /sys /proc/sys ro - proc proc rw
25 22 0:5 / /srv/chroot/proc rw - proc proc rw
26 22 8:1 /proc /proc-not rw - ext4 proc rw";
        let table = parse(table);
        assert_eq!(
            other_procs(&table).collect::<Vec<_>>(),
            [Path::new("/srv/chroot/proc")]
        );
    }

    /// Proves: SB5 (L)
    #[test]
    fn a_directory_of_its_own_file_system_has_no_aliases() {
        let table = "22 1 8:1 / / rw - ext4 /dev/a rw\n40 22 0:9 / /data rw - tmpfs t rw";
        assert_eq!(aliases(&parse(table), Path::new("/data/x"), 40), []);
    }
}
