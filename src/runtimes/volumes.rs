//! `volume_mounts` of an image: what is mounted, and that it does not cover the content (EX4, PW3).

use std::path::{Component, Path};

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::names;

/// One volume that every process of an image mounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct VolumeMount {
    source: Source,
    target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum VolumeType {
    Nfs,
    Pvc,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the key 'volume_type'")]
struct Source {
    volume_type: VolumeType,
    #[serde(skip_serializing_if = "Option::is_none")]
    nfs_host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nfs_export_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pvc_name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the key 'path'")]
struct Target {
    path: String,
    #[serde(default)]
    read_only: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the keys 'source' and 'target'")]
struct Written {
    source: Source,
    target: Target,
}

impl<'de> Deserialize<'de> for VolumeMount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { source, target } = Written::deserialize(deserializer)?;
        source.check().map_err(de::Error::custom)?;
        check_target(&target.path).map_err(de::Error::custom)?;
        Ok(Self { source, target })
    }
}

impl Source {
    fn check(&self) -> Result<(), &'static str> {
        let given = |value: &Option<String>| value.as_deref().is_some_and(|text| !text.is_empty());
        let nfs = (given(&self.nfs_host), given(&self.nfs_export_path));
        match self.volume_type {
            VolumeType::Nfs if nfs == (true, true) && !given(&self.pvc_name) => Ok(()),
            VolumeType::Nfs => Err("an nfs volume needs nfs_host and nfs_export_path, and no pvc_name"),
            VolumeType::Pvc if given(&self.pvc_name) && nfs == (false, false) => Ok(()),
            VolumeType::Pvc => Err("a pvc volume needs pvc_name, and no nfs_host or nfs_export_path"),
        }
    }
}

/// Refuses a target that would cover what content sees, or that content's directories would cover.
fn check_target(path: &str) -> Result<(), String> {
    let target = Path::new(path);
    let plain = target
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if !target.is_absolute() || !plain {
        return Err(format!(
            "the target path '{path}' must be absolute and without '..'"
        ));
    }
    for own in [names::MOUNT_DIR, names::MOUNT_RUNTIME] {
        if target.starts_with(own) || Path::new(own).starts_with(target) {
            return Err(format!(
                "a volume at '{path}' would cover {own}, where content is mounted; choose another path"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<VolumeMount, String> {
        serde_yaml::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn both_kinds_are_kept_as_written() {
        let mount =
            read("{source: {volume_type: pvc, pvc_name: 123}, target: {path: /data, read_only: true}}")
                .unwrap();
        assert_eq!(
            serde_json::to_value(mount).unwrap(),
            serde_json::json!({"source": {"volume_type": "pvc", "pvc_name": "123"},
                "target": {"path": "/data", "read_only": true}})
        );
        read("{source: {volume_type: nfs, nfs_host: h, nfs_export_path: /x, pvc_name: null}, target: {path: /d}}").unwrap();
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        for (source, said) in [
            ("{volume_type: nfs, nfs_host: h}", "nfs_export_path"),
            ("{volume_type: pvc, nfs_host: h}", "pvc_name"),
            ("{volume_type: pvc, pvc_name: ''}", "pvc_name"),
            ("{volume_type: host, pvc_name: x}", "unknown variant `host`"),
        ] {
            let error = read(&format!("{{source: {source}, target: {{path: /d}}}}")).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    /// Proves: PW3 (P)
    #[test]
    fn a_volume_can_not_cover_the_content() {
        for path in [
            "/",
            "/opt",
            "/opt/rstudio-connect",
            "/opt/rstudio-connect/mnt/",
            "/opt/rstudio-connect/mnt/app",
            "/opt/offhost",
            "data",
            "/data/../opt",
        ] {
            let yaml = format!("{{source: {{volume_type: pvc, pvc_name: x}}, target: {{path: '{path}'}}}}");
            assert!(read(&yaml).is_err(), "{path}");
        }
        let sibling = "{source: {volume_type: pvc, pvc_name: x}, target: {path: /opt/rstudio-connect/mnt2}}";
        assert!(read(sibling).is_ok());
    }
}
