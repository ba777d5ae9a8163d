//! The addresses of this machine, as the kernel tells them in `/proc/net`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All addresses that a process of this machine can send from, as far as the kernel tells.
pub(super) fn read() -> Vec<IpAddr> {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let mut all = v4(&text("/proc/net/fib_trie"));
    all.extend(v6(&text("/proc/net/if_inet6")));
    all.sort_unstable();
    all.dedup();
    all
}

/// Of the routes of IPv4: an address stands on a line of its own, and what it is on those after it.
fn v4(text: &str) -> Vec<IpAddr> {
    let mut address: Option<Ipv4Addr> = None;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(leaf) = line.strip_prefix("|-- ") {
            address = leaf.parse().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(address.map(IpAddr::V4));
        }
    }
    found
}

/// Of the interfaces of IPv6: the address is the first word, without colons.
fn v6(text: &str) -> Vec<IpAddr> {
    let addresses = text.lines().filter_map(|line| {
        let word = line.split_ascii_whitespace().next()?;
        let bits = u128::from_str_radix(word, 16).ok()?;
        Some(IpAddr::V6(Ipv6Addr::from_bits(bits)))
    });
    addresses.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIE: &str = "Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 10.0.0.0/24 2 0 2
        |-- 10.0.0.0
           /24 link UNICAST
        |-- 10.0.0.8
           /32 host LOCAL
";
    const INTERFACES: &str = "\
00000000000000000000000000000001 01 80 10 80       lo
20010db8000000000000000000000007 04 40 00 82     eth0
";

    #[test]
    fn the_kernel_s_tables_are_read() {
        let of = |found: Vec<IpAddr>| found.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(of(v4(TRIE)), ["127.0.0.1", "10.0.0.8"]);
        assert_eq!(of(v6(INTERFACES)), ["::1", "2001:db8::7"]);
        assert!(v4("garbage\n/32 host LOCAL").is_empty() && v6("garbage").is_empty());
    }
}
