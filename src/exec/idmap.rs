//! Id maps of the user namespace: every id stands for itself, so that files keep their owners.

use std::fs;

use super::error::{Step, StepError};

/// Steps carry this name in messages.
const STEP: &str = "map ids";

/// File of `/proc/PID` → what is written into it, in order.
pub(crate) type Maps = Vec<(&'static str, String)>;

/// Every id that this process knows stands for itself. Needs root to be written.
///
/// # Errors
/// What the kernel refuses.
pub(crate) fn whole() -> Result<Maps, StepError> {
    ["uid_map", "gid_map"]
        .into_iter()
        .map(|file| {
            let own = fs::read_to_string(format!("/proc/self/{file}")).step(STEP, file)?;
            Ok((file, identity_map(&own)))
        })
        .collect()
}

/// One user and one group stand for themselves. Needs no privilege to be written.
pub(crate) fn single(uid: u32, gid: u32) -> Maps {
    vec![
        // The kernel lets an ordinary user map a group only after giving up setgroups (CVE-2014-8989).
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{uid} {uid} 1")),
        ("gid_map", format!("{gid} {gid} 1")),
    ]
}

/// Gives a process in a new user namespace its maps.
///
/// # Errors
/// What the kernel refuses: AppArmor's restriction of user namespaces shows here.
pub(crate) fn write(pid: i32, maps: &Maps) -> Result<(), StepError> {
    for (file, text) in maps {
        let path = format!("/proc/{pid}/{file}");
        fs::write(&path, text).step(STEP, &path)?;
    }
    Ok(())
}

/// The ids of this namespace, each mapped to itself: inside a container not all of them exist.
fn identity_map(own: &str) -> String {
    let mut lines = String::new();
    for line in own.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [inside, _, count] = fields[..] {
            lines.push_str(&format!("{inside} {inside} {count}\n"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: SB1 (L)
    #[test]
    fn ids_stand_for_themselves_also_inside_a_container() {
        assert_eq!(
            identity_map("         0          0 4294967295\n"),
            "0 0 4294967295\n"
        );
        assert_eq!(
            identity_map("0 100000 65536\n70000 300000 10"),
            "0 0 65536\n70000 70000 10\n"
        );
    }
}
