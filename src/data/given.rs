//! A bundle becomes the directory of an application's processes, which can write in it (AP1). Done once for a bundle, and
//! noted in its record.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, Uid, XattrFlags};
use rustix::io::Errno;

use super::dir::Owner;
use super::failure::{Context, IoFailure};
use super::fdio;
use super::layout::{self, ContentId};
use super::records::{BundleRecord, Given, StoreError, write_json};
use super::store::Store;

/// Whom a bundle is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleOwner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Whether the members of the group can do there what the owner can: processes of several accounts have the directory.
    pub is_shared: bool,
}

impl BundleOwner {
    /// One account alone.
    #[must_use]
    pub fn alone(uid: u32, gid: u32) -> Self {
        Self {
            uid,
            gid,
            is_shared: false,
        }
    }

    fn given(self, whole: bool) -> Given {
        Given {
            uid: self.uid,
            gid: self.gid,
            shared: self.is_shared,
            whole,
        }
    }
}

impl Store<'_> {
    /// Gives a bundle to the account of an application that is about to be started from it. Does nothing once that was
    /// done. From the beginning on, a deployment of the same files becomes a bundle of its own (AP2).
    ///
    /// # Errors
    /// There is no such bundle, or the owner of something in it can not be changed.
    pub fn give_bundle(
        &self,
        content: &ContentId,
        bundle: u64,
        owner: BundleOwner,
    ) -> Result<(), StoreError> {
        let is_done = |record: &BundleRecord| record.given == Some(owner.given(true));
        if is_done(&self.bundle_record(content, bundle)?) {
            return Ok(());
        }
        let _lock = self.data.lock_content(content)?;
        let mut record = self.bundle_record(content, bundle)?;
        if is_done(&record) {
            return Ok(());
        }
        let place = self.data.path(layout::bundle_record(content, bundle));
        let mut note = |whole| {
            record.given = Some(owner.given(whole));
            write_json(&place, &record)
        };
        // A change of owners that is cut off is begun again, whatever account comes next.
        note(false)?;
        if let Some(account) = Owner::of_process(owner.uid, owner.gid) {
            let share = owner.is_shared.then(Share::default);
            give_tree(
                &self.data.path(layout::bundle(content, bundle)),
                account,
                share.as_ref(),
            )?;
        }
        note(true)
    }
}

/// Makes everything in a tree the owner's. No link is followed. What lies deeper than anything that can be deployed was
/// made by content itself, and stays as it is.
fn give_tree(root: &Path, owner: Owner, share: Option<&Share>) -> Result<(), IoFailure> {
    let top = fdio::open_dir_nofollow(root).during("open", root)?;
    let mut waiting = vec![PathBuf::new()];
    while let Some(relative) = waiting.pop() {
        let path = root.join(&relative);
        let opened = fdio::open_below(top.as_fd(), &relative).during("open", &path)?;
        for entry in fdio::entries(opened.as_fd()).during("read directory", &path)? {
            let below = relative.join(entry.os_name());
            fs::chownat(
                &opened,
                &entry.name,
                Some(Uid::from_raw(owner.uid)),
                Some(Gid::from_raw(owner.gid)),
                AtFlags::SYMLINK_NOFOLLOW,
            )
            .during("give away", &root.join(&below))?;
            if entry.kind == FileType::Directory && below.components().count() <= fdio::MAX_DEPTH {
                waiting.push(below);
            } else if let Some(share) = share.filter(|_| entry.kind == FileType::RegularFile) {
                let file = open_file(opened.as_fd(), &entry.name);
                file.and_then(|file| share.file(file.as_fd()))
                    .during("share", &root.join(&below))?;
            }
        }
        if let Some(share) = share {
            share.directory(opened.as_fd()).during("share", &path)?;
        }
    }
    fs::fchown(
        &top,
        Some(Uid::from_raw(owner.uid)),
        Some(Gid::from_raw(owner.gid)),
    )
    .during("give away", root)?;
    match share {
        Some(share) => share.directory(top.as_fd()).during("share", root),
        None => Ok(()),
    }
}

fn open_file(directory: BorrowedFd<'_>, name: &std::ffi::CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    fs::openat(directory, name, flags, Mode::empty())
}

/// How the members of a group come to share a tree: the group may do what the owner may, and what anybody makes there is
/// the group's as well, whatever their umask.
#[derive(Debug)]
struct Share {
    /// What is made in a directory gets: everything for owner and group, nothing for others.
    defaults: Vec<u8>,
}

/// Version of the form of an access control list.
const ACL_VERSION: u32 = 2;
/// Entries of such a list for the owner, the group, and others.
const ACL_OWNER: u16 = 0x01;
const ACL_GROUP: u16 = 0x04;
const ACL_OTHERS: u16 = 0x20;
/// An entry that names nobody.
const ACL_NOBODY: u32 = u32::MAX;
const ACL_DEFAULT: &str = "system.posix_acl_default";

impl Default for Share {
    fn default() -> Self {
        let mut defaults = ACL_VERSION.to_le_bytes().to_vec();
        for (who, may) in [(ACL_OWNER, 7u16), (ACL_GROUP, 7), (ACL_OTHERS, 0)] {
            defaults.extend(who.to_le_bytes());
            defaults.extend(may.to_le_bytes());
            defaults.extend(ACL_NOBODY.to_le_bytes());
        }
        Self { defaults }
    }
}

impl Share {
    fn file(&self, file: BorrowedFd<'_>) -> rustix::io::Result<()> {
        let mode = fs::fstat(file)?.st_mode & 0o777;
        fs::fchmod(file, Mode::from_raw_mode(mode | (mode & 0o700) >> 3))
    }

    fn directory(&self, directory: BorrowedFd<'_>) -> rustix::io::Result<()> {
        let mode = fs::fstat(directory)?.st_mode & 0o777;
        fs::fchmod(directory, Mode::from_raw_mode(mode | 0o2770))?;
        match fs::fsetxattr(directory, ACL_DEFAULT, &self.defaults, XattrFlags::empty()) {
            // A file system without such lists: what one account makes, others can read and not change.
            Err(Errno::NOTSUP) => Ok(()),
            set => set,
        }
    }
}
