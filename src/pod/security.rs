//! Who a Pod runs as, and what it may not do (RA5, RA6, SB4, SB6, OH4).

use k8s_openapi::api::core::v1::{Capabilities, PodSecurityContext, SeccompProfile, SecurityContext};

use crate::plan::Identity;

/// The account, complete: groups that the image's own table gives it are not added, as they could open what the
/// data directory closes to it. No fsGroup, which would have the kubelet change the owners of the whole volume.
pub(super) fn of_pod(identity: &Identity) -> PodSecurityContext {
    PodSecurityContext {
        run_as_user: Some(identity.uid.into()),
        run_as_group: Some(identity.gid.into()),
        run_as_non_root: Some(true),
        supplemental_groups: Some(identity.groups.iter().map(|gid| i64::from(*gid)).collect()),
        supplemental_groups_policy: Some("Strict".to_owned()),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

/// Of every container, init containers included.
pub(super) fn of_container() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            add: None,
        }),
        read_only_root_filesystem: Some(true),
        ..SecurityContext::default()
    }
}
