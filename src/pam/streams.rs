//! What the process is to get, out of reach of modules and of what modules leave running: a program that kept a stream open
//! would keep the server waiting for the end of the process's output, and one that kept the listening socket would let
//! visitors wait for nobody.
//!
//! Closing on exec is not enough, because modules also fork. A descriptor that is under way in a socket is in no process.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

/// The most descriptors of one message.
const MOST: usize = 8;

/// Descriptors under way from this process to itself. Dropped, they are taken back and closed: a process that has the
/// socket too would keep them under way.
#[derive(Debug)]
pub(super) struct UnderWay {
    _near: OwnedFd,
    far: OwnedFd,
}

impl UnderWay {
    /// Sends them off and closes them here.
    ///
    /// # Errors
    /// There are too many, or there is no memory.
    pub(super) fn send(fds: Vec<OwnedFd>) -> io::Result<Self> {
        let kind = (AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC);
        let (near, far) = rustix::net::socketpair(kind.0, kind.1, kind.2, None)?;
        let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&borrowed)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        rustix::net::sendmsg(&near, &[IoSlice::new(b"x")], &mut control, SendFlags::empty())?;
        Ok(Self { _near: near, far })
    }

    /// Takes them back, in their order.
    ///
    /// # Errors
    /// There are too many open files.
    pub(super) fn receive(&self) -> io::Result<Vec<OwnedFd>> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let received =
            rustix::net::recvmsg(&self.far, &mut [IoSliceMut::new(&mut byte)], &mut control, flags)?;
        if received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let rights = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds.collect::<Vec<_>>()),
            _ => None,
        });
        Ok(rights.flatten().collect())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        drop(self.receive());
    }
}

/// Copies of standard input, output and error, in whose places `/dev/null` is put.
pub(super) fn take_standard() -> io::Result<[OwnedFd; 3]> {
    let copy = |fd: BorrowedFd<'_>| rustix::io::fcntl_dupfd_cloexec(fd, 3);
    let copies = [
        copy(rustix::stdio::stdin())?,
        copy(rustix::stdio::stdout())?,
        copy(rustix::stdio::stderr())?,
    ];
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(copies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn descriptors_come_back_in_order_and_are_open_nowhere_meanwhile() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe can be made");
        let (other_reader, other_writer) = rustix::pipe::pipe().expect("a pipe can be made");
        let under_way = UnderWay::send(vec![writer, other_writer]).expect("they can be sent");
        let mut back = under_way.receive().expect("they come back").into_iter();
        let mut file = std::fs::File::from(back.next().expect("there are two"));
        file.write_all(b"first").expect("it is open");
        drop((file, back));
        let mut text = String::new();
        std::fs::File::from(reader)
            .read_to_string(&mut text)
            .expect("it has ended");
        assert_eq!(text, "first");
        let mut rest = Vec::new();
        std::fs::File::from(other_reader)
            .read_to_end(&mut rest)
            .expect("it has ended");
        assert!(rest.is_empty());
    }
}
