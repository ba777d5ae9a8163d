//! Where a process listens that was not heard of: an application that starts a server of its own, at an address of its
//! own, is not found there.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// Processes that are looked at; one that has forked more is not looked through.
const MOST: usize = 1000;

/// The TCP addresses at which a process and its descendants listen. What can not be read is left out.
#[must_use]
pub fn listens(root: i32) -> Vec<SocketAddr> {
    let mut sockets = BTreeSet::new();
    let mut found = BTreeSet::new();
    let family = descendants(root);
    for pid in &family {
        sockets.extend(inodes(*pid));
    }
    // All of them are in one network namespace; the last one is surely content.
    if let Some(pid) = family.last() {
        for table in ["tcp", "tcp6"] {
            let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
            let listening = text.lines().skip(1).filter_map(listener);
            found.extend(
                listening
                    .filter(|(_, inode)| sockets.contains(inode))
                    .map(|(address, _)| address),
            );
        }
    }
    found.into_iter().collect()
}

/// A process and everything that it has started, itself first.
fn descendants(root: i32) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok());
        if let Some(pid) = pid
            && let Some(parent) = parent(&entry.path())
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut family = vec![root];
    let mut next = 0;
    while next < family.len() && family.len() < MOST {
        family.extend(children.remove(&family[next]).unwrap_or_default());
        next += 1;
    }
    family
}

fn parent(process: &Path) -> Option<i32> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    // The name in parentheses may hold anything, parentheses included.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The inodes of the sockets that a process has open.
fn inodes(pid: i32) -> BTreeSet<u64> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd"));
    let target = |entry: std::fs::DirEntry| {
        let target = std::fs::read_link(entry.path()).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        inode.parse().ok()
    };
    entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(target)
        .collect()
}

/// Address and inode of a line of `/proc/net/tcp` or `tcp6` that listens.
fn listener(line: &str) -> Option<(SocketAddr, u64)> {
    const LISTENING: &str = "0A";
    let mut words = line.split_ascii_whitespace();
    let (local, state) = (words.nth(1)?, words.nth(1)?);
    let inode = words.nth(5)?.parse().ok()?;
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(address)?.to_ne_bytes())),
        32 => {
            let mut bytes = [0u8; 16];
            for (at, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(&address[at * 8..at * 8 + 8])?.to_ne_bytes());
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    (state == LISTENING).then(|| (SocketAddr::new(address, port), inode))
}

/// The kernel writes each word of an address as this machine keeps it.
fn word(digits: &str) -> Option<u32> {
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_listeners_are_found() {
        let four = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let six = std::net::TcpListener::bind("[::1]:0");
        let found = listens(std::process::id().cast_signed());
        assert!(found.contains(&four.local_addr().unwrap()), "{found:?}");
        if let Ok(six) = six {
            assert!(found.contains(&six.local_addr().unwrap()), "{found:?}");
        }
    }

    #[test]
    fn descendants_are_found() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let family = descendants(std::process::id().cast_signed());
        assert!(family.contains(&child.id().cast_signed()));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn lines_of_the_table_are_read() {
        let line = "   0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 123456 1 0";
        assert_eq!(listener(line), Some(("127.0.0.1:5000".parse().unwrap(), 123_456)));
        let talks = line.replace(" 0A ", " 01 ");
        assert_eq!(listener(&talks), None);
        assert_eq!(listener("sl local_address"), None);
    }
}
