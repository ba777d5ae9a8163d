//! How many user namespaces builds need, and what stands in the way of them in containers (GB5). Pure.

use crate::check::Check;

/// User namespaces that each build has at a time.
const EACH: u64 = 2;

/// What a set of builders can have running at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Builders of tags.
    pub tag_builders: u64,
    /// Builders of commits.
    pub commit_builders: u64,
    /// `Git.BuildConcurrency`.
    pub concurrency: u64,
}

impl Demand {
    /// User namespaces that they need: ((tag builders × concurrency) + commit builders) × 2.
    #[must_use]
    pub fn namespaces(self) -> u64 {
        let builds = self.tag_builders.saturating_mul(self.concurrency);
        builds.saturating_add(self.commit_builders).saturating_mul(EACH)
    }

    /// The verdict of `doctor`; `limit` is what the machine allows each account, where it tells.
    #[must_use]
    pub fn check(self, limit: Option<u64>) -> Check {
        const NAME: &str = "user namespaces";
        let needed = self.namespaces();
        let sum = format!(
            "(({} of tags × {}) + {} of commits) × 2 = {needed} are needed",
            self.tag_builders, self.concurrency, self.commit_builders
        );
        match limit {
            None => Check::warn(
                NAME,
                format!("{sum}; the machine tells no limit"),
                "look whether the kernel has user namespaces (CONFIG_USER_NS)",
            ),
            Some(limit) if limit >= needed.max(EACH) => {
                Check::pass(NAME, format!("{sum}, {limit} are allowed"))
            }
            Some(limit) => {
                let wanted = needed.max(EACH).next_multiple_of(1000);
                Check::fail(
                    NAME,
                    format!(
                        "{sum}, but user.max_user_namespaces allows {limit}; write 'user.max_user_namespaces = {wanted}' into \
                         /etc/sysctl.d/90-offhost.conf and run sysctl --system, or lower Git.BuildConcurrency"
                    ),
                )
            }
        }
    }
}

/// What this machine says about itself, as texts of the files that say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// Whether this is a container.
    pub in_container: bool,
    /// `/proc/self/status`.
    pub status: String,
    /// `/proc/self/attr/current`, the AppArmor profile.
    pub profile: Option<String>,
    /// `/proc/sys/user/max_user_namespaces`.
    pub max_namespaces: Option<String>,
    /// `/proc/sys/kernel/unprivileged_userns_clone`, which only some distributions have.
    pub unprivileged_clone: Option<String>,
    /// `/proc/sys/kernel/apparmor_restrict_unprivileged_userns`, likewise.
    pub apparmor_restricts: Option<String>,
}

impl Signs {
    /// The limit of user namespaces.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.max_namespaces.as_deref()?.trim().parse().ok()
    }

    /// What can be why an ordinary account gets no sandbox here: one sentence each, with the remedy.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let is = |text: &Option<String>, value: &str| text.as_deref().map(str::trim) == Some(value);
        let mut causes = Vec::new();
        if self.limit() == Some(0) {
            causes.push(
                "user.max_user_namespaces is 0, so that there are no user namespaces; set it to 15000 in /etc/sysctl.d and run sysctl --system"
                    .to_owned(),
            );
        }
        if is(&self.unprivileged_clone, "0") {
            causes.push(
                "kernel.unprivileged_userns_clone is 0, which keeps user namespaces from ordinary accounts; set it to 1 in /etc/sysctl.d and run \
                 sysctl --system"
                    .to_owned(),
            );
        }
        if is(&self.apparmor_restricts, "1") && self.profile_in_force().is_none() {
            causes.push(
                "kernel.apparmor_restrict_unprivileged_userns is 1, which takes rights from user namespaces of ordinary accounts; give offhost-exec \
                 an AppArmor profile with 'userns,', or set it to 0"
                    .to_owned(),
            );
        }
        if self.in_container && self.is_filtered() {
            causes.push(
                "a seccomp profile filters this container, and the usual ones deny unshare and mount; start it with --security-opt \
                 seccomp=unconfined (in Kubernetes seccompProfile: Unconfined), or with a profile that allows them"
                    .to_owned(),
            );
        }
        if let Some(profile) = self.profile_in_force() {
            causes.push(format!(
                "the AppArmor profile '{profile}' is in force, and the usual ones of containers deny mounts; start it with --security-opt \
                 apparmor=unconfined (in Kubernetes appArmorProfile: Unconfined), or with a profile that allows them"
            ));
        }
        causes
    }

    fn is_filtered(&self) -> bool {
        let mode = self.status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
        mode.is_some_and(|mode| mode.trim() == "2")
    }

    /// The name of the profile, where one is enforced.
    fn profile_in_force(&self) -> Option<&str> {
        let profile = self.profile.as_deref()?.trim().trim_end_matches('\0');
        let name = profile.strip_suffix(" (enforce)")?;
        (name != "unconfined").then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::check::Status;

    /// Proves: GB5 (B)
    #[test]
    fn the_example_of_the_manual_comes_out() {
        let demand = Demand {
            tag_builders: 4,
            commit_builders: 5,
            concurrency: 25,
        };
        assert_eq!(demand.namespaces(), 210);
        assert_eq!(demand.check(Some(210)).status, Status::Pass);
        let short = demand.check(Some(209));
        assert_eq!(short.status, Status::Fail);
        assert!(
            short.found.contains("= 210 are needed, but") && short.found.contains("= 1000'"),
            "{short:?}"
        );
        assert_eq!(demand.check(None).status, Status::Warn);
        assert_eq!(
            Demand::default().check(Some(0)).status,
            Status::Fail,
            "one build needs two"
        );
    }

    /// Proves: GB5 (B)
    #[test]
    fn causes_in_containers_are_named_with_their_remedies() {
        let container = Signs {
            in_container: true,
            status: "Name:\tx\nSeccomp:\t2\n".to_owned(),
            profile: Some("docker-default (enforce)\n".to_owned()),
            max_namespaces: Some("0\n".to_owned()),
            ..Signs::default()
        };
        let causes = container.causes();
        assert_eq!(causes.len(), 3, "{causes:?}");
        for word in ["sysctl --system", "seccomp=unconfined", "'docker-default'"] {
            assert!(
                causes.iter().any(|cause| cause.contains(word)),
                "{word}: {causes:?}"
            );
        }
        let host = Signs {
            status: "Seccomp:\t2\n".to_owned(),
            profile: Some("unconfined\n".to_owned()),
            max_namespaces: Some("96000\n".to_owned()),
            apparmor_restricts: Some("1\n".to_owned()),
            unprivileged_clone: Some("0\n".to_owned()),
            ..Signs::default()
        };
        let causes = host.causes();
        assert_eq!(causes.len(), 2, "{causes:?}");
        assert!(Signs::default().causes().is_empty());
    }

    proptest! {
        /// Proves: GB5 (B)
        #[test]
        fn more_builders_never_need_less(tags in 0u64..1000, commits in 0u64..1000, concurrency in 1u64..1000) {
            let demand = |tag_builders, commit_builders, concurrency| Demand { tag_builders, commit_builders, concurrency }.namespaces();
            let needed = demand(tags, commits, concurrency);
            prop_assert!(demand(tags + 1, commits, concurrency) >= needed + 2);
            prop_assert_eq!(demand(tags, commits + 1, concurrency), needed + 2);
            prop_assert_eq!(demand(tags, commits, concurrency + 1), needed + 2 * tags);
        }
    }
}
