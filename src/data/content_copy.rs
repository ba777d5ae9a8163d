//! The bytes of one file: shared blocks, then the kernel's own copy, then read and write.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{self, SeekFrom, Stat};
use rustix::io::{self, Errno};

/// Up to this size a read and a write cost less than the kernel's copy.
const SMALL: u64 = 64 * 1024;

/// What was copied of one file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copied {
    pub(crate) bytes: u64,
    /// Whether the blocks are shared with the source.
    pub(crate) shared: bool,
}

/// Copies the content of `from` to the empty file `to`. `no_sharing` remembers that blocks can not be shared.
pub(crate) fn copy_content(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    stat: &Stat,
    no_sharing: &AtomicBool,
) -> Result<Copied, Errno> {
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if size == 0 {
        return Ok(Copied {
            bytes: 0,
            shared: false,
        });
    }
    if !no_sharing.load(Ordering::Relaxed) {
        match fs::ioctl_ficlone(to, from) {
            Ok(()) => {
                return Ok(Copied {
                    bytes: size,
                    shared: true,
                });
            }
            Err(Errno::OPNOTSUPP | Errno::NOTTY | Errno::XDEV | Errno::NOSYS | Errno::PERM) => {
                no_sharing.store(true, Ordering::Relaxed);
            }
            Err(Errno::INVAL | Errno::TXTBSY | Errno::BUSY) => {}
            Err(error) => return Err(error),
        }
    }
    let allocated = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
    let bytes = if allocated < size && size > SMALL {
        copy_sparse(from, to, size)?
    } else {
        copy_rest(from, to, size)?
    };
    Ok(Copied { bytes, shared: false })
}

/// Copies only what is data; what lies between stays a hole.
fn copy_sparse(from: BorrowedFd<'_>, to: BorrowedFd<'_>, size: u64) -> Result<u64, Errno> {
    let mut at = 0;
    while at < size {
        let start = match fs::seek(from, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL) => at,
            Err(error) => return Err(error),
        };
        let end = fs::seek(from, SeekFrom::Hole(start)).unwrap_or(size).min(size);
        fs::seek(from, SeekFrom::Start(start))?;
        fs::seek(to, SeekFrom::Start(start))?;
        copy_rest(from, to, end.saturating_sub(start))?;
        at = end.max(start + 1);
    }
    fs::ftruncate(to, size)?;
    Ok(size)
}

/// Copies up to `length` bytes from where both files stand.
fn copy_rest(from: BorrowedFd<'_>, to: BorrowedFd<'_>, length: u64) -> Result<u64, Errno> {
    let mut done = 0;
    while length > SMALL && done < length {
        let want = usize::try_from(length - done).unwrap_or(usize::MAX).min(1 << 30);
        match fs::copy_file_range(from, None, to, None, want) {
            Ok(0) | Err(Errno::INVAL | Errno::NOSYS | Errno::XDEV | Errno::OPNOTSUPP | Errno::PERM) => break,
            Ok(copied) => done += copied as u64,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    // A read of nothing is the only sure end: some file systems report sizes and copies of 0.
    Ok(done + read_write(from, to, length - done)?)
}

fn read_write(from: BorrowedFd<'_>, to: BorrowedFd<'_>, length: u64) -> Result<u64, Errno> {
    let capacity = usize::try_from(length.min(SMALL)).unwrap_or(0);
    let mut buffer = vec![0; capacity];
    let mut done = 0;
    while done < length {
        let want = usize::try_from(length - done).unwrap_or(capacity).min(capacity);
        match io::read(from, &mut buffer[..want]) {
            Ok(0) => break,
            Ok(got) => {
                write_all(to, &buffer[..got])?;
                done += got as u64;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match io::write(to, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
